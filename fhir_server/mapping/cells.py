"""Cells of one row -> values of the form's fields, each with its origin. See docs/decisions/0002-mapping-language.md."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from fhir_server.errors import Issue, Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.codecs.dates import parse_date, parse_datetime
from fhir_server.mapping.codecs.numbers import parse_decimal, parse_integer, scaled
from fhir_server.mapping.codecs.text import BadText, folded, parse_boolean, raw_text
from fhir_server.mapping.codecs.units import find_unit
from fhir_server.mapping.dialect import Column, Target
from fhir_server.mapping.findings import at_value, shown
from fhir_server.mapping.form import Field
from fhir_server.mapping.record import Code, Origin, RowRef, plain

_WITH_UNIT = re.compile(r"(-?[0-9.]+) ?([^0-9., ].*)")
_SEPARATORS = {",": re.compile(r"[,，、]")}
Parse = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one row has given so far; the line of a numbered group is kept by its number until `lines_in_order`."""

    ref: RowRef
    values: JsonObject = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A filled cell on its way into the row."""

    column: Column
    origin: Origin
    into: Gathered
    zone: tzinfo

    def tell(self, key: str, target: Target, severity: Severity = Severity.ERROR, **params: Any) -> None:
        """Adds a finding about the cell, at the target's place."""
        given = {"label": target.field.label} | params
        self.into.issues.append(at_value(key, self.origin, severity=severity, path=target.place, **given))


def read_cell(column: Column, raw: Any, into: Gathered, *, spelled: str, zone: tzinfo) -> None:
    """Reads one cell into the row's values; what cannot be read becomes a finding, and the field stays empty.

    `spelled` is the column's name as the file has it. Null words and empty cells give nothing.
    """
    items = raw if isinstance(raw, list) else [raw]
    texts = [t for t in (raw_text(i) for i in items) if t and folded(t) not in column.nulls]
    if not texts:
        return
    cell = _Cell(column, Origin(into.ref, spelled, column.separator.join(texts)), into, zone)
    for target, part in _parts(cell, texts):
        _put(cell, target, part)


def _parts(cell: _Cell, texts: list[str]) -> Sequence[tuple[Target, list[str]]]:
    """Which texts go to which field: all to each, or the pieces of a split or pattern in turn."""
    column = cell.column
    if column.match is None and not column.split:
        return [(target, texts) for target in column.targets]
    pieces = _split(column, folded(texts[0]))
    if pieces is None and column.otherwise is not None:
        return [(column.otherwise, texts)]
    if pieces is None or len(pieces) != len(column.targets):
        cell.tell("mapping.not-in-parts", column.targets[0], expected="、".join(t.field.label for t in column.targets))
        return []
    told = [(t, p.strip()) for t, p in zip(column.targets, pieces, strict=True) if p]
    return [(t, [p]) for t, p in told if p and p not in column.nulls]


def _split(column: Column, word: str) -> Sequence[str | None] | None:
    """The pieces of a text; None when the column's pattern does not fit it."""
    if column.match is None:
        return word.split(column.split)
    matched = column.match.fullmatch(word)
    return matched.groups() if matched else None


def _put(cell: _Cell, target: Target, texts: list[str]) -> None:
    found = target.field
    if len(texts) > 1 and not found.repeats:
        cell.tell("mapping.single-value", target, count=len(texts))
        return
    parts = [p for t in texts for p in _pieces(cell.column, t)] if found.repeats else texts
    values = [v for v in (_value(cell, target, p) for p in parts) if v is not None]
    values = list(dict.fromkeys(values)) if target.codes else values
    if not values:
        return
    owner = cell.into.values
    if target.line:
        owner = owner.setdefault(target.group, {}).setdefault(target.line, {})
    made = values if found.repeats else values[0]
    if found.name not in owner:
        owner[found.name] = made
        cell.into.origins[target.place] = cell.origin
    elif target is cell.column.otherwise and made != owner[found.name]:
        owner[found.name] = f"{owner[found.name]}; {made}"
    elif plain(made) != plain(owner[found.name]) and not _is_elsewhere(cell):
        first = cell.into.origins[target.place]
        cell.tell("mapping.second-value", target, Severity.WARNING, kept=shown(first.raw), first=first.column)


def _is_elsewhere(cell: _Cell) -> bool:
    """Whether another field of the same column has taken the value."""
    return any(cell.into.origins.get(target.place) is cell.origin for target in cell.column.targets)


def _pieces(column: Column, text: str) -> list[str]:
    pattern = _SEPARATORS.get(column.separator)
    pieces = pattern.split(text) if pattern else text.split(column.separator)
    return [p for p in (piece.strip() for piece in pieces) if p and p not in column.nulls]


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
    return None if isinstance(value, str) and value in cell.column.nulls else value


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
        cell.tell(key, target, Severity.WARNING if is_kept else Severity.ERROR, code=code.source)
    return code


def _string(text: str, of: Field, zone: tzinfo) -> str:
    """Text stays as it is written, unless its half-width form is plain ASCII: then it is a number, code or name of one."""
    if text.isascii():
        return text
    half = folded(text)
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
