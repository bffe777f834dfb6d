"""CSV files (comma or tab) -> rows. https://www.rfc-editor.org/rfc/rfc4180."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fhir_server.errors import Issue
from fhir_server.mapping.findings import at_row
from fhir_server.mapping.record import RowRef
from fhir_server.mapping.sources.encodings import Encoding
from fhir_server.mapping.sources.rows import SourceFile, SourceRow

_MAX_CELL_CHARACTERS = 1_000_000


def open_csv(path: Path, encoding: Encoding) -> SourceFile:
    """Returns the file with its header; rows are read as they are asked for.

    The separator is a tab when the header line has more tabs than commas. A header that repeats a name counts the
    repeats: `用法, 用法` is `用法, 用法2`.
    """
    with path.open(encoding=encoding.codec, newline="") as file:
        first = file.readline()
    separator = "\t" if first.count("\t") > first.count(",") else ","
    rows = _rows(path, encoding, separator, None)
    header = next((_distinct(r.cells) for r in rows if r.problem is None), ())
    return SourceFile(path.name, encoding.name, header, lambda: _rows(path, encoding, separator, header))


def _rows(path: Path, encoding: Encoding, separator: str, header: tuple[str, ...] | None) -> Iterator[SourceRow]:
    """Rows of the file; without a header the first one is it, and is yielded."""
    csv.field_size_limit(_MAX_CELL_CHARACTERS)
    with path.open(encoding=encoding.codec, newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        number, line = 0, 1
        while True:
            number, end = number + 1, reader.line_num
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield _broken(RowRef(path.name, number, end + 1, ""), reader.line_num, str(error))
                continue
            if cells is None:
                return
            line = end + 1
            if header is None or number > 1:
                yield _row(RowRef(path.name, number, line, ""), cells, header)


def _row(ref: RowRef, cells: list[str], header: tuple[str, ...] | None) -> SourceRow:
    if header is None:
        return SourceRow(ref.file, ref.row, ref.line, (), tuple(cells))
    if len(cells) > len(header) and not any(cell.strip() for cell in cells[len(header) :]):
        del cells[len(header) :]
    if not any(cell.strip() for cell in cells):
        return SourceRow(ref.file, ref.row, ref.line, (), ())
    problem = None if len(cells) == len(header) else _shifted(ref, len(cells), len(header))
    return SourceRow(ref.file, ref.row, ref.line, header, tuple(cells), problem)


def _shifted(ref: RowRef, found: int, expected: int) -> Issue:
    return at_row("mapping.shifted-columns", ref, found=found, expected=expected)


def _broken(ref: RowRef, last_line: int, reason: str) -> SourceRow:
    problem = at_row("mapping.csv-broken", ref, last_line=last_line, reason=reason)
    return SourceRow(ref.file, ref.row, ref.line, (), (), problem)


def _distinct(names: tuple[Any, ...]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    found = []
    for raw in names:
        name = str(raw).strip()
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 or not name else f"{name}{seen[name]}")
    return tuple(found)
