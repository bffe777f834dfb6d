"""Source files into a store or server: map, store in batches, and one report of both."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from fhir_server.errors import Issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.findings import Finding, finding_of
from fhir_server.mapping.ids import derived_id
from fhir_server.mapping.plan import Plan
from fhir_server.operations.load_records import Sink, Stored, batches
from fhir_server.operations.load_references import Identify
from fhir_server.operations.map_records import MappedRecord, MapRun
from fhir_server.store.contract import Key

Progress = Callable[[int], None]

_ENTITIES = {
    "Patient": "patient",
    "Organization": "organization",
    "CareTeam": "care-team",
    "Practitioner": "practitioner",
    "PractitionerRole": "practitioner-role",
    "Group": "household",
    "ServiceRequest": "referral",
}

RESOURCE_COUNTS = ("created", "updated", "unchanged", "deleted")
"""What may become of a resource; a record as a whole is never deleted."""

OBJECTS_A_COLLECTION = 200_000
"""Python looks for cycles after so many new objects while a load runs: about one batch. Mapped records have none."""


@dataclass(slots=True)
class LoadTally:
    """What became of the records of one form, as they were stored.

    `records` counts `created`, `updated`, `unchanged` and `rejected` source records, `resources` the first three for
    resources. What is collected from many records (households) counts as resources, not as records.
    """

    records: Counter[str] = field(default_factory=Counter)
    resources: Counter[str] = field(default_factory=Counter)
    rejected_of: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    namespace: bytes = b""

    def add(self, record: MappedRecord, stored: Stored) -> None:
        """Counts one record's outcome; its refusal becomes a finding at the record's row."""
        for name in RESOURCE_COUNTS:
            self.resources[name] += getattr(stored, name)
        if record.is_collected:
            self.findings += [finding_of(i) for i in stored.issues]
            return
        self.records[stored.status] += 1
        self.findings += [finding_of(_at(record, i, self.namespace)) for i in stored.notes]
        if stored.status == "rejected":
            self.rejected_of[record.row.file] += 1
            self.findings += [finding_of(_at(record, i, self.namespace)) for i in stored.issues]


async def load_files(run: MapRun, sink: Sink, *, progress: Progress | None = None) -> JsonObject:
    """Maps and stores everything of a run, and returns its report with what the store did.

    `progress` is told after each batch how many records are stored. read = mapped + rejected holds in the report too:
    a record that the store refuses counts as rejected.

    Raises:
        StoreUnavailable, ServerRefused: the store or server gave up; what was stored before stays, and a second run
            finds it unchanged.
    """
    tally = LoadTally(namespace=run.mapper.plan.namespace)
    done = 0
    with _rare_collections():
        for batch in batches(run):
            kept = [record for record in batch if record.bundle is not None]
            outcomes = await sink.store([_resources(r) for r in kept], identify=_identified(kept, run.mapper.plan))
            for record, stored in zip(kept, outcomes, strict=True):
                tally.add(record, stored)
            done += len(batch)
            if progress is not None:
                progress(done)
    return _report(run, tally)


def _identified(records: Sequence[MappedRecord], plan: Plan) -> Identify:
    """What a record names is identified by the value that its id derives from, as its own record will say it."""

    def identify(n: int, key: Key) -> JsonObject | None:
        place = _place_of(records[n], key, plan.namespace)
        if not place:
            return None
        system = f"{plan.base}/sid/{plan.source}/{_ENTITIES[key.type]}"
        return {"system": system, "value": str(records[n].values[place])}

    return identify


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Keeps the cycle collector from walking every definition and every waiting record again and again."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(OBJECTS_A_COLLECTION, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _resources(record: MappedRecord) -> Sequence[JsonObject]:
    return [entry["resource"] for entry in (record.bundle or {}).get("entry", [])]


def _at(record: MappedRecord, found: Issue, namespace: bytes) -> Issue:
    """Returns what the store says of a record as a finding at its row, and at the cell that names what is missing."""
    params = {"file": record.row.file, "row": record.row.row, "value": record.key, **found.params}
    place = _place_of(record, found.params.get("key"), namespace)
    if place:
        value = str(record.values[place])
        params |= {"column": record.origins[place].column, "value": value, "owner": value}
    return replace(found, params=params, path=place or found.path, line=record.row.line)


def _place_of(record: MappedRecord, key: Key | None, namespace: bytes) -> str:
    """The field whose value the id of a missing resource is derived from, or ""."""
    if key is None or key.type not in _ENTITIES:
        return ""
    for place in record.origins:
        value = record.values.get(place)
        if isinstance(value, str) and derived_id(namespace, _ENTITIES[key.type], (value,)) == key.id:
            return place
    return ""


def _report(run: MapRun, tally: LoadTally) -> JsonObject:
    mapped = run.report()
    files = [
        replace(f, mapped=f.mapped - tally.rejected_of[f.file], rejected=f.rejected + tally.rejected_of[f.file])
        for f in mapped.files
    ]
    whole = replace(mapped, files=tuple(files), issues=(*mapped.issues, *tally.findings))
    stored = {name: tally.records[name] for name in ("created", "updated", "unchanged")}
    resources = {name: tally.resources[name] for name in RESOURCE_COUNTS}
    return {**whole.as_json(), "stored": stored, "resources": resources}


def totals_of(reports: Sequence[JsonObject]) -> JsonObject:
    """Returns the reports of several forms as one, totals first."""
    totals: JsonObject = {name: sum(r[name] for r in reports) for name in ("read", "mapped", "rejected")}
    for part, names in (("stored", RESOURCE_COUNTS[:3]), ("resources", RESOURCE_COUNTS)):
        if any(part in r for r in reports):
            totals[part] = {n: sum(r.get(part, {}).get(n, 0) for r in reports) for n in names}
    totals["warnings"] = sum(i["severity"] == "warning" for r in reports for i in r["issues"])
    totals["refused_files"] = [f["file"] for r in reports for f in r["files"] if f["is_refused"]]
    return {**totals, "forms": list(reports)}
