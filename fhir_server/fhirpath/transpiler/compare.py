"""Equality, order, membership and union, http://hl7.org/fhirpath/N1/#equality, #comparison, #collections."""

from functools import lru_cache, partial

from fhir_server.fhirpath.transpiler.code import (
    CLOCK,
    MOMENT,
    NOTHING,
    NUMBER,
    OBJECT,
    QUANTITY,
    TEXT,
    TODAY,
    TRUTH,
    UNKNOWN,
    Code,
    Unsupported,
    boolean,
    family_of,
    three_valued,
)  # fmt: skip
from fhir_server.fhirpath.transpiler.days import Moves, moved
from fhir_server.fhirpath.transpiler.navigate import Constants, as_list, narrowed, single

_SAME = {
    TEXT: "same",
    TRUTH: "same",
    NUMBER: "same",
    MOMENT: "same_moment",
    QUANTITY: "same_quantity",
    OBJECT: "same_object",
}
_ORDER = {TEXT: "number_order", NUMBER: "number_order", MOMENT: "moment_order", QUANTITY: "quantity_order"}
_HOLDS = {"<": ("(-1,)", "(0, 1)"), ">": ("(1,)", "(-1, 0)"), "<=": ("(-1, 0)", "(1,)"), ">=": ("(0, 1)", "(-1,)")}
_OPPOSITE = {"<": ">=", ">": "<=", "<=": ">", ">=": "<"}
_EMPTY = boolean("False", "False")


def equal(a: Code, b: Code, constants: Constants) -> Code:
    """Returns the code of `a = b`.

    Raises:
        Unsupported: values of several types, or of types that are compared in a way of their own.
    """
    if not a.types or not b.types:
        return _EMPTY
    if a.constants is not None and b.constants is None:
        a, b = b, a
    if family_of(a.types) is None and b.constants and family_of(b.types) in (TEXT, TRUTH):
        return _equals_choice(a, b, constants)
    family = _shared(a, b)
    if family is None:
        return _differ(a, b)
    if a.many or b.many:
        return three_valued(f"same_lists({as_list(a)}, {as_list(b)}, {_SAME[family]})")
    if b.constants and len(b.constants) == 1 and family in (TEXT, NUMBER, TRUTH):
        return _equals_constant(a, b, family)
    return three_valued(f"{_SAME[family]}({operand(a, constants)}, {operand(b, constants)})")


def unequal(a: Code, b: Code, constants: Constants) -> Code:
    """Returns the code of `a != b`."""
    yes, no = equal(a, b, constants).truth or ("False", "False")
    return boolean(no, yes)


def _shared(a: Code, b: Code) -> str | None:
    """The family in which two values are compared, or None when they can never be equal."""
    families = {family_of(a.types), family_of(b.types)}
    if None in families or families & {UNKNOWN, CLOCK}:
        raise Unsupported("values of several types")
    if families == {NUMBER, QUANTITY}:
        return QUANTITY
    return families.pop() if len(families) == 1 else None


def _differ(a: Code, b: Code) -> Code:
    if a.many or b.many:
        raise Unsupported("lists of different types")
    present = [f"{c.text} is not None" for c in (a, b) if not c.sure]
    return boolean("False", f"({' and '.join(present) or 'True'})")


def _equals_constant(a: Code, b: Code, family: str) -> Code:
    if family == TRUTH:
        yes, no = ("is True", "is False") if b.constants == (True,) else ("is False", "is True")
        return boolean(f"({a.text} {yes})", f"({a.text} {no})")
    return boolean(f"({a.text} == {b.text})", f"({a.text} not in (None, {b.text}))")


def _equals_choice(a: Code, b: Code, constants: Constants) -> Code:
    """A choice element against a literal: only the keys of the literal's type can be equal."""
    family = family_of(b.types)
    if a.many and family == TRUTH:
        return three_valued(f"same_lists({a.text}, {as_list(b)}, same_json)")
    kept = narrowed(a, [t for t in a.types if family_of((t,)) == family], constants)
    if a.many or not kept.types or len(b.constants or ()) != 1:
        raise Unsupported("a choice element against several values")
    yes, _ = equal(kept, b, constants).truth or ("False", "")
    return boolean(yes, f"({a.text} is not None and not {yes})")


