"""How many resources a second does one core validate, JSON parsing included?

The bar: a 2.3 KB Patient against a profile that slices identifiers, an Observation against R4's `bp` (components sliced
by nested slices), and both against our own profiles, at least 10,000 a second each. Beside them: R4 alone, a Bundle of
200, an invalid Patient, a Patient whose narrative and an Observation whose codes are new each time (checked narratives
and coded values are remembered), and what fhir.resources (no profiles) and
jsonschema (structure only) do with the same bytes in the same run. Times are process time, the best of several rounds,
so that other work on the machine counts little.

    python tests/bench/bench_validation.py [seconds per line]
"""

import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

from fhir_server.definitions.packages import load_definitions
from fhir_server.validation import Validator

DATA = Path(__file__).parents[1] / "cases" / "data"
ROUNDS = 12


def rate(work: Callable[[], Any], seconds: float) -> float:
    """Returns calls a second of process time in the best round."""
    started, calls = time.process_time(), 0
    while time.process_time() - started < seconds / ROUNDS:
        work()
        calls += 1
    best = 0.0
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(calls):
            work()
        best = max(best, calls / (time.process_time() - started))
    return best


def samples() -> dict[str, dict[str, Any]]:
    """Returns the resources by the line that they are printed on."""
    patient = json.loads((DATA / "validation" / "sample-patient.json").read_bytes())
    patient["name"] = patient["name"][:1]  # the second name has no family, which the profile forbids
    observation = json.loads((DATA / "validation" / "sample-observation.json").read_bytes())
    entries = [{"fullUrl": f"urn:uuid:{n:032d}", "resource": patient if n % 2 else observation} for n in range(200)]
    return {
        "Patient + TestPatient": patient,
        "Patient, R4 alone": without_profiles(patient),
        "Observation + bp": observation,
        "Observation, R4 alone": without_profiles(observation),
        "Patient + fd-patient": example("patient-elderly"),
        "Observation + fd-bp": example("bp-full"),
        "Bundle of 200": {"resourceType": "Bundle", "type": "collection", "entry": entries},
        "Patient with 3 errors": {**patient, "gender": "zz", "birthDate": "x", "name": [{"famly": "x", "family": "y"}]},
    }


def example(name: str) -> dict[str, Any]:
    """Returns an example of our own package."""
    path = Path(__file__).parents[2] / "profiles" / "fd-contract" / "examples" / "valid" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def without_profiles(resource: dict[str, Any]) -> dict[str, Any]:
    """Returns the resource without `meta.profile`."""
    return {**resource, "meta": {k: v for k, v in resource["meta"].items() if k != "profile"}}


def other_validators(raw: bytes) -> dict[str, Callable[[], Any]]:
    """Returns what other libraries do with a Patient: parse and validate."""
    import jsonschema
    from fhir.resources.R4B.patient import Patient

    from fhir_server.definitions.packages import load_definitions as load

    schema = patient_schema(load().model)
    checker = jsonschema.Draft202012Validator(schema)
    return {
        "fhir.resources R4B": lambda: Patient.model_validate_json(raw),
        "jsonschema, structure": lambda: checker.is_valid(json.loads(raw)),
    }


def patient_schema(model: Any) -> dict[str, Any]:
    """Returns a JSON Schema of the structure of Patient: known properties, arrays, objects."""

    def reference(type_: str) -> dict[str, Any]:
        return {"$ref": f"#/$defs/{type_}"} if type_ in model.properties else {}

    def of(type_: str) -> dict[str, Any]:
        fields = {k: reference(p.type) for k, p in model.properties[type_].items()}
        fields = {
            k: {"type": "array", "items": v} if model.properties[type_][k].is_array else v for k, v in fields.items()
        }
        siblings = {f"_{k}": {} for k, p in model.properties[type_].items() if p.type in model.primitives}
        return {
            "type": "object",
            "properties": {**fields, **siblings, "resourceType": {}},
            "additionalProperties": False,
        }

    return {"$ref": "#/$defs/Patient", "$defs": {type_: of(type_) for type_ in model.properties}}


def main(seconds: float) -> None:
    """Prints one line for each question."""
    validator = Validator(load_definitions(packages=[DATA / "profiles"]))
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    ours: dict[str, float] = {}
    for label, resource in samples().items():
        raw = json.dumps(resource).encode()
        issues = validator.check(decode(raw))
        ours[label] = rate(lambda raw=raw: validator.check(decode(raw)), seconds)  # type: ignore[misc]
        print(f"{label:28} {len(raw) / 1024:6.1f} KB {ours[label]:9,.0f}/s  {len(issues)} findings")
    patient, pressure = (json.dumps(samples()[name]) for name in ("Patient + TestPatient", "Observation + fd-bp"))
    fresh = iter(range(10**9))
    for label, text, part in (
        ("Patient, new narrative", patient, ">Peter James"),
        ("fd-bp, new codes", pressure, '"display": "'),
    ):

        def check_fresh(text: str = text, part: str = part) -> None:
            validator.check(decode(text.replace(part, f"{part}{next(fresh)} ").encode()))

        print(f"{label:28} {len(text) / 1024:6.1f} KB {rate(check_fresh, seconds):9,.0f}/s")
    for label, work in other_validators(json.dumps(samples()["Patient, R4 alone"]).encode()).items():
        theirs = rate(work, seconds)
        print(f"{label:28} {'':9} {theirs:9,.0f}/s  ours is {ours['Patient, R4 alone'] / theirs:.1f} times as fast")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
