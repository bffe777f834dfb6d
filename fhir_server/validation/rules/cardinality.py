"""How often an element may occur in a profile, https://hl7.org/fhir/R4/conformance-rules.html#cardinality."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from fhir_server.definitions.registry import Element
from fhir_server.validation.checks import Part, Required
from fhir_server.validation.report import Findings, found
from fhir_server.validation.site import Check, Key, Scope
from fhir_server.validation.sure import Emit, Source, described

Count: TypeAlias = Callable[[Mapping[str, Any]], int]


def build_cardinality(
    element: Element, base: Element | None, keys: Sequence[Key], profile: str
) -> Part | Required | None:
    """Returns the check of an object's element against limits that are narrower than R4's, or None without such."""
    least = element.min if element.min > (base.min if base else 0) else 0
    most = element.max if base is None or element.max != base.max else None
    if not least and most is None:
        return None
    names = frozenset(name for key in keys for name in (key.name, key.sibling) if name)
    if most == 0:
        return Part(_prohibited(names, element.id, profile))
    if least == 1 and (most is None or (most == 1 and not keys[0].is_array)):
        return Required(names, _missing(element.id, profile))
    check = _within(counter(keys), (least, most), element.id, profile)
    return Part(described(check, _counting(keys[0], least, most, check)) if len(keys) == 1 else check)


def _counting(key: Key, least: int, most: int | None, check: Check) -> Emit:
    def emit(source: Source, owner: str) -> None:
        values = source.variable("x")
        source.line(f"{values} = {source.member(owner, key.name)}")
        within = f"{least} <= len({values})" + ("" if most is None else f" <= {most}")
        no_extensions = f" and {source.has_none_of(frozenset({key.sibling}), owner)}" if key.sibling else ""
        absent = "" if least else f" or {values} is None{no_extensions}"
        known = f"type({values}) is list and {within}{no_extensions}{absent}"
        source.refuse_if(f"not ({known}) and {source.constant(check)}({owner}, s) is not None")

    return emit


def _prohibited(names: frozenset[str], place: str, profile: str) -> Check:
    def check(owner: Any, _: Scope) -> Findings | None:
        if names.isdisjoint(owner):
            return None
        return found("validation.cardinality-max", element=place, max=0, found=1, profile=profile)

    return described(check, lambda source, owner: source.refuse_if(f"not ({source.has_none_of(names, owner)})"))


def _missing(place: str, profile: str) -> Check:
    return lambda _owner, _scope: found("validation.cardinality-min", element=place, min=1, found=0, profile=profile)


def _within(count: Count, limits: tuple[int, int | None], place: str, profile: str) -> Check:
    least, most = limits

    def check(owner: Any, _: Scope) -> Findings | None:
        number = count(owner)
        if number >= least and (most is None or number <= most):
            return None
        return outside(number, limits, place, profile)

    return check


def outside(number: int, limits: tuple[int, int | None], place: str, profile: str) -> Findings | None:
    """Returns the finding that `number` is below or above the limits (both inclusive, None is `*`), or None."""
    least, most = limits
    if number < least:
        return found("validation.cardinality-min", element=place, min=least, found=number, profile=profile)
    if most is not None and number > most:
        return found("validation.cardinality-max", element=place, max=most, found=number, profile=profile)
    return None


def counter(keys: Sequence[Key]) -> Count:
    """Returns the function that counts an element's occurrences; an extension without a value is one as well."""
    if len(keys) == 1:
        name, sibling = keys[0].name, keys[0].sibling or ""
        return lambda owner: max(_size(owner.get(name)), _size(owner.get(sibling)) if sibling else 0)

    def count(owner: Mapping[str, Any]) -> int:
        return sum(max(_size(owner.get(key.name)), _size(owner.get(key.sibling or ""))) for key in keys)

    return count


def _size(value: Any) -> int:
    if value is None:
        return 0
    return len(value) if isinstance(value, list) else 1
