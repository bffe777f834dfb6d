"""Source files -> form records: tables found, lines joined to their records, orphans told. See docs/decisions/0002-mapping-language.md."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any, NamedTuple

from fhir_server.errors import Issue, Severity
from fhir_server.mapping.binding import Binding, bind
from fhir_server.mapping.cells import CellReader, Gathered, Reading, lines_in_order, put_cell, read_cell
from fhir_server.mapping.codecs.text import folded, raw_text
from fhir_server.mapping.dialect import Dialect, Table
from fhir_server.mapping.findings import at_row, at_value, shown
from fhir_server.mapping.record import FormRecord, RowRef, plain
from fhir_server.mapping.sources.mojibake import may_be_garbled, meant_text
from fhir_server.mapping.sources.rows import SourceFile, SourceRow

_SHIFT_HINT = frozenset({"mapping.not-number", "mapping.not-integer", "mapping.not-date", "mapping.no-such-day",
                         "mapping.not-boolean", "mapping.code-unmapped", "mapping.code-refused"})  # fmt: skip
_SHIFT_COUNT = 3
LineKey = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One record with its findings, or rows that are no record: blank, broken, or a line without one (`record` None).

    `counted` are the record's rows that belong to no record before it: a household's row is joined to all its members.
    """

    ref: RowRef
    record: FormRecord | None = None
    counted: tuple[RowRef, ...] = ()
    issues: tuple[Issue, ...] = ()
    is_blank: bool = False


class _Bound(NamedTuple):
    """A header's binding, and what reads each of its columns."""

    binding: Binding
    reads: tuple[tuple[int, Callable[[Any], Reading]], ...]


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads the records of one form in one dialect.

    `unused` counts the values of columns that no table names, `dropped` those of columns that are not to be read.
    """

    dialect: Dialect
    zone: tzinfo
    unused: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    _bindings: dict[tuple[str, tuple[str, ...]], _Bound] = field(default_factory=dict)
    _cells: dict[tuple[str, str], CellReader] = field(default_factory=dict)
    _lines: dict[LineKey, list[Gathered]] = field(default_factory=dict)
    _joined: set[LineKey] = field(default_factory=set)

    def read(self, files: Sequence[tuple[SourceFile, Table]]) -> Iterator[ReadRecord]:
        """Yields every row's outcome: joined tables are held in memory, record tables are streamed, orphans come last."""
        for source, table in files:
            if table.is_part:
                yield from self._hold(source, table)
        for source, table in files:
            if not table.is_part:
                yield from self._stream(source, table)
        for key, lines in self._lines.items():
            if key not in self._joined:
                yield from (self._orphan(line, key) for line in lines)

    def _hold(self, source: SourceFile, table: Table) -> Iterator[ReadRecord]:
        for row in source.rows():
            if (refused := self._refused(row)) is not None:
                yield refused
                continue
            line, binding, cells = self._gather(row, table)
            parent = tuple(_key_text(cells, binding.index_of(name)) for name in table.parent)
            self._lines.setdefault((table.name, parent), []).append(line)

    def _stream(self, source: SourceFile, table: Table) -> Iterator[ReadRecord]:
        for row in source.rows():
            refused = self._refused(row)
            yield refused if refused is not None else self._record(row, table)

    def _record(self, row: SourceRow, table: Table) -> ReadRecord:
        found, binding, cells = self._gather(row, table)
        feeds = lines_in_order(found, binding.feeds)
        rows, counted = [found.ref], [found.ref]
        for part in self.dialect.tables if self._lines else ():
            joined, is_first = self._join(found, part)
            rows += joined
            counted += joined if is_first else ()
        for index, name, line_table in binding.lines:
            for line in self._nested(found, line_table, cells[index], name):
                _attach(found, line_table.group, line)
        _constants(found, table, self.zone)
        record = FormRecord(found.values, tuple(rows), found.origins, feeds, found.joined)
        return ReadRecord(found.ref, record, tuple(counted), tuple(_hinted(found)))

    def _join(self, found: Gathered, part: Table) -> tuple[list[RowRef], bool]:
        """Adds the held rows of a joined table to the record; returns them, and whether no record before had them."""
        key = (part.name, tuple(folded(str(found.values.get(name, ""))) for name in part.parent.values()))
        if not part.parent or not all(key[1]) or key not in self._lines:
            return [], False
        for line in self._lines[key]:
            _attach(found, part.group, line)
        is_first = key not in self._joined
        self._joined.add(key)
        return [line.ref for line in self._lines[key]], is_first

    def _nested(self, into: Gathered, table: Table, raw: Any, name: str) -> Iterator[Gathered]:
        ref = into.ref
        for item in raw if isinstance(raw, list) else [raw]:
            if isinstance(item, dict):
                row = SourceRow(ref.file, ref.row, ref.line, tuple(item), tuple(item.values()))
                yield self._gather(row, table, ref=ref)[0]
            elif item not in ("", None):
                into.issues.append(at_row("mapping.no-line", ref, column=name, value=shown(item), path=table.group))

    def _gather(
        self, row: SourceRow, table: Table, *, ref: RowRef | None = None
    ) -> tuple[Gathered, Binding, list[Any]]:
        bound = self._bindings.get((table.name, row.header))
        if bound is None:
            bound = self._bindings[table.name, row.header] = self._bound(bind(self.dialect, table, row.header))
        binding, reads = bound
        cells = list(row.cells)
        for index, name in binding.drops:
            if cells[index] not in ("", None):
                self.dropped[row.file, name] += 1
                cells[index] = ""
        found = Gathered(ref or row.ref(tuple(cells)))
        for index, read in reads:
            if cells[index] not in ("", None):
                put_cell(read(cells[index]), found)
        for index, name in binding.unused:
            if cells[index] not in ("", None):
                self.unused[row.file, name] += 1
        return found, binding, cells

    def _bound(self, binding: Binding) -> _Bound:
        """A header's columns with what reads them; a title means the same in every header that a table has."""
        name = binding.table.name
        for _, spelled, column in binding.reads:
            self._cells.setdefault((name, spelled), CellReader(column, spelled, self.zone))
        return _Bound(binding, tuple((index, self._cells[name, title].read) for index, title, _ in binding.reads))

    def _refused(self, row: SourceRow) -> ReadRecord | None:
        """A row that holds nothing, could not be taken apart, or lost characters before it came here."""
        if row.is_blank:
            return ReadRecord(RowRef(row.file, row.row, row.line, ""), is_blank=True)
        problem = row.problem
        ref = RowRef(row.file, row.row, row.line, "")
        if problem is None:
            problem = _garbled(row, ref)
        return None if problem is None else ReadRecord(ref, issues=(problem,))

    def _orphan(self, line: Gathered, key: LineKey) -> ReadRecord:
        parent = ", ".join(part or "-" for part in key[1])
        found = at_row("mapping.orphan-line", line.ref, parent=parent, value=parent)
        return ReadRecord(line.ref, issues=(found,))


