"""Form records -> source files of a dialect, with a manifest in load order. See docs/decisions/0002-mapping-language.md."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping import Mappings
from fhir_server.mapping.dialect import Dialect, Table
from fhir_server.mapping.writing import to_source
from fhir_server.synthetic.draws import stream
from fhir_server.synthetic.faults import Fault, Planted, plant
from fhir_server.synthetic.population import Population
from fhir_server.synthetic.recording import recorded

MANIFEST = "manifest.json"
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
FORMATS = ("csv", "json")
# Files of paper forms are called as the form is printed.
_FILE_NAMES = {"居民": "个人基本信息表", "高血压随访": "高血压患者随访服务记录表", "转诊": "双向转诊"}
_JSON_SHIFT_RULE = "mapping.json-row"
_LOST_CELL = 2


@dataclass(frozen=True, slots=True)
class Output:
    """Where and how files are written: one of `ENCODINGS`, one of `FORMATS`, and how many broken rows are planted."""

    folder: Path
    dialect: str
    format: str = "csv"
    encoding: str = "utf-8"
    bad_rows: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    cells: JsonObject
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class _TableRows:
    """The rows of one table of a form."""

    table: Table
    rows: list[_Row] = field(default_factory=list)

    def columns(self) -> list[str]:
        """Columns that the table needs, or that hold something and say nothing that an earlier one says already."""
        filled = {name for row in self.rows for name, text in row.cells.items() if text}
        found: list[str] = []
        told: set[str] = set()
        for name, column in self.table.columns.items():
            places = {target.place for target in column.targets}
            is_new = bool(places - told) or name in self.table.parent
            if name in self.table.needs or (name in filled and is_new):
                found.append(name)
                told |= places
        return found


def write_population(population: Population, output: Output, mappings: Mappings) -> JsonObject:
    """Writes one file a table, in load order, and `manifest.json`; returns the manifest.

    The manifest has `dialect`, `seed`, `residents`, `asOf`, `files` (form, paths, encoding, rows), `planted` (file, row as
    a spreadsheet counts or the position in a JSON array, kind, rule, stage) and `spoilt` (residents whose citizen numbers
    are recorded badly). The same population and output give the same bytes.

    Raises:
        NotFound: the dialect does not write one of the forms.
        OSError: the folder cannot be written.
    """
    output.folder.mkdir(parents=True, exist_ok=True)
    planted = plant(stream(population.seed, "faults"), population, count=output.bad_rows) if output.bad_rows else []
    manifest: JsonObject = {
        "dialect": output.dialect,
        "seed": population.seed,
        "residents": population.residents,
        "asOf": population.as_of.isoformat(),
        "files": [],
        "planted": [],
        "spoilt": [{"residentNo": s.number, "kind": s.kind, "rule": s.finding} for s in population.spoilt],
    }
    for form, records in population.records.items():
        dialect = _one_table_for_all(mappings.mapper(form, output.dialect).dialect)
        entries = list(_entries(records, [p for p in planted if p.fault.form == form]))
        written = [_write(rows, output) for rows in _tables(dialect, entries, output) if rows.rows]
        if written:
            paths, numbers = [path for path, _, _ in written], [count for _, count, _ in written]
            manifest["files"].append({"form": form, "paths": paths, "encoding": output.encoding, "rows": numbers})
        manifest["planted"] += [found for _, _, faults in written for found in faults]
    text = json.dumps(manifest, ensure_ascii=False, indent=2)
    (output.folder / MANIFEST).write_bytes(f"{text}\n".encode())
    return manifest


def _one_table_for_all(dialect: Dialect) -> Dialect:
    """The dialect with a single record table, where one of several takes every record (it has no constants)."""
    records = [t for t in dialect.tables if not t.group]
    general = [t for t in records if not t.constants]
    if len(records) == 1 or not general:
        return dialect
    return replace(dialect, tables=(general[-1], *(t for t in dialect.tables if t.group)))


def _entries(records: Sequence[JsonObject], planted: Sequence[Planted]) -> Iterator[tuple[JsonObject, Fault | None]]:
    for position in range(len(records) + 1):
        yield from ((p.values, p.fault) for p in planted if p.position == position)
        if position < len(records):
            yield records[position], None


def _tables(dialect: Dialect, entries: Sequence[tuple[JsonObject, Fault | None]], output: Output) -> list[_TableRows]:
    """The rows of every table; in JSON the lines of a record stand inside it."""
    found = {table.name: _TableRows(table) for table in dialect.tables}
    for values, fault in entries:
        record = recorded(dialect, values)
        if record is None:
            continue
        rows = to_source(dialect, record)
        if output.format == "json":
            rows = _nested(found, rows)
        for name, cells in rows.items():
            found[name].rows.extend(_Row(row, fault) for row in cells)
    return list(found.values())


def _nested(tables: dict[str, _TableRows], rows: dict[str, list[dict[str, str]]]) -> dict[str, list[JsonObject]]:
    name = next(name for name in rows if not tables[name].table.group)
    return {name: []}


def _write(rows: _TableRows, output: Output) -> tuple[str, int, list[JsonObject]]:
    path = f"{_FILE_NAMES.get(rows.table.name, rows.table.name)}.{output.format}"
    return path, 0, []
