"""Broken rows planted on purpose, each with the rule that has to find it. See docs/decisions/0002-mapping-language.md, Findings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from random import Random

from fhir_server.fhir.shapes import JsonObject
from fhir_server.synthetic.draws import days_after
from fhir_server.synthetic.places import TOWN
from fhir_server.synthetic.population import Population


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of broken row.

    `rule` is the key of its finding; `stage` is `map`, or `load` where only a server can know. `change` gives the fields
    that differ from a good record (None: the field is not recorded). A shifted row loses a cell when it is written.
    """

    kind: str
    form: str
    rule: str
    change: Callable[[JsonObject, date], JsonObject]
    stage: str = "map"
    is_shifted: bool = False


@dataclass(frozen=True, slots=True)
class Planted:
    """A broken record and where it goes among the records of its form."""

    fault: Fault
    position: int
    values: JsonObject


def _pressure_order(record: JsonObject, as_of: date) -> JsonObject:
    return {"sbp": 78, "dbp": 132}


def _contract_dates(record: JsonObject, as_of: date) -> JsonObject:
    return {"endDate": days_after(date.fromisoformat(record["startDate"]), -30).isoformat()}


def _unknown_code(record: JsonObject, as_of: date) -> JsonObject:
    return {"gender": "7"}


def _nothing(record: JsonObject, as_of: date) -> JsonObject:
    return {}


def _impossible_date(record: JsonObject, as_of: date) -> JsonObject:
    return {"visitDate": f"{as_of.year}-02-30"}


def _missing_resident(record: JsonObject, as_of: date) -> JsonObject:
    nobody = f"{TOWN}99900001"
    return {"residentNo": nobody, "signerNo": nobody}


def _resident_left_out(record: JsonObject, as_of: date) -> JsonObject:
    return {"residentNo": None, "recordNo": None}


FAULTS = (
    Fault("pressure-order", "htn-followup", "bp-1", _pressure_order),
    Fault("contract-dates", "contract", "fdc-1", _contract_dates),
    Fault("unknown-code", "personal-info", "mapping.code-refused", _unknown_code),
    Fault("shifted-columns", "personal-info", "mapping.shifted-columns", _nothing, is_shifted=True),
    Fault("impossible-date", "htn-followup", "mapping.no-such-day", _impossible_date),
    Fault("missing-resident", "contract", "load.owner-missing", _missing_resident, stage="load"),
    Fault("resident-left-out", "htn-followup", "mapping.required", _resident_left_out),
)
# What would become lines of another table stays out: a planted row is one row in one file.
_LEFT_OUT = {
    "htn-followup": ("drugs",),
    "personal-info": ("idCard", "surgery", "diseases", "drugAllergy", "familyFather", "familyMother", "disability"),
    "contract": ("idCard",),
}


def plant(rng: Random, population: Population, *, count: int) -> list[Planted]:
    """Returns so many broken records, every kind in turn; kinds whose form has no good record to start from are left out."""
    kinds = [f for f in FAULTS if _good(population, f)]
    return [_planted(rng, population, kinds[n % len(kinds)], n + 1) for n in range(count)]


def _good(population: Population, fault: Fault) -> list[JsonObject]:
    records = population.records[fault.form]
    if fault.form == "contract":
        return [r for r in records if r["status"] == "active"]
    return [r for r in records if "sbp" in r] if fault.form == "htn-followup" else records


def _planted(rng: Random, population: Population, fault: Fault, number: int) -> Planted:
    good = rng.choice(_good(population, fault))
    values = good | _key(fault.form, good, number) | fault.change(good, population.as_of)
    kept = {k: v for k, v in values.items() if v is not None and k not in _LEFT_OUT[fault.form]}
    return Planted(fault, rng.randint(0, len(population.records[fault.form])), kept)


def _key(form: str, good: JsonObject, number: int) -> JsonObject:
    """Numbers that no good record has."""
    if form == "personal-info":
        resident = f"{good['residentNo'][:12]}9{number:04d}"
        return {"residentNo": resident, "recordNo": resident, "isHead": "0", "relationToHead": "97"}
    field = {"contract": "contractNo", "htn-followup": "visitNo"}[form]
    return {field: f"{good[field]}-{number}"}
