"""All mappings, compiled at start: every form with its map in every dialect. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from fhir_server.data_files import data_folder
from fhir_server.errors import Issue, NotFound
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.dialect import Dialect, read_dialect
from fhir_server.mapping.form import Form, read_form
from fhir_server.mapping.intake import read_plain
from fhir_server.mapping.plan import MapFile, Plan, compile_plan, read_map
from fhir_server.mapping.record import FormRecord, RowRef
from fhir_server.mapping.rules import broken_rules, checked_identities
from fhir_server.mapping.run import MapResult, run
from fhir_server.mapping.schema import RecordSchema, compile_schema
from fhir_server.mapping.writing import to_source
from fhir_server.mapping.yaml_files import BrokenMapping

DEFAULT_BASE = "http://jtys.example/fhir"
DEFAULT_ZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Mapper:
    """One form in one dialect, for one source system: everything to read, check, map and write its records."""

    form: Form
    dialect: Dialect
    plan: Plan
    schema: RecordSchema
    zone: tzinfo

    def check(self, record: FormRecord, *, now: datetime, bad_id: str = "warn") -> tuple[FormRecord, list[Issue]]:
        """Returns the record with its identities checked, and all findings of identities, schema and rules.

        `bad_id`: `warn` keeps a failing citizen number as unverified, `reject` makes it an error.
        """
        checked, issues = checked_identities(self.form, record, bad_id=bad_id)
        issues += self.schema.check(checked)
        if not any(i.key == "mapping.wrong-type" for i in issues):
            issues += broken_rules(self.form, checked, today=_in_zone(now, self.zone))
        return checked, issues

    def read(self, values: JsonObject, rows: tuple[RowRef, ...] = ()) -> tuple[FormRecord, list[Issue]]:
        """Returns a record of plain JSON (field -> option code, text, number, list) and the codes that it does not know."""
        return read_plain(self.form, values, rows)

    def map(self, record: FormRecord, *, now: datetime) -> MapResult:
        """Returns the record's transaction Bundle; `now` is the Provenance's instant, and today in the mapper's zone."""
        return run(self.plan, record, _in_zone(now, self.zone))

    def to_source(self, values: JsonObject) -> dict[str, list[dict[str, str]]]:
        """Returns plain form values as rows of the dialect's tables: {table: [{column: text}]}."""
        return to_source(self.dialect, values)


@dataclass(frozen=True, slots=True)
class Mappings:
    """Every form, and every dialect that writes it."""

    folder: Path
    base: str
    zone: tzinfo
    forms: Mapping[str, Form]
    _maps: Mapping[str, MapFile]
    _schemas: Mapping[str, RecordSchema]
    _dialects: Mapping[tuple[str, str], Dialect]
    _plans: dict[tuple[str, str, str], Plan] = field(default_factory=dict)

    def dialects(self, form: str) -> tuple[str, ...]:
        """Returns the names of the dialects that write a form, in alphabetical order."""
        return tuple(sorted(dialect for named, dialect in self._dialects if named == form))

    def mapper(self, form: str, dialect: str, *, source: str | None = None) -> Mapper:
        """Returns the mapper of a form in a dialect; `source` names the source system, by default the dialect's.

        Raises:
            NotFound: no such form, or the dialect does not write it; the known ones are named.
        """
        if form not in self.forms:
            raise NotFound.of("mapping.form-unknown", name=form, known=", ".join(self.forms))
        found = self._dialects.get((form, dialect))
        if found is None:
            known = ", ".join(self.dialects(form))
            raise NotFound.of("mapping.dialect-unknown", name=dialect, form=form, known=known)
        plan = self.plan(form, dialect, source=source or found.source)
        return Mapper(self.forms[form], found, plan, self._schemas[form], self.zone)

    def plan(self, form: str, dialect: str, *, source: str) -> Plan:
        """Returns the compiled map of a form for a source system; its fingerprint covers form, map, tables and dialect."""
        key = (form, dialect, source)
        if key not in self._plans:
            mark = fingerprint_of(self.folder, form, dialect)
            self._plans[key] = compile_plan(self._maps[form], base=self.base, source=source, fingerprint=mark)
        return self._plans[key]


def load_mappings(
    base: str = DEFAULT_BASE,
    folder: Path | None = None,
    *,
    zone: str = DEFAULT_ZONE,
    only: Collection[str] | None = None,
) -> Mappings:
    """Returns all mappings of a folder (the project's own by default), compiled; `only` restricts the forms.

    `base` is the canonical base of our definitions and identifiers; `zone` is where dates without offset are read.

    Raises:
        BrokenMapping: a file cannot be used; it names itself and the place inside.
    """
    root = folder or data_folder("mappings")
    names = [p.parent.name for p in sorted(root.glob("*/form.yaml")) if only is None or p.parent.name in only]
    forms = {name: _form(root / name, name) for name in names}
    tables = root / "_shared" / "tables"
    maps = {name: read_map(root / name / "map.yaml", form, tables=tables) for name, form in forms.items()}
    dialects = {
        (path.stem, path.parent.name): read_dialect(path.parent, forms[path.stem])
        for path in sorted(root.glob("_dialects/*/*.yaml"))
        if path.stem in forms
    }
    schemas = {name: compile_schema(form) for name, form in forms.items()}
    found = Mappings(root, base, ZoneInfo(zone), forms, maps, schemas, dialects)
    for form, dialect in dialects:
        found.mapper(form, dialect)
    return found


@lru_cache(maxsize=16)
def _in_zone(now: datetime, zone: tzinfo) -> datetime:
    """The instant of a run, which is asked for at every record, in the configured zone."""
    return now.astimezone(zone)


def fingerprint_of(folder: Path, form: str, dialect: str) -> str:
    """Returns eight hexadecimal digits that change when a file changes which the mapping of a form in a dialect is made of."""
    own = [folder / form / "form.yaml", folder / form / "map.yaml"]
    spoken = [folder / "_dialects" / dialect / name for name in ("dialect.yaml", f"{form}.yaml")]
    shared = sorted(folder.glob("_shared/tables/*.yaml"))
    digest = sha256()
    for path in (*own, *spoken, *shared):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _form(folder: Path, name: str) -> Form:
    form = read_form(folder / "form.yaml")
    if form.name != name:
        raise BrokenMapping(f"{name}/form.yaml", "form", f"{name!r} is expected, as the folder is named")
    return form
