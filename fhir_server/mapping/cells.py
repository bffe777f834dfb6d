"""Cells of one row -> values of the form's fields, each with its origin. See docs/decisions/0002-mapping-language.md."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

from fhir_server.errors import Issue, Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.codecs.dates import is_day_number, parse_date, parse_datetime
from fhir_server.mapping.codecs.numbers import parse_decimal, parse_integer, scaled
from fhir_server.mapping.codecs.text import BadText, folded, parse_boolean, raw_text
from fhir_server.mapping.codecs.units import find_unit
from fhir_server.mapping.dialect import Column, Target
from fhir_server.mapping.findings import at_value, shown
from fhir_server.mapping.form import Field
from fhir_server.mapping.record import Code, Origin, RowRef, plain

_WITH_UNIT = re.compile(r"(-?[0-9.]+) ?([^0-9., ].*)")
# One sign or another between answers, and none of them inside brackets: 其他(耳鸣、乏力) is one.
_SEPARATORS = {",": re.compile(r"[,，、;；|\n](?![^(（]*[)）])")}
_NEARLY_SEPARATORS = re.compile(r"[\s/]+")
_LOST_DIGITS = re.compile(r"[0-9](?:\.[0-9]+)?[Ee]\+[0-9]{1,2}")
_POINT_ZERO = re.compile(r"([0-9]{6,})\.0")
_DAYS = frozenset({"date", "datetime"})
EARLIEST_YEAR = "1850"
"""Nobody whose record is kept was born before; what is older is a typing error (0025) or an empty date of a database."""
_REMEMBERED = 1024  # texts of one column, with what they say


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one row has given so far; the line of a numbered group is kept by its number until `lines_in_order`.

    `joined` are the rows of the places that came from another row.
    """

    ref: RowRef
    values: JsonObject = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    joined: dict[str, RowRef] = field(default_factory=dict)


class _Told(NamedTuple):
    """A finding about a cell, whatever row it stands in."""

    key: str
    target: Target
    severity: Severity
    params: Mapping[str, Any]


class _Part(NamedTuple):
    """What a cell says of one field: its value (None: nothing), and the findings about it."""

    target: Target
    value: Any
    findings: Sequence[_Told]


class Reading(NamedTuple):
    """What a cell says, whatever else its row says.

    `field` is the record's own field that it fills with `value` and without findings; empty where there is more to it.
    """

    column: Column
    origin: Origin
    parts: tuple[_Part, ...]
    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads the cells of one column; `spelled` is its name as the file has it. The last thousand texts are looked up."""

    column: Column
    spelled: str
    zone: tzinfo
    _known: dict[str, Reading] = field(default_factory=dict, repr=False)

    def read(self, raw: Any) -> Reading:
        """Returns what a cell says, a text of CSV or any value of JSON."""
        if type(raw) is not str:
            return read_cell(self.column, raw, spelled=self.spelled, zone=self.zone)
        found = self._known.get(raw)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[raw] = read_cell(self.column, raw, spelled=self.spelled, zone=self.zone)
        return found


@dataclass(frozen=True, slots=True)
class _Cell:
    """A filled cell that is being read, and the findings about it so far."""

    column: Column
    zone: tzinfo
    findings: list[_Told] = field(default_factory=list)

    def tell(self, key: str, target: Target, severity: Severity = Severity.ERROR, **params: Any) -> None:
        """Adds a finding about the cell, at the target's place."""
        self.findings.append(_Told(key, target, severity, params))


def read_cell(column: Column, raw: Any, *, spelled: str, zone: tzinfo) -> Reading:
    """Returns what one cell says; what cannot be read gives a finding and no value. Null words and empty cells say nothing.

    `spelled` is the column's name as the file has it.
    """
    items = raw if isinstance(raw, list) else [raw]
    texts = [t for t in (raw_text(i) for i in items) if t and folded(t) not in column.nulls]
    parts = tuple(_parts(column, texts, zone)) if texts else ()
    origin = Origin(spelled, column.separator.join(texts))
    if len(parts) == 1:
        ((target, value, findings),) = parts
        if value is not None and not findings and not target.line:
            return Reading(column, origin, parts, target.field.name, value)
    return Reading(column, origin, parts, "", None)