def operand(code: Code, constants: Constants) -> str:
    """Returns Python for a single item that is compared: dates that are whole days stay texts."""
    day = code.day
    if day is None:
        return single(code).text
    if not day.steps:
        return day.text
    moves = Moves(day.type, day.steps)
    if day.text == TODAY:  # the same for every resident of the day
        return f"{constants.name(lru_cache(1)(partial(moved, moves=moves)))}({TODAY})"
    return f"moved({day.text}, {constants.name(moves)})"


def ordered(operator: str, a: Code, b: Code, constants: Constants) -> Code:
    """Returns the code of `<`, `>`, `<=` or `>=`.

    Raises:
        Unsupported: types that have no order, which is an error for the evaluator to tell.
    """
    if not a.types or not b.types:
        return _EMPTY
    family = _shared(a, b)
    if family not in _ORDER:
        raise Unsupported(f"the order of {a.types} and {b.types}")
    if b.constants and len(b.constants) == 1 and a.text.isidentifier() and family in (NUMBER, TEXT):
        return _ordered_constant(operator, a, b)
    order = f"{_ORDER[family]}({operand(a, constants)}, {operand(b, constants)})"
    yes, no = _HOLDS[operator]
    return boolean(f"({order} in {yes})", f"({order} in {no})")


def _ordered_constant(operator: str, a: Code, b: Code) -> Code:
    """A variable against a number or text: Python's own operators need no call."""
    return boolean(*(f"({a.text} is not None and {a.text} {o} {b.text})" for o in (operator, _OPPOSITE[operator])))


def contained(item: Code, found: Code, constants: Constants) -> Code:
    """Returns the code of `item in found`.

    Raises:
        Unsupported: items that are not texts, numbers or booleans of one kind.
    """
    if not item.types:
        return _EMPTY
    family = family_of(item.types)
    if family not in (TEXT, NUMBER, TRUTH) or (found.types and family_of(found.types) != family):
        raise Unsupported("membership among values of several types")
    item = single(item)
    if found.constants is None:
        return three_valued(f"is_in({item.text}, {as_list(found)})")
    table = constants.name(frozenset(found.constants))
    empty_too = constants.name(frozenset((*found.constants, None)))
    return boolean(f"({item.text} in {table})", f"({item.text} not in {empty_too})")


def union(a: Code, b: Code, constants: Constants) -> Code:
    """Returns the code of `a | b`.

    Raises:
        Unsupported: values whose identity is more than their JSON.
    """
    if not a.types or not b.types:
        kept = a if a.types else b
        return kept if not kept.many else distinct(kept, constants)
    families = {family_of(a.types), family_of(b.types)}
    if not families <= {TEXT, OBJECT} and families != {NUMBER}:
        raise Unsupported("a union of values of several types")
    types = tuple(dict.fromkeys((*a.types, *b.types)))
    both = None if a.constants is None or b.constants is None else tuple(dict.fromkeys((*a.constants, *b.constants)))
    return Code(f"union({as_list(a)}, {as_list(b)})" if both is None else repr(both), types, many=True, constants=both)


def distinct(a: Code, constants: Constants) -> Code:
    """Returns the code of `a.distinct()`.

    Raises:
        Unsupported: values whose identity is more than their JSON.
    """
    if not a.types:
        return NOTHING
    if a.origin is not None and family_of(a.types) is None:
        table = constants.name({k: p.type for k, p in a.origin.keys})
        return Code(f"distinct_choices({as_list(a.origin.parent)}, {table})", a.types, many=True)
    check_identity(a)
    return Code(f"distinct({as_list(a)})", a.types, many=True)


def check_identity(*codes: Code) -> None:
    """Refuses values that may be equal without being equal JSON: dates, quantities, and mixtures.

    Raises:
        Unsupported: there are such values.
    """
    for code in codes:
        if code.types and family_of(code.types) not in (TEXT, NUMBER, TRUTH, OBJECT, UNKNOWN):
            raise Unsupported("the identity of dates and quantities")
