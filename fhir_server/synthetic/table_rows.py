"""Form records -> the rows of each table of a dialect, and the columns that are worth writing. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.dialect import Dialect, Table
from fhir_server.mapping.writing import Row, to_source
from fhir_server.synthetic.faults import Fault
from fhir_server.synthetic.recording import recorded

Entry = tuple[JsonObject, Fault | None]
"""A record, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """One row; `lines` are the rows of its line tables, by table name."""

    cells: Row
    fault: Fault | None = None
    lines: dict[str, list[Row]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of one table of a form."""

    table: Table
    rows: list[WrittenRow] = field(default_factory=list)

    def columns(self) -> list[str]:
        """Returns the columns that the table needs or that hold something in any row, in the table's order."""
        filled = {name for row in self.rows for name, text in row.cells.items() if text}
        wanted = filled | set(self.table.needs) | set(self.table.parent)
        return [name for name in self.table.columns if name in wanted]


def rows_by_table(dialect: Dialect, entries: Iterable[Entry]) -> dict[str, TableRows]:
    """Returns the rows of each of the dialect's tables, records in their order; tables may come out empty."""
    dialect = _with_one_record_table(dialect)
    found = {table.name: TableRows(table) for table in dialect.tables}
    for values, fault in entries:
        record = recorded(dialect, values)
        if record is None:
            continue
        rows = to_source(dialect, record)
        lines = {name: of for name, of in rows.items() if found[name].table.group}
        for name, of in rows.items():
            is_line = bool(found[name].table.group)
            found[name].rows.extend(WrittenRow(row, None if is_line else fault, {} if is_line else lines) for row in of)
    return found


def _with_one_record_table(dialect: Dialect) -> Dialect:
    """Of several record tables the one that takes every record (it has no constants), when there is one."""
    records = [t for t in dialect.tables if not t.group]
    general = [t for t in records if not t.constants]
    if len(records) == 1 or not general:
        return dialect
    return replace(dialect, tables=(general[-1], *(t for t in dialect.tables if t.group)))
