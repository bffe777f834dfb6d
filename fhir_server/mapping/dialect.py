"""One source system's way to write one form: `mappings/_dialects/<dialect>/*.yaml` -> `Dialect`. See docs/decisions/0002-mapping-language.md."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from fhir_server.mapping.codecs.codes import CodeReader, SourceCode
from fhir_server.mapping.codecs.text import folded
from fhir_server.mapping.form import Field, Form
from fhir_server.mapping.yaml_files import BrokenMapping, only_keys, read_yaml, text_of

_SYSTEM_KEYS = frozenset({"dialect", "title", "source", "nulls", "separator", "columns", "secret", "note"})
_FILE_KEYS = frozenset({"form", "title", "note", "tables", "codes", "aliases", "nulls", "separator"})
_TABLE_KEYS = frozenset({"name", "needs", "group", "json", "parent", "columns", "constants", "note"})
_COLUMN_KEYS = frozenset(
    {"field", "fields", "split", "match", "else", "write", "codes", "words", "nulls", "separator", "factor", "drop"}
    | {"note"}
)
_Codes = tuple[str | None, str | None]  # the names of a column's code table, and of its table of further words
_FORM_CODES: _Codes = (None, None)
_PLACE = re.compile(r"([A-Za-z]\w*)(?:\[([1-9]\d*)\]\.([A-Za-z]\w*))?")


@dataclass(frozen=True, slots=True)
class Target:
    """A field that a column fills; in a record table `group` and `line` (from 1) tell the line of a group."""

    field: Field
    group: str = ""
    line: int = 0
    codes: CodeReader | None = None

    @property
    def place(self) -> str:
        """The field's place in the record, `sbp` or `drugs[1].name`."""
        return f"{self.group}[{self.line}].{self.field.name}" if self.line else self.field.name


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is read and written; `nulls` are the words (normalised) that mean nothing was recorded."""

    name: str
    targets: tuple[Target, ...] = ()
    nulls: frozenset[str] = frozenset()
    separator: str = ","
    split: str = ""
    match: re.Pattern[str] | None = None
    otherwise: Target | None = None
    write: str = ""
    factor: Decimal | None = None
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: the record itself, or what `parent` (column -> record field) joins to it.

    With `group` its rows are lines of that group; without, their fields are the record's own. `written` are the columns
    that writing a record fills.
    """

    name: str
    needs: tuple[str, ...]
    columns: Mapping[str, Column]
    spellings: Mapping[str, str]
    group: str = ""
    json: str = ""
    parent: Mapping[str, str] = field(default_factory=dict)
    constants: tuple[tuple[Column, str], ...] = ()
    written: tuple[Column, ...] = ()

    @property
    def is_part(self) -> bool:
        """Tells whether a row of it is only a part of a record that another table holds."""
        return bool(self.group or self.parent)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one source system writes one form. `source` is the default name of the source system."""

    name: str
    title: str
    source: str
    form: Form
    tables: tuple[Table, ...]
    is_folded: bool
    secret: re.Pattern[str] | None = None

    def is_secret(self, column: str) -> bool:
        """Tells whether a column's name says that it holds a credential, which is never read, hashed or logged."""
        return self.secret is not None and self.secret.search(folded(column).casefold()) is not None


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the parts of one file are compiled with."""

    file: str
    form: Form
    codes: Mapping[str, Mapping[str, SourceCode]]
    nulls: frozenset[str]
    separator: str
    is_folded: bool
    aliases: Mapping[str, list[str]]


def read_dialect(folder: Path, form: Form) -> Dialect:
    """Reads `dialect.yaml` and `<form>.yaml` of a dialect's folder.

    Raises:
        BrokenMapping: a file is missing or names a field, code table or key that does not exist.
    """
    system_file, file = f"{folder.name}/dialect.yaml", f"{folder.name}/{form.name}.yaml"
    system = only_keys(read_yaml(folder / "dialect.yaml"), _SYSTEM_KEYS, file=system_file, place="")
    raw = only_keys(read_yaml(folder / f"{form.name}.yaml"), _FILE_KEYS, file=file, place="")
    if raw.get("form") != form.name:
        raise BrokenMapping(file, "form", f"{form.name!r} is expected, as the file is named")
    reading = _Reading(
        file,
        form,
        {n: _code_table(t) for n, t in (raw.get("codes") or {}).items()},
        _words(raw.get("nulls", system.get("nulls"))),
        raw.get("separator") or system.get("separator") or ",",
        system.get("columns", "exact") == "folded",
        raw.get("aliases") or {},
    )
    tables = tuple(_table(t, reading, place=f"tables[{n}]") for n, t in enumerate(raw.get("tables") or ()))
    if all(t.is_part for t in tables):
        raise BrokenMapping(file, "tables", "no table holds the record itself")
    _check_codes(reading, tables)
    source = system.get("source") or folder.name
    secret = re.compile("|".join(map(str.casefold, system["secret"]))) if system.get("secret") else None
    return Dialect(folder.name, text_of(system.get("title")), source, form, tables, reading.is_folded, secret)


def spelling_keys(name: str, *, is_folded: bool) -> Iterator[str]:
    """Yields how a column name is compared, the strictest first: folded names then once more without a trailing unit.

    The forms mark optional items with an asterisk, which is no part of a folded name.
    """
    if not is_folded:
        yield name.strip()
        return
    key = re.sub(r"\s+", "", folded(name)).casefold().rstrip("*")
    yield key
    bare = re.sub(r"\([^()]*\)$", "", key)
    if bare and bare != key:
        yield bare


def _words(raw: Any) -> frozenset[str]:
    return frozenset(folded(text_of(w)) for w in raw or ())


def _code_table(raw: Mapping[str, Any]) -> dict[str, SourceCode]:
    return {folded(code): _source_code(target) for code, target in raw.items()}


def _source_code(raw: Any) -> SourceCode:
    if isinstance(raw, dict):
        to = raw.get("to")
        near = text_of(raw.get("equivalence")) or "equivalent"
        return SourceCode(None if to is None else text_of(to), near, text_of(raw.get("display")))
    return SourceCode(None, "unmatched") if raw is None else SourceCode(text_of(raw))


def _table(raw: Any, reading: _Reading, *, place: str) -> Table:
    entry = only_keys(raw, _TABLE_KEYS, file=reading.file, place=place)
    group = entry.get("group") or ""
    owner = reading.form.fields if not group else _group(group, reading, place).fields
    columns = {
        name: _column(name, c, reading, owner, place=f"{place}.columns.{name}")
        for name, c in (entry.get("columns") or {}).items()
    }
    for name in entry.get("parent") or ():
        columns.setdefault(name, Column(name))
    needs = tuple(entry.get("needs") or ())
    for name in needs:
        if name not in columns:
            raise BrokenMapping(reading.file, f"{place}.needs", f"{name!r} is no column of this table")
    return Table(
        text_of(entry.get("name")) or reading.form.name,
        needs,
        columns,
        _spellings(columns, reading),
        group,
        entry.get("json") or group,
        _parent(entry.get("parent") or {}, reading, place),
        tuple(_constant(n, v, reading, owner, place) for n, v in (entry.get("constants") or {}).items()),
        tuple(_written(columns)),
    )


def _written(columns: Mapping[str, Column]) -> Iterator[Column]:
    """The columns that carry something no column before them does: 体重 and not 体重(现/目标) again."""
    covered: set[str] = set()
    for column in columns.values():
        places = {target.place for target in column.targets}
        if places and not column.is_dropped and not places <= covered:
            yield column
            covered |= places if len(places) == 1 or column.split or column.match else set()


def _constant(name: str, raw: Any, reading: _Reading, owner: Mapping[str, Field], place: str) -> tuple[Column, str]:
    target = _target(name, _FORM_CODES, reading, owner, f"{place}.constants")
    if target.codes and target.codes.read(text_of(raw)).code is None:
        raise BrokenMapping(reading.file, f"{place}.constants.{name}", f"{text_of(raw)!r} is no option")
    return Column(name, (target,)), text_of(raw)


def _group(name: str, reading: _Reading, place: str) -> Field:
    found = reading.form.fields.get(name)
    if found is None or found.type != "group":
        raise BrokenMapping(reading.file, f"{place}.group", f"{name!r} is no group of {reading.form.name}")
    return found


def _parent(raw: Mapping[str, str], reading: _Reading, place: str) -> Mapping[str, str]:
    for name in raw.values():
        if name not in reading.form.fields:
            raise BrokenMapping(reading.file, f"{place}.parent", f"unknown field {name!r}")
    return raw


def _spellings(columns: Mapping[str, Column], reading: _Reading) -> dict[str, str]:
    """Every accepted spelling -> column. A spelling without its unit counts only when one column alone has it."""
    strict: dict[str, str] = {}
    loose: dict[str, set[str]] = {}
    for name in columns:
        for spelled in (name, *reading.aliases.get(name, ())):
            first, *bare = spelling_keys(text_of(spelled), is_folded=reading.is_folded)
            strict.setdefault(first, name)
            for key in bare:
                loose.setdefault(key, set()).add(name)
    return {key: next(iter(names)) for key, names in loose.items() if len(names) == 1} | strict


def _column(name: str, raw: Any, reading: _Reading, owner: Mapping[str, Field], *, place: str) -> Column:
    entry = {"field": raw} if isinstance(raw, str) else only_keys(raw, _COLUMN_KEYS, file=reading.file, place=place)
    if entry.get("drop"):
        return Column(name, is_dropped=True)
    named = entry.get("fields") or ([entry["field"]] if entry.get("field") else [])
    if not named:
        raise BrokenMapping(reading.file, place, "a column names a field, fields, or drop: true")
    codes = entry.get("codes"), entry.get("words")
    targets = tuple(_target(n, codes, reading, owner, place) for n in named)
    nulls = (reading.nulls | _words(entry.get("nulls"))) - _answers(targets, reading.nulls)
    match = entry.get("match")
    return Column(
        name,
        targets,
        nulls,
        entry.get("separator") or reading.separator,
        entry.get("split") or "",
        re.compile(folded(match)) if match else None,
        _target(entry["else"], _FORM_CODES, reading, owner, place) if entry.get("else") else None,
        entry.get("write") or "",
        Decimal(text_of(entry["factor"])) if entry.get("factor") else None,
    )


def _answers(targets: tuple[Target, ...], nulls: frozenset[str]) -> frozenset[str]:
    """Null words that are answers of a code field here (无 of 药物不良反应) mean the answer."""
    return frozenset(w for w in nulls for t in targets if t.codes and t.codes.knows(w))


def _target(name: str, codes: _Codes, reading: _Reading, owner: Mapping[str, Field], place: str) -> Target:
    match = _PLACE.fullmatch(name)
    found = owner.get(match[1]) if match else None
    if found is not None and match and match[3]:
        group, line = match[1], int(match[2])
        inner = found.fields.get(match[3])
        if inner is not None:
            return Target(inner, group, line, _reader(inner, codes, reading, place))
    elif found is not None and found.type != "group":
        return Target(found, codes=_reader(found, codes, reading, place))
    raise BrokenMapping(reading.file, place, f"unknown field {name!r}")


def _reader(found: Field, codes: _Codes, reading: _Reading, place: str) -> CodeReader | None:
    if found.type != "code":
        return None
    for name in codes:
        if name is not None and name not in reading.codes:
            raise BrokenMapping(reading.file, f"{place}.codes", f"unknown code table {name!r}")
    own, words = (reading.codes[name] if name else {} for name in codes)
    return CodeReader(found, own, words)


def _check_codes(reading: _Reading, tables: tuple[Table, ...]) -> None:
    for table in tables:
        for column in table.columns.values():
            for target in column.targets:
                _check_targets(reading, table, column, target)


def _check_targets(reading: _Reading, table: Table, column: Column, target: Target) -> None:
    for code, meant in ({**target.codes.own, **target.codes.words} if target.codes else {}).items():
        if meant.to is not None and meant.to not in target.field.options:
            place = f"{table.name}.{column.name}.codes[{code}]"
            raise BrokenMapping(reading.file, place, f"{target.field.path} has no option {meant.to!r}")
