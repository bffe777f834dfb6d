"""How checks are put together: several on one value, and one below a property.

See https://hl7.org/fhir/R4/validation.html.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fhir_server.validation.report import Findings, at, joined
from fhir_server.validation.site import Check, Key, Scope


def all_of(checks: Iterable[Check | None]) -> Check | None:
    """Returns the check that runs all of these on the same value, or None when there are none."""
    known = tuple(check for check in checks if check is not None)
    if len(known) < 2:
        return known[0] if known else None
    if len(known) == 2:
        return _both(*known)

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


def on_object(checks: Iterable[Check | None]) -> Check | None:
    """Returns the check that runs all of these on an object and leaves any other JSON value alone."""
    known = tuple(check for check in checks if check is not None)

    def check_object(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict:
            return None
        result: Findings | None = None
        for check in known:
            more = check(value, scope)
            if more is not None:
                result = joined(result, more)
        return result

    return check_object if known else None


def below(key: Key, check: Check) -> Check:
    """Returns the check of an object that runs `check` on the value, or on every item, of one property."""
    return _below_items(key.name, key.segment, check) if key.is_array else _below_value(key.name, key.segment, check)


def below_sibling(key: Key, check: Check) -> Check:
    """Returns the check of an object that runs `check` on the extensions of a primitive property (`_birthDate`)."""
    sibling = key.sibling or ""
    return _below_items(sibling, key.segment, check) if key.is_array else _below_value(sibling, key.segment, check)


def below_any(checks: Sequence[tuple[Key, Check]]) -> Check | None:
    """Returns the check of an object for a choice element: it looks at the properties present, not at all types."""
    if len(checks) < 3:
        return all_of(below(key, check) for key, check in checks)
    table: Mapping[str, Check] = {key.name: below(key, check) for key, check in checks}

    def check_present(owner: Any, scope: Scope) -> Findings | None:
        result: Findings | None = None
        for name in owner:
            check = table.get(name)
            if check is not None:
                result = joined(result, check(owner, scope))
        return result

    return check_present


def _below_value(name: str, segment: str, check: Check) -> Check:
    def look(owner: Any, scope: Scope) -> Findings | None:
        value = owner.get(name)
        if value is None:
            return None
        more = check(value, scope)
        return None if more is None else at(more, segment)

    return look


def _below_items(name: str, segment: str, check: Check) -> Check:
    def look(owner: Any, scope: Scope) -> Findings | None:
        values = owner.get(name)
        if type(values) is not list:
            return None
        result: Findings | None = None
        for index, value in enumerate(values):
            more = check(value, scope) if value is not None else None
            if more is not None:
                result = joined(result, at(more, index, segment))
        return result

    return look
