"""How checks are put together: several on one value, and what an object's properties have to meet.

See https://hl7.org/fhir/R4/validation.html.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fhir_server.validation.report import Findings, at, joined
from fhir_server.validation.site import Check, Scope
from fhir_server.validation.sure import Source, described, has_quick_form


class Part(NamedTuple):
    """A check of one property's value, run where there is one, or without a `key` a check of the object that owns it.

    Findings lie below `segment`; None where they concern the object or are placed already.
    """

    check: Check
    key: str | None = None
    segment: str | None = None


class Required(NamedTuple):
    """Any of these properties must be there; where all are missing, `missing` says so of the object."""

    keys: frozenset[str]
    missing: Check


def all_of(checks: Iterable[Check | None]) -> Check | None:
    """Returns the check that runs all of these on the same value, or None when there are none."""
    known = tuple(check for check in checks if check is not None)
    if len(known) < 2:
        return known[0] if known else None
    return described(
        _both(*known) if len(known) == 2 else _all(known), lambda source, value: _each(source, value, known)
    )


def quick_first(checks: Iterable[Check], quicken: Callable[[Check], Check]) -> list[Check]:
    """Returns checks of which those with quick forms are one, to which `quicken` is applied; the others follow it."""
    known = list(checks)
    described_ones = all_of(check for check in known if has_quick_form(check))
    return [*([quicken(described_ones)] if described_ones else []), *(c for c in known if not has_quick_form(c))]


def _each(source: Source, value: str, checks: Iterable[Check]) -> None:
    for check in checks:
        source.check(check, value)


def _all(known: Sequence[Check]) -> Check:
    def check_all(value: Any, scope: Scope) -> Findings | None:
        result: Findings | None = None
        for check in known:
            more = check(value, scope)
            if more is not None:
                result = joined(result, more)
        return result

    return check_all


def _both(first: Check, second: Check) -> Check:
    def check_both(value: Any, scope: Scope) -> Findings | None:
        result, more = first(value, scope), second(value, scope)
        return result if more is None else joined(result, more)

    return check_both


def on_object(parts: Iterable[Part | Required]) -> Check | None:
    """Returns the check of an object that runs these parts; None without any. It leaves other JSON values alone.

    It loops over the properties present and looks up what is said of each; most of what a profile says concerns
    properties that a resource does not have.
    """
    listed = list(parts)
    if not listed:
        return None
    keyed = [part for part in listed if isinstance(part, Part) and part.key is not None]
    required = [part for part in listed if isinstance(part, Required)]
    whole = all_of([*map(_requiring, required), *(p.check for p in listed if isinstance(p, Part) and p.key is None)])
    check_of = _by_key(keyed).get

    def check_object(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict:
            return None
        result: Findings | None = None
        for key, item in value.items():
            check = check_of(key)
            if check is not None and item is not None:
                result = joined(result, check(item, scope))
        return result if whole is None else joined(result, whole(value, scope))

    def emit(source: Source, value: str) -> None:
        # Of what is no object the check has nothing to say: however a quick look at it ends, nothing is missed
        known = source.known_keys(value)
        for part in keyed if known is None else [part for part in keyed if part.key in known]:
            item = source.variable("x")
            source.line(f"{item} = {source.member(value, str(part.key))}")
            with source.block(f"if {item} is not None:"):
                source.check(part.check, item)
        if whole is not None:
            source.check(whole, value)

    return described(check_object, emit)


def _by_key(parts: Sequence[Part]) -> Mapping[str, Check]:
    checks: dict[str, list[Check]] = {}
    for part in parts:
        placed = part.check if part.segment is None else _below(part.segment, part.check)
        checks.setdefault(str(part.key), []).append(placed)
    return {key: check for key, listed in checks.items() if (check := all_of(listed))}


def _below(segment: str, check: Check) -> Check:
    def look(value: Any, scope: Scope) -> Findings | None:
        more = check(value, scope)
        return None if more is None else at(more, segment)

    return look


def _requiring(required: Required) -> Check:
    keys, missing = required

    def check(value: Any, scope: Scope) -> Findings | None:
        return missing(value, scope) if keys.isdisjoint(value) else None

    return described(check, lambda source, value: source.refuse_if(source.has_none_of(keys, value)))


def each_of(check: Check) -> Check:
    """Returns the check of every item of an array; nulls and what is no array are left to R4's own check."""

    def look(values: Any, scope: Scope) -> Findings | None:
        if type(values) is not list:
            return None
        result: Findings | None = None
        for index, value in enumerate(values):
            more = check(value, scope) if value is not None else None
            if more is not None:
                result = joined(result, at(more, index))
        return result

    def emit(source: Source, values: str) -> None:
        item = source.variable("y")
        with source.block(f"for {item} in {values}:"):
            source.check(check, item)

    return described(look, emit)
