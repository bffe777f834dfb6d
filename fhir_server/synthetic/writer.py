"""A population as source files of a dialect, with a manifest in load order. https://www.rfc-editor.org/rfc/rfc4180, rfc8259."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping import Mappings
from fhir_server.synthetic.draws import stream
from fhir_server.synthetic.faults import Planted, plant
from fhir_server.synthetic.population import Population
from fhir_server.synthetic.table_rows import Entry, TableRows, rows_by_table

MANIFEST = "manifest.json"
SOURCE = "synthetic"
"""Name of the source system: what is loaded carries `meta.source` `{B}/source/synthetic`, so that nobody takes it for real."""

ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
# Files of paper forms are called as the form is printed.
_FILE_NAMES = {"居民": "个人基本信息表", "高血压随访": "高血压患者随访服务记录表", "转诊": "双向转诊"}
_LOST_CELL = 2


@dataclass(frozen=True, slots=True)
class Output:
    """Where and how files are written: `encoding` is one of `ENCODINGS`, `format` one of `FORMATS`."""

    folder: Path
    dialect: str
    format: str = "csv"
    encoding: str = "utf-8"
    bad_rows: int = 0


def write_population(population: Population, output: Output, *, mappings: Mappings) -> JsonObject:
    """Writes one file a table and `manifest.json`; returns the manifest. The same arguments give the same bytes.

    The manifest has `dialect`, `source`, `seed`, `residents`, `asOf`, `files` in load order (form, paths, encoding, rows), `planted`
    (file, row as findings count it, kind, rule, stage) and `spoilt` (residents whose citizen number is recorded badly).

    Raises:
        NotFound: the dialect does not write one of the forms.
        OSError: the folder cannot be written.
    """
    output.folder.mkdir(parents=True, exist_ok=True)
    planted = plant(stream(population.seed, "faults"), population, count=output.bad_rows)
    manifest: JsonObject = {
        "dialect": output.dialect,
        "source": SOURCE,
        "seed": population.seed,
        "residents": population.residents,
        "asOf": population.as_of.isoformat(),
        "files": [],
        "planted": [],
        "spoilt": [{"residentNo": s.number, "kind": s.kind, "rule": s.finding} for s in population.spoilt],
    }
    for form, records in population.records.items():
        dialect = mappings.mapper(form, output.dialect).dialect
        entries = _entries(records, [p for p in planted if p.fault.form == form])
        tables = [t for t in rows_by_table(dialect, entries).values() if t.rows]
        _write_form(form, tables, output, manifest)
    _write_file(output.folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return manifest


def _entries(records: Sequence[JsonObject], planted: Sequence[Planted]) -> Iterator[Entry]:
    """The records with the broken ones among them."""
    at: dict[int, list[Entry]] = {}
    for broken in planted:
        at.setdefault(broken.position, []).append((broken.values, broken.fault))
    for position, record in enumerate(records):
        yield from at.get(position, ())
        yield record, None
    yield from at.get(len(records), ())


def _write_form(form: str, tables: Sequence[TableRows], output: Output, manifest: JsonObject) -> None:
    """Writes the files of one form, and tells them and what is wrong in them in the manifest."""
    if not tables:
        return
    how = FORMATS[output.format]
    by_name = {t.table.name: t for t in tables}
    written = [t for t in tables if how.has_line_files or not t.table.group]
    paths = [f"{_FILE_NAMES.get(t.table.name, t.table.name)}.{output.format}" for t in written]
    for path, rows in zip(paths, written, strict=True):
        _write_file(output.folder / path, how.text_of(rows, by_name), output.encoding)
        manifest["planted"] += _faults(rows, path, how)
    numbers = [len(t.rows) for t in written]
    manifest["files"].append({"form": form, "paths": paths, "encoding": output.encoding, "rows": numbers})


def _write_file(path: Path, text: str, encoding: str) -> None:
    path.write_bytes(text.encode(encoding))


@dataclass(frozen=True, slots=True)
class _Format:
    """One way to write rows: `first_row` is the number that findings give the first of them."""

    text_of: Callable[[TableRows, Mapping[str, TableRows]], str]
    first_row: int
    shift_rule: str
    has_line_files: bool


def _faults(rows: TableRows, path: str, how: _Format) -> Iterator[JsonObject]:
    for number, row in enumerate(rows.rows, how.first_row):
        if row.fault is not None:
            rule = how.shift_rule if row.fault.is_shifted else row.fault.rule
            yield {"file": path, "row": number, "kind": row.fault.kind, "rule": rule, "stage": row.fault.stage}


def _csv_text(rows: TableRows, by_name: Mapping[str, TableRows]) -> str:
    """Header and rows; a shifted row has lost a cell, as when a comma was deleted."""
    columns = rows.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows.rows:
        cells = [row.cells.get(name, "") for name in columns]
        if row.fault is not None and row.fault.is_shifted:
            del cells[_LOST_CELL]
        writer.writerow(cells)
    return text.getvalue()


def _json_text(rows: TableRows, by_name: Mapping[str, TableRows]) -> str:
    """An array with one object a line, lines of groups inside; a shifted row is an array without its names."""
    columns = rows.columns()
    lines = {name: of.columns() for name, of in by_name.items() if of.table.group}
    found = []
    for row in rows.rows:
        cells: dict[str, Any] = {name: row.cells.get(name, "") for name in columns}
        for name, wanted in lines.items():
            cells[by_name[name].table.json] = [{n: line.get(n, "") for n in wanted} for line in row.lines.get(name, ())]
        is_shifted = row.fault is not None and row.fault.is_shifted
        found.append(json.dumps(list(cells.values()) if is_shifted else cells, ensure_ascii=False))
    return "[\n" + ",\n".join(found) + "\n]\n"


FORMATS: Mapping[str, _Format] = {
    "csv": _Format(_csv_text, 2, "mapping.shifted-columns", has_line_files=True),
    "json": _Format(_json_text, 1, "mapping.json-row", has_line_files=False),
}
