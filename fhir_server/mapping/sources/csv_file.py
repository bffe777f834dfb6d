"""CSV files (comma or tab) -> rows. https://www.rfc-editor.org/rfc/rfc4180."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fhir_server.errors import Issue, Severity, issue
from fhir_server.mapping.codecs.text import raw_text
from fhir_server.mapping.findings import at_row, shown
from fhir_server.mapping.record import RowRef
from fhir_server.mapping.sources.encodings import Encoding
from fhir_server.mapping.sources.rows import SourceFile, SourceRow

_MAX_CELL_CHARACTERS = 1_000_000
_MAX_TITLE_ROWS = 5


@dataclass(frozen=True, slots=True)
class _Header:
    """The column titles, the number of their row (from 1), and how the file separates."""

    names: tuple[str, ...]
    row: int
    separator: str


def open_csv(path: Path, encoding: Encoding) -> SourceFile:
    """Returns the file with its header; rows are read as they are asked for.

    The separator is a tab when the header has more tabs than commas. A header that repeats a name counts the repeats:
    `用法, 用法` is `用法, 用法2`. Blank rows and up to five rows of one cell (titles of a form) may stand above it.
    """
    with path.open(encoding=encoding.codec, newline="") as file:
        start = "".join(islice((line for line in file if line.strip()), _MAX_TITLE_ROWS + 1))
    separator = "\t" if start.count("\t") > start.count(",") else ","
    header, titles = _find_header(path, encoding, separator)
    notes = (*_titles(path.name, titles), *_unfinished(path))
    return SourceFile(path.name, encoding.name, header.names, lambda: _rows(path, encoding, header), notes)


def _find_header(path: Path, encoding: Encoding, separator: str) -> tuple[_Header, list[SourceRow]]:
    """The first row of at least two titles, and the rows of one cell above it; without such a row the first that is not blank."""
    titles: list[SourceRow] = []
    for row in _rows(path, encoding, _Header((), 0, separator)):
        filled = sum(bool(cell.strip()) for cell in row.cells)
        if filled > 1:
            return _Header(_distinct(row.cells), row.row, separator), titles
        titles += [row] if filled else []
        if len(titles) > _MAX_TITLE_ROWS:
            break
    first = titles[0] if titles else SourceRow(path.name, 1, 1, (), ())
    return _Header(_distinct(first.cells), first.row, separator), []


def _titles(file: str, rows: Sequence[SourceRow]) -> Iterator[Issue]:
    for row in rows:
        text = next(cell for cell in row.cells if cell.strip())
        ref = RowRef(file, row.row, row.line, "")
        yield at_row("mapping.title-row", ref, severity=Severity.INFORMATION, value=shown(text))


def _unfinished(path: Path) -> Iterator[Issue]:
    """A last line without its end may be whole, and may have lost the end of its last cell with it."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1, 0))
        if file.read(1) not in (b"\n", b"\r"):
            yield issue("mapping.no-line-end", severity=Severity.INFORMATION, file=path.name)


def _rows(path: Path, encoding: Encoding, header: _Header) -> Iterator[SourceRow]:
    """Rows below the header; with a header in row 0 all of them, with their cells as they are."""
    csv.field_size_limit(_MAX_CELL_CHARACTERS)
    with path.open(encoding=encoding.codec, newline="") as file:
        reader = csv.reader(file, delimiter=header.separator, strict=True)
        number = 0
        while True:
            number, end = number + 1, reader.line_num
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield _broken(RowRef(path.name, number, end + 1, ""), reader.line_num, str(error))
                continue
            if cells is None:
                return
            if number > header.row:
                yield _row(RowRef(path.name, number, end + 1, ""), cells, header.names)


def _row(ref: RowRef, cells: list[str], header: tuple[str, ...]) -> SourceRow:
    if not header:
        return SourceRow(ref.file, ref.row, ref.line, (), tuple(cells))
    if len(cells) > len(header) and not any(cell.strip() for cell in cells[len(header) :]):
        del cells[len(header) :]
    if not any(cell.strip() for cell in cells):
        return SourceRow(ref.file, ref.row, ref.line, (), ())
    problem = None if len(cells) == len(header) else _shifted(ref, len(cells), len(header))
    if problem is None and _is_header(cells, header):
        problem = at_row("mapping.header-again", ref)
    return SourceRow(ref.file, ref.row, ref.line, header, tuple(cells), problem)


def _is_header(cells: list[str], header: tuple[str, ...]) -> bool:
    """Whether a row repeats the header, as printed pages and joined files do; the first cell of nearly every row says no."""
    return raw_text(cells[0]) == header[0] and _distinct(tuple(cells)) == header


def _shifted(ref: RowRef, found: int, expected: int) -> Issue:
    return at_row("mapping.shifted-columns", ref, found=found, expected=expected)


def _broken(ref: RowRef, last_line: int, reason: str) -> SourceRow:
    problem = at_row("mapping.csv-broken", ref, last_line=last_line, reason=reason)
    return SourceRow(ref.file, ref.row, ref.line, (), (), problem)


def _distinct(names: tuple[Any, ...]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    found = []
    for raw in names:
        name = raw_text(raw)
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 or not name else f"{name}{seen[name]}")
    return tuple(found)
