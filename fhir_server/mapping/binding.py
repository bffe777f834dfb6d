"""Which table a file is, and which of its columns feed what. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.errors import issue
from fhir_server.mapping.dialect import Column, Dialect, Table, spelling_keys
from fhir_server.mapping.sources.rows import FileRefused


@dataclass(frozen=True, slots=True)
class Binding:
    """The columns of one header that a table reads, those it drops, those nobody names, and nested lines (JSON)."""

    table: Table
    reads: tuple[tuple[int, str, Column], ...]
    drops: tuple[int, ...]
    unused: tuple[tuple[int, str], ...]
    lines: tuple[tuple[int, Table], ...] = ()

    def index_of(self, column: str) -> int | None:
        """Returns where a column of the table stands in the header, or None."""
        return next((i for i, _, c in self.reads if c.name == column), None)


def bind(dialect: Dialect, table: Table, header: Sequence[str]) -> Binding:
    """Returns how the table reads a header; of two names for one column the first is read, the second is unused."""
    taken: dict[str, tuple[int, str, Column]] = {}
    unused: list[tuple[int, str]] = []
    nested: list[tuple[int, Table]] = []
    lines = {t.json: t for t in dialect.tables if t.group and not table.group}
    for index, name in enumerate(header):
        column = _column(dialect, table, name)
        if column is not None and column.name not in taken:
            taken[column.name] = (index, name, column)
        elif name in lines:
            nested.append((index, lines[name]))
        else:
            unused.append((index, name or f"#{index + 1}"))
    reads = tuple(t for t in taken.values() if not t[2].is_dropped)
    drops = tuple(t[0] for t in taken.values() if t[2].is_dropped)
    return Binding(table, reads, drops, tuple(unused), tuple(nested))


def _column(dialect: Dialect, table: Table, name: str) -> Column | None:
    for key in spelling_keys(name, is_folded=dialect.is_folded):
        if key in table.spellings:
            return table.columns[table.spellings[key]]
    return None


def find_table(dialect: Dialect, header: Sequence[str], *, file: str) -> Table:
    """Returns the table whose needed columns the header has; of several the one that needs and then reads the most.

    Raises:
        FileRefused: it is none of the dialect's tables for this form; what the nearest one misses is named.
    """
    missing = {table.name: _missing(dialect, table, header) for table in dialect.tables}
    fitting = [table for table in dialect.tables if not missing[table.name]]
    if not fitting:
        nearest = min(dialect.tables, key=lambda t: len(missing[t.name]) / max(len(t.needs), 1))
        wanted = ", ".join(missing[nearest.name])
        raise FileRefused(issue("mapping.no-table", file=file, table=nearest.name, missing=wanted))
    return max(fitting, key=lambda t: (len(t.needs), len(bind(dialect, t, header).reads)))


def _missing(dialect: Dialect, table: Table, header: Sequence[str]) -> list[str]:
    have = {column.name for name in header if (column := _column(dialect, table, name)) is not None}
    have |= {""} if table.group else set()
    return [name for name in table.needs if name not in have]