def _parts(column: Column, texts: list[str], zone: tzinfo) -> Iterator[_Part]:
    """What goes to which field: all texts to each, or the pieces of a split or pattern in turn."""
    cell = _Cell(column, zone)
    if column.match is None and not column.split:
        yield from (_part(column, target, texts, zone) for target in column.targets)
        return
    pieces = _split(column, folded(texts[0]))
    if pieces is None and column.otherwise is not None:
        yield _part(column, column.otherwise, texts, zone)
    elif pieces is None or len(pieces) != len(column.targets):
        cell.tell("mapping.not-in-parts", column.targets[0], expected="、".join(t.field.label for t in column.targets))
        yield _Part(column.targets[0], None, cell.findings)
    else:
        told = [(t, p.strip()) for t, p in zip(column.targets, pieces, strict=True) if p]
        yield from (_part(column, t, [p], zone) for t, p in told if p and p not in column.nulls)


def _split(column: Column, word: str) -> Sequence[str | None] | None:
    """The pieces of a text; None when the column's pattern does not fit it."""
    if column.match is None:
        return word.split(column.split)
    matched = column.match.fullmatch(word)
    return matched.groups() if matched else None


def _part(column: Column, target: Target, texts: list[str], zone: tzinfo) -> _Part:
    cell, found = _Cell(column, zone), target.field
    if len(texts) > 1 and not found.repeats:
        cell.tell("mapping.single-value", target, count=len(texts))
        return _Part(target, None, cell.findings)
    parts = [p for t in texts for p in _answers(column, target, t)] if found.repeats else texts
    values = [v for v in (_value(cell, target, p) for p in parts) if v is not None]
    values = list(dict.fromkeys(values)) if target.codes else values
    made = None if not values else values if found.repeats else values[0]
    return _Part(target, made, cell.findings)


def put_cell(reading: Reading, into: Gathered) -> None:
    """Adds what a cell says to its row: its values where there are none yet, and its findings."""
    name = reading.field
    if name and name not in into.values:
        into.values[name] = reading.value
        into.origins[name] = reading.origin
        return
    for target, value, findings in reading.parts:
        for told in findings:
            _tell(reading, told, into)
        if value is not None:
            _put(reading, target, value, into)


def _tell(reading: Reading, told: _Told, into: Gathered) -> None:
    key, target, severity, params = told
    given = {"label": target.field.label, **params}
    into.issues.append(at_value(key, into.ref, reading.origin, severity=severity, path=target.place, **given))


def _put(reading: Reading, target: Target, made: Any, into: Gathered) -> None:
    name, place = target.field.name, target.place
    owner = into.values
    if target.line:
        owner = owner.setdefault(target.group, {}).setdefault(target.line, {})
    if name not in owner:
        owner[name] = made
        into.origins[place] = reading.origin
    elif target is reading.column.otherwise and made != owner[name]:
        owner[name] = f"{owner[name]}; {made}"
    elif plain(made) != plain(owner[name]) and not _is_elsewhere(reading, into):
        first = into.origins[place]
        params = {"kept": shown(first.raw), "first": first.column}
        _tell(reading, _Told("mapping.second-value", target, Severity.WARNING, params), into)


def _is_elsewhere(reading: Reading, into: Gathered) -> bool:
    """Whether another field of the same column has taken the value."""
    return any(into.origins.get(target.place) is reading.origin for target in reading.column.targets)


def _pieces(column: Column, text: str) -> list[str]:
    pattern = _SEPARATORS.get(column.separator)
    pieces = pattern.split(text) if pattern else text.split(column.separator)
    return [p for p in (piece.strip() for piece in pieces) if p and p not in column.nulls]


def _answers(column: Column, target: Target, text: str) -> list[str]:
    """The answers of a text; what stands between blanks or strokes is apart only when all of it is known."""
    codes = target.codes
    if codes is None:
        return _pieces(column, text)
    found: list[str] = []
    is_one = codes.knows(text) and not codes.has_words(text)
    for piece in [text] if is_one else _pieces(column, text):
        finer = [] if codes.knows(piece) else _NEARLY_SEPARATORS.split(piece)
        if finer and all(map(codes.knows, finer)):
            found += finer
        elif finer and found and codes.has_words(found[-1]):
            found[-1] += f"、{piece}"
        else:
            found.append(piece)
    return found


