"""How often an element may occur in a profile, https://hl7.org/fhir/R4/conformance-rules.html#cardinality."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from fhir_server.definitions.registry import Element
from fhir_server.validation.report import Findings, found
from fhir_server.validation.site import Check, Key, Scope

Count: TypeAlias = Callable[[Mapping[str, Any]], int]


def build_cardinality(element: Element, base: Element | None, keys: Sequence[Key], profile: str) -> Check | None:
    """Returns the check of an object's element against limits that are narrower than R4's, or None without such."""
    least = element.min if element.min > (base.min if base else 0) else 0
    most = element.max if base is None or element.max != base.max else None
    if not least and most is None:
        return None
    names = frozenset(name for key in keys for name in (key.name, key.sibling) if name)
    if most == 0:
        return _prohibited(names, element.id, profile)
    if least == 1 and (most is None or (most == 1 and not keys[0].is_array)):
        return _required(names, element.id, profile)
    return _within(counter(keys), (least, most), element.id, profile)


def _prohibited(names: frozenset[str], place: str, profile: str) -> Check:
    def check(owner: Any, _: Scope) -> Findings | None:
        if names.isdisjoint(owner):
            return None
        return found("validation.cardinality-max", element=place, max=0, found=1, profile=profile)

    return check


def _required(names: frozenset[str], place: str, profile: str) -> Check:
    def check(owner: Any, _: Scope) -> Findings | None:
        if not names.isdisjoint(owner):
            return None
        return found("validation.cardinality-min", element=place, min=1, found=0, profile=profile)

    return check


def _within(count: Count, limits: tuple[int, int | None], place: str, profile: str) -> Check:
    def check(owner: Any, _: Scope) -> Findings | None:
        return outside(count(owner), limits, place, profile)

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

    def count(owner: Mapping[str, Any]) -> int:
        return sum(max(_size(owner.get(key.name)), _size(owner.get(key.sibling or ""))) for key in keys)

    return count


def _size(value: Any) -> int:
    if value is None:
        return 0
    return len(value) if isinstance(value, list) else 1
