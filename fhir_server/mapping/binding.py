"""Which table a file is, and which of its columns feed what. See docs/decisions/0002-mapping-language.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fhir_server.errors import issue
from fhir_server.mapping.codecs.units import unit_of_title
from fhir_server.mapping.dialect import Column, Dialect, Table, spelling_keys
from fhir_server.mapping.record import without_number
from fhir_server.mapping.sources.rows import FileRefused

_SHOWN_COLUMNS = 3
_OTHER_SEPARATOR = re.compile("[;|，；、]")


@dataclass(frozen=True, slots=True)
class Binding:
    """The columns of one header that a table reads, those it drops, those nobody names, and nested lines (JSON).

    `feeds` maps a place of the record to the columns that could fill it: those of the header, else the dialect's own.
    """

    table: Table
    reads: tuple[tuple[int, str, Column], ...]
    drops: tuple[tuple[int, str], ...]
    unused: tuple[tuple[int, str], ...]
    lines: tuple[tuple[int, str, Table], ...]
    feeds: Mapping[str, str]

    def index_of(self, column: str) -> int | None:
        """Returns where a column of the table stands in the header, or None."""
        return next((i for i, _, c in self.reads if c.name == column), None)


def bind(dialect: Dialect, table: Table, header: Sequence[str]) -> Binding:
    """Returns how the table reads a header; of two names for one column the first is read, the second is unused."""
    taken: dict[str, tuple[int, str, Column]] = {}
    drops: list[tuple[int, str]] = []
    unused: list[tuple[int, str]] = []
    nested: list[tuple[int, str, Table]] = []
    lines = {
        name: t for t in reversed(dialect.tables) if t.group and not table.group for name in (t.group, t.name, t.json)
    }
    for index, name in enumerate(header):
        column = _column(dialect, table, name)
        if dialect.is_secret(name) or (column is not None and column.is_dropped):
            drops.append((index, name))
        elif column is not None and column.name not in taken:
            taken[column.name] = (index, name, column)
        elif name in lines:
            nested.append((index, name, lines[name]))
        else:
            unused.append((index, name or f"#{index + 1}"))
    feeds = _feeds(dialect, table, {name: title for name, (_, title, _) in taken.items()})
    return Binding(table, tuple(taken.values()), tuple(drops), tuple(unused), tuple(nested), feeds)


def _column(dialect: Dialect, table: Table, name: str) -> Column | None:
    """The column that a title of the file names, reading its unit; None when its unit is one that we cannot convert."""
    for key in spelling_keys(name, is_folded=dialect.is_folded):
        if key in table.spellings:
            column = table.columns[table.spellings[key]]
            return column if key == name or not dialect.is_folded else _in_unit(column, name)
    return None


def _in_unit(column: Column, title: str) -> Column | None:
    of = column.targets[0].field if len(column.targets) == 1 else None
    unit = unit_of_title(title) if of is not None and of.unit and column.factor is None else ""
    if of is None or not unit or unit == of.unit:
        return column
    return replace(column, factor=of.units[unit]) if unit in of.units else None


def _feeds(dialect: Dialect, table: Table, titles: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, list[tuple[bool, str]]] = {}
    for place, column, is_own in _filling(dialect, table):
        is_there = is_own and column in titles
        found.setdefault(place, []).append((is_there, titles[column] if is_there else column))
    return {place: _shown(names) for place, names in found.items()}


def _filling(dialect: Dialect, table: Table) -> Iterator[tuple[str, str, bool]]:
    """(place, column's name, whether it is the table's own) for the table and those that are joined to it."""
    for other in (table, *_joined(dialect, table)):
        for column in other.columns.values():
            for target in (*column.targets, *((column.otherwise,) if column.otherwise else ())):
                place = f"{other.group}.{target.place}" if other.group and other is not table else target.place
                for one in dict.fromkeys((place, without_number(place))):
                    yield one, column.name, other is table


def _joined(dialect: Dialect, table: Table) -> list[Table]:
    """The tables whose rows a record of this table may get: what they are joined by must be there, if need be by another."""
    have = {
        target.place for column in table.columns.values() for target in (*column.targets, column.otherwise) if target
    }
    found: list[Table] = []
    for part in (t for t in dialect.tables if t.parent and t is not table):
        if have.issuperset(part.parent.values()):
            found.append(part)
            have |= {target.place for column in part.columns.values() for target in column.targets}
    return found


def _shown(names: Sequence[tuple[bool, str]]) -> str:
    best = [name for is_there, name in names if is_there] or [name for _, name in names]
    return " / ".join(dict.fromkeys(best[:_SHOWN_COLUMNS]))


def find_table(dialect: Dialect, header: Sequence[str], *, file: str) -> Table:
    """Returns the table whose needed columns the header has; a record's own table first, then the one that reads the most.

    Raises:
        FileRefused: it is none of the dialect's tables for this form; what the nearest one misses is named.
    """
    if len(header) == 1 and (mark := _OTHER_SEPARATOR.search(header[0])):
        raise FileRefused(issue("mapping.separator", file=file, mark=mark[0]))
    tables = [table for table in dialect.tables if table.parent or not table.group]
    missing = {table.name: _missing(dialect, table, header) for table in tables}
    fitting = [table for table in tables if not missing[table.name]]
    if not fitting:
        nearest = min(tables, key=lambda t: len(missing[t.name]) / max(len(t.needs), 1))
        wanted = ", ".join(missing[nearest.name])
        raise FileRefused(issue("mapping.no-table", file=file, table=nearest.name, missing=wanted))
    return max(fitting, key=lambda t: (not t.is_part, len(t.needs), len(bind(dialect, t, header).reads)))


def _missing(dialect: Dialect, table: Table, header: Sequence[str]) -> list[str]:
    have = {column.name for name in header if (column := _column(dialect, table, name)) is not None}
    have |= {""} if table.group else set()
    return [name for name in table.needs if name not in have]