def _value(cell: _Cell, target: Target, text: str) -> Any:
    if target.codes is not None:
        return _coded(cell, target, target.codes.read(text))
    word, factor = _without_unit(text, target.field) if target.field.unit else (text, None)
    factor = cell.column.factor if factor is None else factor
    try:
        value = _READERS[target.field.type](word, target.field, cell.zone)
    except BadText as bad:
        cell.tell(bad.key, target, **bad.params)
        return None
    if factor not in (None, 1) and isinstance(value, int | Decimal):
        return scaled(Decimal(value), factor)
    if isinstance(value, str) and value in cell.column.nulls:
        return None
    if target.field.type == "string" and (amount := _POINT_ZERO.fullmatch(value)):
        cell.tell("mapping.point-zero", target, Severity.INFORMATION, meant=amount[1])
        return amount[1]
    return _day(cell, target, text, value) if target.field.type in _DAYS else value


def _day(cell: _Cell, target: Target, text: str, day: str) -> str | None:
    if day < EARLIEST_YEAR:
        cell.tell("mapping.year-impossible", target, earliest=EARLIEST_YEAR)
        return None
    if is_day_number(text):
        cell.tell("mapping.day-number", target, Severity.WARNING, meant=day)
    return day


def _without_unit(text: str, of: Field) -> tuple[str, Decimal | None]:
    """The number of a text with a unit behind it, and that unit's factor; the text as it is when there is none we know."""
    word = folded(text)
    match = None if word[-1:].isdigit() else _WITH_UNIT.fullmatch(word)
    unit = find_unit(match[2]) if match else ""
    if match is None or not (unit == of.unit or unit in of.units):
        return text, None
    return match[1], of.units.get(unit, Decimal(1))


def _coded(cell: _Cell, target: Target, code: Code) -> Code:
    if code.code is None:
        is_kept = target.field.unknown == "keep"
        key = "mapping.code-unmapped" if is_kept else "mapping.code-refused"
        known = shown(target.codes.expected()) if target.codes and not is_kept else ""
        cell.tell(key, target, Severity.WARNING if is_kept else Severity.ERROR, code=code.source, expected=known)
    return code


def _string(text: str, of: Field, zone: tzinfo) -> str:
    """Text stays as it is written, unless its half-width form is plain ASCII: then it is a number, code or name of one."""
    half = folded(text)
    if not of.check and _LOST_DIGITS.fullmatch(half):
        raise BadText("mapping.digits-lost")
    return half if half.isascii() else text


def _integer(text: str, of: Field, zone: tzinfo) -> int:
    return parse_integer(text, unit=of.unit)


def _decimal(text: str, of: Field, zone: tzinfo) -> Decimal:
    return parse_decimal(text, unit=of.unit)


def _date(text: str, of: Field, zone: tzinfo) -> str:
    return parse_date(text, zone)


def _datetime(text: str, of: Field, zone: tzinfo) -> str:
    return parse_datetime(text, zone)


def _boolean(text: str, of: Field, zone: tzinfo) -> bool:
    return parse_boolean(text)


_READERS: dict[str, Callable[[str, Field, tzinfo], Any]] = {
    "string": _string,
    "integer": _integer,
    "decimal": _decimal,
    "date": _date,
    "datetime": _datetime,
    "boolean": _boolean,
}


def lines_in_order(row: Gathered, feeds: Mapping[str, str]) -> Mapping[str, str]:
    """Turns numbered lines of groups into lists without gaps, origins along with them: lines 1 and 3 become 1 and 2.

    Returns which columns could fill a place, by the new numbers.
    """
    moved: dict[str, str] = {}
    for group, lines in row.values.items():
        if not isinstance(lines, dict):
            continue
        numbers = sorted(lines)
        row.values[group] = [lines[number] for number in numbers]
        for new, old in enumerate(numbers, 1):
            if new != old:
                for name in lines[old]:
                    row.origins[f"{group}[{new}].{name}"] = row.origins.pop(f"{group}[{old}].{name}")
                start = f"{group}[{old}]."
                moved |= {f"{group}[{new}].{p[len(start) :]}": c for p, c in feeds.items() if p.startswith(start)}
    return {**feeds, **moved} if moved else feeds
