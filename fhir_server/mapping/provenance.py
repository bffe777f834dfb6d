"""The Provenance of a mapped record: which resources, out of which file, row and hash, by which map. https://hl7.org/fhir/R4/provenance.html."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.ids import derived_id
from fhir_server.mapping.plan import Plan
from fhir_server.mapping.record import FormRecord, RowRef

_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_ACTIVITY = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def provenance_of(
    plan: Plan, record: FormRecord, key: Sequence[str], references: Sequence[str], now: datetime
) -> JsonObject:
    """Returns the record's Provenance; its id derives from form and key, so that a record has one whatever its file.

    `now` becomes `recorded`; a record without source rows has no `entity`.
    """
    id_ = derived_id(plan.namespace, "provenance", (plan.form.name, *key))
    found: JsonObject = {
        "resourceType": "Provenance",
        "id": id_,
        "meta": {"source": plan.meta_source},
        "target": [{"reference": reference} for reference in references],
        "recorded": _recorded(now),
        "activity": {"coding": [{"system": _ACTIVITY, "code": "UPDATE"}]},
        "agent": [
            {
                "type": {"coding": [{"system": _PARTICIPANT, "code": "assembler"}]},
                "who": _mapper(plan),
            }
        ],
    }
    if record.rows:
        found["entity"] = [_entity(plan, row) for row in record.rows]
    return found


@lru_cache(maxsize=16)
def _recorded(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _mapper(plan: Plan) -> JsonObject:
    """The mapping: its version and, behind the plus, a fingerprint of its files, so that any change of them shows."""
    version = f"{plan.form.name}/{plan.version}+{plan.fingerprint}".rstrip("+")
    return {"identifier": {"system": f"{plan.base}/mapping", "value": version}, "display": plan.form.title}


def _entity(plan: Plan, row: RowRef) -> JsonObject:
    identifier = {"system": f"{plan.base}/sid/{plan.source}/row", "value": f"{row.file}:{row.sha256}"}
    return {"role": "source", "what": {"identifier": identifier, "display": f"{row.file} #{row.row}"}}
