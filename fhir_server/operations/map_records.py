"""Source files -> transaction Bundles and a report. See docs/decisions/0002-mapping-language.md.

run = map_files(load_mappings(), "htn-followup", "national", [path], now=clock.now())
for record in run: ...        # every row's outcome, `record.bundle` is None when it was rejected
run.report()                  # complete once the run is exhausted
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from fhir_server.errors import InvalidRequest, Issue, Severity, has_errors, issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping import Mapper, Mappings
from fhir_server.mapping.across import RunMemory
from fhir_server.mapping.binding import find_table
from fhir_server.mapping.collecting import Collection
from fhir_server.mapping.dialect import Table
from fhir_server.mapping.findings import at_place, at_row
from fhir_server.mapping.record import Code, FormRecord, Origin, RowRef, plain
from fhir_server.mapping.records import ReadRecord, RecordReader
from fhir_server.mapping.report import Report, Tally, UnusedColumn
from fhir_server.mapping.resource_plan import Made
from fhir_server.mapping.run import MapResult, bundle_of
from fhir_server.mapping.sources import ENCODINGS, FileRefused, SourceFile, open_source
from fhir_server.mapping.trace import place_of, places_of

Validate = Callable[[JsonObject], Sequence[Issue]]
Progress = Callable[[int], None]

COLLECTED_PER_BUNDLE = 100
_SOURCE = re.compile(r"""[^\s#?|%<>"{}\\^`]{1,64}""")
# Mapped resources have no narrative, and every row would say so; the ID number's sex is told where the number is read.
_UNTOLD = frozenset({"dom-6", "fd-id-gender"})
_UNMAPPED = "validation.binding-extensible"


@dataclass(frozen=True, slots=True)
class MappedRecord:
    """One record's outcome. `bundle` is None when it was rejected; then `issues` has the error.

    `typed` is the form record as it was read (empty when the row could not be), `origins` the cells of its fields. A
    collected one has no row.
    """

    row: RowRef
    key: str
    typed: JsonObject
    bundle: JsonObject | None
    issues: tuple[Issue, ...]
    is_collected: bool = False
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def values(self) -> JsonObject:
        """The plain form record."""
        values: JsonObject = plain(self.typed)
        return values


@dataclass(frozen=True, slots=True)
class MapRun:
    """A run over some files: iterate it once, then ask for its report."""

    mapper: Mapper
    paths: tuple[Path, ...]
    now: datetime
    encoding: str = "auto"
    bad_id: str = "warn"
    validate: Validate | None = None
    progress: Progress | None = None
    _tally: Tally = field(default_factory=Tally)
    _unused_columns: Counter[tuple[str, str]] = field(default_factory=Counter)
    _dropped_columns: Counter[tuple[str, str]] = field(default_factory=Counter)
    _unused_fields: Counter[str] = field(default_factory=Counter)
    _seen: dict[tuple[str, ...], RowRef] = field(default_factory=dict)
    _memory: RunMemory = field(default_factory=RunMemory)

    def __iter__(self) -> Iterator[MappedRecord]:
        collection = Collection(self.mapper.plan)
        reader = RecordReader(self.mapper.dialect, self.mapper.zone, self._unused_columns, self._dropped_columns)
        for done, item in enumerate(reader.read(self._open()), 1):
            if self.progress is not None:
                self.progress(done)
            if item.is_blank:
                self._tally.count("blank", [item.ref])
            else:
                yield self._record(item, collection)
        yield from self._collected(collection)
        self._tally.tell(
            issue("mapping.no-rows", severity=Severity.WARNING, file=file.file)
            for file in self._tally.files()
            if not file.read and not file.is_refused
        )
        for file in self._tally.files():
            assert file.read == file.mapped + file.rejected, file

    def report(self) -> Report:
        """Returns what has been read so far: files, findings in the order they came, unused and dropped columns, unused fields."""
        unused, dropped = (
            tuple(UnusedColumn(f, c, n) for (f, c), n in sorted(counts.items()))
            for counts in (self._unused_columns, self._dropped_columns)
        )
        return Report(
            self.mapper.form.name,
            self.mapper.dialect.name,
            self.mapper.plan.source,
            self._tally.files(),
            tuple(self._tally.findings),
            unused,
            dropped,
            dict(sorted(self._unused_fields.items())),
        )

    def _open(self) -> list[tuple[SourceFile, Table]]:
        found: list[tuple[SourceFile, Table]] = []
        for path in self.paths:
            self._tally.encodings[path.name] = ""
            try:
                source = open_source(path, encoding=self.encoding)
                self._tally.encodings[path.name] = source.encoding
                table = find_table(self.mapper.dialect, source.header, file=source.name)
                self._tally.tell(source.notes)
                found.append((source, table))
            except FileRefused as refused:
                self._tally.refused.add(path.name)
                self._tally.tell([refused.issue])
        return found

    def _record(self, item: ReadRecord, collection: Collection) -> MappedRecord:
        record = item.record
        if record is None:
            return self._rejected(item, item.issues)
        checked, found = self.mapper.check(record, now=self.now, bad_id=self.bad_id)
        told = {i.path for i in item.issues if i.severity is Severity.ERROR}
        issues = [*item.issues, *(i for i in found if i.path not in told)]
        if issues and has_errors(issues):
            return self._rejected(item, issues)
        result = self.mapper.map(checked, now=self.now)
        issues += result.issues
        told = {i.path for i in issues if i.key == "mapping.code-unmapped"}
        invalid = _told_once(self._invalid(checked, result))
        issues += [i for i in invalid if i.key != _UNMAPPED or i.params.get("place") not in told]
        if result.bundle is None or (issues and has_errors(issues)):
            return self._rejected(item, issues)
        issues += self._repeated(result.key, checked.rows[0])
        issues += self._memory.broken(self.mapper.form, checked, result.key)
        return self._mapped(item, checked, result, issues, collection)

    def _rejected(self, item: ReadRecord, issues: Sequence[Issue]) -> MappedRecord:
        rows = item.counted or (item.ref,)
        bad = [(i.params.get("file"), i.params.get("row")) for i in issues if has_errors([i])]
        at = next((f"{file} #{number}" for file, number in bad if file), "")
        beside = [at_row("mapping.rejected-with", r, at=at) for r in rows if at and (r.file, r.row) not in bad]
        values = item.record.values if item.record else {}
        self._tally.count("rejected", rows)
        self._tally.tell([*issues, *beside])
        return MappedRecord(item.ref, "", values, None, (*issues, *beside))

    def _mapped(
        self,
        item: ReadRecord,
        record: FormRecord,
        result: MapResult,
        issues: list[Issue],
        collection: Collection,
    ) -> MappedRecord:
        self._tally.count("mapped", item.counted)
        self._tally.tell(issues)
        self._unused_fields.update(result.unused)
        for name, resource in result.collected:
            collection.add(name, resource)
        values = item.record.values if item.record else {}
        key = "#".join(result.key)
        return MappedRecord(record.rows[0], key, values, result.bundle, tuple(issues), origins=record.origins)

    def _repeated(self, key: tuple[str, ...], row: RowRef) -> list[Issue]:
        """A record that came before in this run: unchanged, or told with the row that it replaces."""
        first = self._seen.setdefault(key, row)
        if first is row:
            return []
        self._seen[key] = row
        if first.sha256 == row.sha256:
            self._tally.count("unchanged", [row])
            return []
        value = "#".join(key)
        return [at_row("mapping.duplicate-record", row, severity=Severity.WARNING, first=first.row, value=value)]

    def _invalid(self, record: FormRecord, result: MapResult) -> Iterator[Issue]:
        """What validation says of the resources, told at the source values that they were made of."""
        if self.validate is None or result.bundle is None:
            return
        for n, entry in enumerate(result.bundle["entry"]):
            made = result.made[n] if n < len(result.made) else None
            for found in self.validate(entry["resource"]):
                if found.key not in _UNTOLD:
                    yield self._traced(found, record, made, entry["resource"])

    def _traced(self, found: Issue, record: FormRecord, made: Made | None, resource: JsonObject) -> Issue:
        places = places_of(self.mapper.plan, made, found.path, resource=resource) if made is not None else ()
        if found.key == _UNMAPPED:
            places = tuple(p for p in places if _is_unmapped(record.values.get(p))) or places
        place = place_of(record, places, found.path) or self.mapper.form.places.get(found.key, "")
        key = "mapping.invalid-resource" if place else "mapping.invalid-whole"
        at = at_place(key, record, place, severity=found.severity, type=resource["resourceType"], reason="")
        sentences = {
            lang: replace(at, params={**at.params, "reason": found.text(lang)}).text(lang) for lang in ("en", "zh")
        }
        return Issue(
            found.severity, found.code, found.key, found.path, {**at.params, **sentences, "place": place}, at.line
        )

    def _collected(self, collection: Collection) -> Iterator[MappedRecord]:
        for chunk in collection.chunks(COLLECTED_PER_BUNDLE):
            issues = [i for resource in chunk for i in self._invalid_collected(resource)]
            bad = {i.params["id"] for i in issues if i.severity in {Severity.ERROR, Severity.FATAL}}
            self._tally.tell(issues)
            bundle = bundle_of(resource for resource in chunk if resource["id"] not in bad)
            yield MappedRecord(RowRef("", 0, 0, ""), "", {}, bundle, tuple(issues), is_collected=True)

    def _invalid_collected(self, resource: JsonObject) -> Iterator[Issue]:
        for found in self.validate(resource) if self.validate is not None else ():
            if found.key not in _UNTOLD:
                yield replace(found, params={**found.params, "id": resource["id"]})


def _is_unmapped(value: Any) -> bool:
    codes = value if isinstance(value, list) else [value]
    return any(isinstance(code, Code) and code.code is None for code in codes)


def _told_once(issues: Iterable[Issue]) -> list[Issue]:
    """One finding for each rule and value; several resources are made of a visit's date, and all of them may break on it."""
    found: dict[tuple[Any, ...], Issue] = {}
    for told in issues:
        place = told.params.get("place")
        found.setdefault((told.key, place, told.severity) if place else (len(found), told.path), told)
    return list(found.values())


def map_files(  # noqa: PLR0913 - the options of a run, all but the first four by name
    mappings: Mappings,
    form: str,
    dialect: str,
    paths: Sequence[Path],
    *,
    now: datetime,
    encoding: str = "auto",
    source: str | None = None,
    bad_id: str = "warn",
    validate: Validate | None = None,
    progress: Progress | None = None,
) -> MapRun:
    """Returns a run that maps the records of some files of one form in one dialect; nothing is read before it is iterated.

    `paths` are all tables of the form, in any order; line tables are held in memory, record tables are streamed.
    `encoding` is `auto`, or what every file must be in. `source` names the source system that ids and identifiers
    derive from. `bad_id`: `warn` or `reject` failing citizen numbers. `validate` gives the findings of one resource; an
    error rejects the row. `progress` is told the number of rows done. `now` is the instant of the Provenance.

    Raises:
        NotFound: no such form or dialect.
        InvalidRequest: two files have one name, no such encoding, or a source that can stand in no identifier.
    """
    names = [path.name for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidRequest.of("mapping.file-twice", file=twice)
    if encoding.lower() not in ENCODINGS:
        raise InvalidRequest.of("mapping.encoding-name", name=encoding, known=", ".join(ENCODINGS))
    if source and not _SOURCE.fullmatch(source):
        raise InvalidRequest.of("mapping.source-name", name=source)
    mapper = mappings.mapper(form, dialect, source=source)
    return MapRun(mapper, tuple(paths), now, encoding, bad_id, validate, progress)
