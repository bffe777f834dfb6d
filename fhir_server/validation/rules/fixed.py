"""Fixed values, patterns, lengths and limits, https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.fixed_x_."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from fhir_server.validation.report import Findings, at, found, shown
from fhir_server.validation.site import Build, Check, Key, Scope, Site
from fhir_server.validation.sure import Source, described


def build_fixed(site: Site, _: Build) -> Check | None:
    """Returns the check that a value equals `fixed[x]` exactly."""
    wanted = of_type(site.element.fixed, site.type)
    if wanted is None or (site.base and site.base.fixed == site.element.fixed):
        return None
    return _comparing(wanted, "validation.fixed", is_same, site.profile)


def build_pattern(site: Site, _: Build) -> Check | None:
    """Returns the check that a value has everything that `pattern[x]` has."""
    wanted = of_type(site.element.pattern, site.type)
    if wanted is None or (site.base and site.base.pattern == site.element.pattern):
        return None
    return _comparing(wanted, "validation.pattern", is_match, site.profile)


def _comparing(wanted: Any, key: str, test: Callable[[Any, Any], bool], profile: str) -> Check:
    def fail(value: Any) -> Findings:
        return found(key, expected=shown(wanted, 200), found=shown(value), profile=profile)

    if isinstance(wanted, str):  # by far the most, and a text equals nothing but a text
        return described(
            lambda value, _: None if value == wanted else fail(value),
            lambda source, value: source.refuse_if(f"{value} != {wanted!r}"),
        )
    check: Check = lambda value, _: None if test(value, wanted) else fail(value)  # noqa: E731 -- as the one above
    return described(check, lambda source, value: emit_match(source, value, wanted)) if test is is_match else check


def build_matching(wanted: Any) -> Check:
    """Returns the check, for its quick form, that a value has everything that a pattern has."""
    return described(
        lambda value, _: None if is_match(value, wanted) else [],
        lambda source, value: emit_match(source, value, wanted),
    )


def emit_match(source: Source, value: str, wanted: Any) -> None:
    """Writes that the value in a variable has everything that a pattern has."""
    if isinstance(wanted, str):
        source.refuse_if(f"{value} != {wanted!r}")
    elif isinstance(wanted, dict):
        source.refuse_if(f"type({value}) is not dict")
        for key, one in wanted.items():
            part = f"{value}_{len(source.lines)}"
            source.line(f"{part} = {source.member(value, key)}")
            emit_match(source, part, one)
    elif isinstance(wanted, list) and all(map(_is_flat, wanted)):
        source.refuse_if(f"type({value}) is not list")
        for one in wanted:
            _emit_item(source, value, one)
    else:
        source.refuse_if(f"not {source.constant(is_match)}({value}, {source.constant(wanted)})")


def _emit_item(source: Source, values: str, wanted: Mapping[str, str]) -> None:
    item = source.variable("q")
    parts = " and ".join(f"{item}.get({key!r}) == {text!r}" for key, text in wanted.items())
    with source.block(f"for {item} in {values}:"):
        source.line(f"if type({item}) is dict and {parts}: break")
    source.line("else: return False")


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(text, str) for text in value.values())


def build_bare(site: Site, key: Key) -> Check | None:
    """Returns the check of an owner that its primitive with a fixed value has no extension besides.

    What is missing in the fixed value has to be missing in the element. None without a fixed value.
    """
    name, sibling, wanted = key.name, key.sibling, of_type(site.element.fixed, site.type)
    if wanted is None or sibling is None or key.is_array:
        return None

    def check(owner: Any, _: Scope) -> Findings | None:
        beside = owner.get(sibling)
        if type(beside) is not dict or "extension" not in beside or owner.get(name) is None:
            return None
        return at(found("validation.fixed-extension", expected=shown(wanted), profile=site.profile), key.segment)

    def emit(source: Source, owner: str) -> None:
        is_bare = source.has_none_of(frozenset({sibling}), owner)
        source.refuse_if(f"not ({is_bare}) and {source.constant(check)}({owner}, s) is not None")

    return described(check, emit)


def build_length(site: Site, _: Build) -> Check | None:
    """Returns the check that a string has at most `maxLength` characters."""
    most = site.element.max_length
    if most is None or (site.base and site.base.max_length == most):
        return None

    def check(value: Any, _: Scope) -> Findings | None:
        if type(value) is not str or len(value) <= most:
            return None
        return found("validation.max-length", max=most, length=len(value), profile=site.profile)

    return described(check, lambda source, value: source.refuse_if(f"type({value}) is str and len({value}) > {most}"))


def build_least(site: Site, _: Build) -> Check | None:
    """Returns the check that a value is at least `minValue[x]`."""
    return _limit(site, site.element.min_value, "validation.min-value", _Side(">=", lambda order: order >= 0))


def build_most(site: Site, _: Build) -> Check | None:
    """Returns the check that a value is at most `maxValue[x]`."""
    return _limit(site, site.element.max_value, "validation.max-value", _Side("<=", lambda order: order <= 0))


def of_type(value: tuple[str, Any] | None, type_: str) -> Any:
    """Returns the value of `fixed[x]` and its like if it is of the given type (`Uri` for `uri`), else None."""
    if value is None or value[0].lower() != type_.lower():
        return None
    return value[1]


class _Side(NamedTuple):
    """Which side of a limit is right: as an operator, and as a test of the order."""

    operator: str
    accepts: Callable[[int], bool]


def _limit(site: Site, value: tuple[str, Any] | None, key: str, side: _Side) -> Check | None:
    limit = of_type(value, site.type)
    if limit is None:
        return None

    def check(item: Any, _: Scope) -> Findings | None:
        order = ordered(item, limit)
        if order is None or side.accepts(order):
            return None
        return found(key, limit=shown(limit), found=shown(item), profile=site.profile)

    def emit(source: Source, item: str) -> None:
        known = f"{item} {side.operator} {source.constant(limit)}"  # a number compares with no other JSON value
        source.refuse_if(f"not ({known}) and {source.constant(check)}({item}, s) is not None")

    return described(check, emit) if _is_number(limit) else check


def ordered(value: Any, limit: Any) -> int | None:
    """Returns -1, 0 or 1 as `value` is below, at or above `limit`, None when the two cannot be compared.

    Dates of different precision compare by what both have; quantities of different units do not compare.
    """
    if isinstance(value, Mapping) and isinstance(limit, Mapping):
        same_unit = all(value.get(k) == limit.get(k) for k in ("system", "code"))
        return ordered(value.get("value"), limit.get("value")) if same_unit else None
    if _is_number(value) and _is_number(limit):
        return int(value > limit) - int(value < limit)
    if isinstance(value, str) and isinstance(limit, str):
        return _ordered_texts(value, limit)
    return None


def _ordered_texts(value: str, limit: str) -> int:
    one, other = _instant(value), _instant(limit)
    if one and other:
        return (one > other) - (one < other)
    length = min(len(value), len(limit))
    return (value[:length] > limit[:length]) - (value[:length] < limit[:length])


def _instant(text: str) -> datetime | None:
    if "T" not in text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def is_same(value: Any, wanted: Any) -> bool:
    """Tells whether two JSON values are equal as FHIR sees it: `true` is not 1, and 1.0 is 1.00."""
    if isinstance(wanted, dict):
        return (
            isinstance(value, dict)
            and value.keys() == wanted.keys()
            and all(is_same(value[k], wanted[k]) for k in wanted)
        )
    if isinstance(wanted, list):
        return isinstance(value, list) and len(value) == len(wanted) and all(map(is_same, value, wanted))
    if _is_number(wanted):
        return _is_number(value) and bool(value == wanted)
    return type(value) is type(wanted) and bool(value == wanted)


def is_match(value: Any, wanted: Any) -> bool:
    """Tells whether `value` has everything that the pattern has; each item of a list in it must match some item."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(k in value and is_match(value[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list):
        return isinstance(value, list) and all(any(is_match(item, one) for item in value) for one in wanted)
    return is_same(value, wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
