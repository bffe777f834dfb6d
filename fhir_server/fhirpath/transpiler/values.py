"""What generated code calls to compare and compute values. Values are JSON; None stands for empty, or inside a list for a primitive without a value."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from operator import mul
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath import quantity, temporal
from fhir_server.fhirpath.environment import Resolve, clock_now
from fhir_server.fhirpath.equality import as_quantity, frozen, key
from fhir_server.fhirpath.functions.conversion import to_integer, to_text
from fhir_server.fhirpath.narrative import is_narrative
from fhir_server.fhirpath.nodes import Node, atom, fhir_type, literal, plain
from fhir_server.fhirpath.operators import computed, in_bounds
from fhir_server.fhirpath.quantity import Quantity, of_json
from fhir_server.fhirpath.references import find_target, reference_text, target_type
from fhir_server.fhirpath.syntax import Value
from fhir_server.fhirpath.temporal import DATE, DAY_LENGTH, Temporal, day_of, of_datetime, parse_date
from fhir_server.fhirpath.transpiler.elements import Items, Malformed, choice_pairs
from fhir_server.fhirpath.units import measure_of

DIGITS = {str(digit): digit for digit in range(10)}
_FEW = 8
"""Items that are faster compared than hashed."""


# equality and order


def same(a: Any, b: Any) -> bool | None:
    """Returns whether two texts, numbers or booleans are equal."""
    return None if a is None or b is None else a == b


def same_json(a: Any, b: Any) -> bool | None:
    """Returns whether two JSON values of any type are equal and of one kind."""
    return None if a is None or b is None else type(a) is type(b) and bool(a == b)


def same_object(a: Any, b: Any) -> bool | None:
    """Returns whether two objects are equal."""
    return None if a is None or b is None else frozen(a) == frozen(b)


def same_moment(a: Any, b: Any) -> bool | None:
    """Returns whether two dates or date-times are equal; None where precision leaves it open."""
    order = moment_order(a, b)
    return None if order is None else order == 0


def same_quantity(a: Any, b: Any) -> bool | None:
    """Returns whether two quantities or numbers are equal."""
    x, y = _quantity(a), _quantity(b)
    return None if x is None or y is None else quantity.equals(x, y, measure_of)


def same_lists(a: Items, b: Items, same: Callable[[Any, Any], bool | None]) -> bool | None:
    """Returns whether two lists have equal items in equal order; None when one is empty."""
    if not a or not b:
        return None
    if len(a) != len(b):
        return False
    found = {same(x, y) for x, y in zip(a, b, strict=True)}
    return False if False in found else None if None in found else True


def number_order(a: Any, b: Any) -> int | None:
    """Returns -1, 0, 1 or None, for two numbers or two texts."""
    if a is None or b is None:
        return None
    return int(a > b) - int(a < b)


def moment_order(a: Any, b: Any) -> int | None:
    """Returns -1, 0, 1 or None, for two dates or date-times.

    Raises:
        Malformed: not a date.
        ValueError: a day that does not exist.
    """
    if a is None or b is None:
        return None
    if type(a) is str and len(a) == DAY_LENGTH:
        a = day_of(a) or a
    if type(b) is str and len(b) == DAY_LENGTH:
        b = day_of(b) or b
    if type(a) is date and type(b) is date:
        return (a > b) - (a < b)
    return temporal.compare(moment(a), moment(b))


def quantity_order(a: Any, b: Any) -> int | None:
    """Returns -1, 0, 1 or None, for two quantities or numbers."""
    x, y = _quantity(a), _quantity(b)
    return None if x is None or y is None else quantity.compare(x, y, measure_of)


def moment(value: Any) -> Any:
    """Returns the date or date-time of a text or day; None stays None.

    Raises:
        Malformed: not a date.
    """
    if type(value) is date:
        return Temporal(DATE, (value.year, value.month, value.day))
    if type(value) is not str:
        return value
    parsed = parse_date(value)
    if parsed is None:
        raise Malformed
    return parsed


@lru_cache(4096)
def dated(value: Any, type_: str) -> Any:
    """Returns the Date or DateTime of a FHIR date, dateTime or instant; None stays None.

    Raises:
        Malformed: not a date.
        TypeError: no text, and nothing that can be a key of the cache.
    """
    found = None if value is None else atom(Node(value, type_))
    if isinstance(found, str):
        raise Malformed
    return found


@lru_cache(4096)
def dated_text(value: Any, type_: str) -> str | None:
    """Returns the text of the Date or DateTime of a FHIR date, dateTime or instant; None stays None.

    Raises:
        Malformed: not a date.
        TypeError: no text, and nothing that can be a key of the cache.
    """
    found = dated(value, type_)
    return None if found is None else to_text(found)


def _quantity(value: Any) -> Quantity | None:
    return of_json(value) if type(value) is dict else as_quantity(value)


def quantity_value(value: Any) -> Quantity | None:
    """Returns the System quantity of a FHIR one; None stays None."""
    return of_json(value) if type(value) is dict else value


def is_in(item: Any, found: Items) -> bool | None:
    """Returns whether a text, number or boolean is among the items."""
    return None if item is None else item in found


def _identities(found: Items) -> list[Any]:
    if None in found:
        raise Malformed
    return [frozen(v) for v in found]


def distinct(found: Items) -> Items:
    """Returns the items without repetitions."""
    kept: dict[Any, Any] = {}
    for identity, value in zip(_identities(found), found, strict=True):
        kept.setdefault(identity, value)
    return list(kept.values())


def distinct_choices(parents: Items, keys: Mapping[str, str]) -> Items:
    """Returns the choice elements of all parents without repetitions.

    Raises:
        Malformed: one has only extensions.
    """
    if any(k[0] == "_" and k[1:] in keys for p in parents for k in p):
        raise Malformed
    kept: dict[Any, Any] = {}
    for value, type_ in choice_pairs(parents, keys):
        kept.setdefault(key(Node(value, type_), measure_of), value)
    return list(kept.values())


def is_distinct(found: Items) -> bool:
    """Tells whether no item is there twice."""
    return len(set(_identities(found))) == len(found)


def intersection(found: Items, other: Items) -> Items:
    """Returns the items that are in both, without repetitions."""
    if len(other) > _FEW:
        wanted = set(_identities(other))
        return distinct([v for v in found if frozen(v) in wanted])
    kept = [v for v in found if v in other]
    return kept if len(kept) < 2 and None not in kept else distinct(kept)


def union(found: Items, other: Items) -> Items:
    """Returns the items of both, without repetitions."""
    return distinct([*found, *other])


# strings, numbers, dates


def on_text(function: Callable[..., Any], *texts: Any) -> Any:
    """Returns what a string function says; None when any text is empty.

    Raises:
        Malformed: a value that is no text.
    """
    for text in texts:
        if text is None:
            return None
        if type(text) is not str:
            raise Malformed
    result = function(*texts)
    return None if result is None else in_bounds(result)


def matches(text: Any, pattern: re.Pattern[str]) -> bool | None:
    """Returns whether a part of the text matches a compiled pattern."""
    return None if text is None else pattern.search(text) is not None


def part(function: Callable[..., str | None], text: Any, *numbers: Any) -> str | None:
    """Returns a substring; None when the text or a number is empty."""
    return None if text is None or None in numbers else function(text, *numbers)


def cut(text: Any, start: int, end: int) -> str | None:
    """Returns `text[start:end]` as substring() with constant numbers has it: None when `start` is outside."""
    return None if text is None or start >= len(text) else text[start:end]


def cut_at(text: Any, start: Any, length: int) -> str | None:
    """Returns `length` characters from a computed start: None when it is empty or outside."""
    return None if text is None or start is None or not 0 <= start < len(text) else text[start : start + length]


def weighted(text: Any, weights: tuple[int, ...], zeros: int) -> int:
    """Returns the sum of the first digits of a text, each times its weight; `zeros` is the sum of as many characters 0.

    Raises:
        TypeError: fewer digits than weights, or another character among them.
    """
    digits: bytes = text[: len(weights)].encode()
    if len(digits) != len(weights) or not digits.isdigit():
        raise TypeError
    total: int = sum(map(mul, digits, weights))
    return total - zeros


def whole(text: Any) -> int | None:
    """Returns the integer that a text spells, or None; one digit, as check sums want it, is looked up."""
    digit = DIGITS.get(text)
    return digit if digit is not None or text is None else to_integer(text)


def whole_or(quick: Callable[[], int], ordinary: Callable[[], int | None]) -> int | None:
    """Returns what the quick code says, or what the ordinary code does where a part of it is empty."""
    try:
        return quick()
    except TypeError:
        return ordinary()


def added(*texts: Any) -> Any:
    """Returns the texts as one; None when any is empty.

    Raises:
        EvaluationError: a longer text than FHIR has, before the first that is empty.
        TypeError: a value that is no text.
    """
    if None in texts:
        in_bounds("".join(texts[: texts.index(None)]))
        return None
    return in_bounds("".join(texts))


def joined(a: Any, b: Any) -> str:
    """Returns two texts as one; an empty one counts as the empty text."""
    return str(in_bounds((a or "") + (b or "")))


def decimal(value: Any) -> Any:
    """Returns the Decimal of a FHIR decimal, which JSON may write without a point; None stays None."""
    return Decimal(value) if type(value) is int else value


def plus(a: Any, b: Any) -> Any:
    """Returns the sum of two numbers; None when either is empty or 32 bits overflow."""
    if a is None or b is None:
        return None
    result = a + b
    return result if type(result) is not int or -(2**31) <= result < 2**31 else None


def minus(a: Any, b: Any) -> Any:
    """Returns the difference of two numbers; None when either is empty or 32 bits overflow."""
    if a is None or b is None:
        return None
    result = a - b
    return result if type(result) is not int or -(2**31) <= result < 2**31 else None


def times(a: Any, b: Any) -> Any:
    """Returns the product of two numbers; None when either is empty or 32 bits overflow."""
    if a is None or b is None:
        return None
    result = a * b
    return result if type(result) is not int or -(2**31) <= result < 2**31 else None


def arithmetic(compute: Callable[..., Value | None], a: Any, b: Any) -> Value | None:
    """Returns the result of an arithmetic operator; None when either side is empty."""
    if a is None or b is None:
        return None
    if type(a) is Temporal and type(b) is Quantity:
        return _moved(compute, a, b)
    return computed(compute, a, b, measure_of)


@lru_cache(1024)
def _moved(compute: Callable[..., Value | None], moment: Temporal, by: Quantity) -> Value | None:
    # "Today less 65 years" is the same for every resident of the day
    return computed(compute, moment, by, measure_of)


def converted(convert: Callable[[Any], Any], value: Any) -> Any:
    """Returns the conversion of a value; None stays None."""
    return None if value is None else convert(value)


def folded(found: Items, start: Any, step: Callable[[Any, Any], Any]) -> Any:
    """Returns the total after every item: `step(item, total)`."""
    total = start
    for item in found:
        total = step(item, total)
    return total


def narrative(text: Any) -> bool | None:
    """Returns whether a text is narrative as FHIR wants it."""
    return None if text is None else is_narrative(text)


def today(now: datetime | None) -> Temporal:
    """Returns the day of `now`, or of the clock."""
    at_ = now or clock_now()
    return Temporal(DATE, (at_.year, at_.month, at_.day))


def now_moment(now: datetime | None) -> Temporal:
    """Returns `now`, or what the clock says."""
    return of_datetime(now or clock_now())


def resolved(found: Items, root: JsonObject, resolve: Resolve | None, types: frozenset[str]) -> Items:
    """Returns the targets of references; one that is not found stands as a bare resource of the type in its text."""
    targets = []
    for value in found:
        text = reference_text(value)
        target = find_target(text, root, resolve, reference=value) if text else None
        if target is None and (type_ := target_type(value)) in types:
            target = {"resourceType": type_}
        if target is not None:
            targets.append(target)
    return targets


# results of a search expression


def joined_pairs(a: list[tuple[Any, str]], b: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """Returns the typed results of both sides of a union, without equal JSON."""
    if not a or not b:
        return a or b
    found: dict[Any, tuple[Any, str]] = {}
    for pair in (*a, *b):
        found.setdefault(frozen(pair[0]), pair)
    return list(found.values())


def resource_pairs(found: Iterable[JsonObject]) -> list[tuple[Any, str]]:
    """Returns resources, each with its own type."""
    return [(v, v["resourceType"]) for v in found]


def system_pairs(found: Items) -> list[tuple[Any, str]]:
    """Returns computed values, each with the FHIR type that it corresponds to."""
    nodes = [literal(v) for v in found if v is not None]
    return [(plain(n), fhir_type(n)) for n in nodes]