def _garbled(row: SourceRow, ref: RowRef) -> Issue | None:
    """A value that lost characters, or was read in a wrong encoding, before it came here."""
    if not may_be_garbled("\n".join([c for c in row.cells if type(c) is str])):
        return None
    for name, cell in zip(row.header, row.cells, strict=False):
        if isinstance(cell, str) and not cell.isascii():
            if "\ufffd" in cell:
                return at_row("mapping.lost-character", ref, column=shown(name), value=shown(cell))
            if (meant := meant_text(cell)) is not None:
                return at_row("mapping.mojibake", ref, column=shown(name), value=shown(cell), meant=shown(meant))
    return None


def _key_text(cells: Sequence[Any], index: int | None) -> str:
    return "" if index is None else folded(raw_text(cells[index]))


def _constants(found: Gathered, table: Table, zone: tzinfo) -> None:
    for column, text in table.constants:
        if column.name in found.values:
            continue
        put_cell(read_cell(column, text, spelled=column.name, zone=zone), found)


def _attach(found: Gathered, group: str, line: Gathered) -> None:
    """Adds a joined row to its record, as a line of a group or field by field; its findings count against the record."""
    if not group:
        _merge(found, line)
    elif line.values:
        lines = found.values.setdefault(group, [])
        lines.append(line.values)
        for name, origin in line.origins.items():
            place = f"{group}[{len(lines)}].{name}"
            found.origins[place] = origin
            if line.ref is not found.ref:
                found.joined[place] = line.ref
        found.issues.extend(replace(i, path=f"{group}[{len(lines)}].{i.path}") for i in line.issues)
        return
    found.issues.extend(line.issues)


def _merge(found: Gathered, part: Gathered) -> None:
    """Adds the fields of a joined row; where both say something, the joined table, which is about that matter, wins."""
    for place, origin in part.origins.items():
        own = found.origins.get(place)
        if own is not None and plain(found.values[place]) != plain(part.values[place]):
            told = {"other": part.ref.file, "other_row": part.ref.row, "kept": shown(origin.raw)}
            row = found.joined.get(place, found.ref)
            found.issues.append(
                at_value("mapping.other-value", row, own, severity=Severity.WARNING, path=place, **told)
            )
        found.values[place], found.origins[place], found.joined[place] = part.values[place], origin, part.ref


def _hinted(found: Gathered) -> list[Issue]:
    """The row's findings, and a hint when so many values are of the wrong type that its columns look shifted."""
    wrong = sum(found_issue.key in _SHIFT_HINT for found_issue in found.issues)
    if wrong < _SHIFT_COUNT:
        return found.issues
    return [*found.issues, at_row("mapping.shifted-hint", found.ref, severity=Severity.INFORMATION, count=wrong)]
