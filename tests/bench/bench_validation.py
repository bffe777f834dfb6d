"""How many resources a second does one core validate, JSON parsing included?

The bar, where `sum(i * i for i in range(3_000_000))` takes 0.28 s: our profiles of Patient and of blood pressure 10,000 a
second each, a Bundle of 200 of our own resources 6,000 resources a second, and nothing may be remembered: in the lines
"all new" every resource differs from every other in ids, names, numbers, dates and free text. Beside them R4 alone, an
invalid Patient, what fhir.resources (no profiles) and jsonschema (structure only) do with the same bytes in the same
run, memory, and the time from import to the first validation. Times are process time, the best of several rounds.

    python tests/bench/bench_validation.py [seconds per line]
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir.json_codec import decode
from fhir_server.validation import Validator

DATA = Path(__file__).parents[1] / "cases" / "data"
EXAMPLES = Path(__file__).parents[2] / "profiles" / "fd-contract" / "examples" / "valid"
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
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_bytes())
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


VARIED = {
    "id": re.compile(r'("id": ?")[^"]*'),
    "number": re.compile(r'("value": ?"[A-Z-]*HTEST-?)[0-9]*'),
    "phone": re.compile(r"(199)[0-9]*(?=\*)"),
    "text": re.compile(r'("text": ?"[^"]*?)(?=")'),
    "reference": re.compile(r'("reference": ?"[A-Za-z]*/[^"]*?)(?=")'),
    "time": re.compile(r'(DateTime": ?"[0-9-]*T09:31:)[0-9]{2}'),
}


def varied(text: str, number: int) -> str:
    """Returns the resource with ids, names, references, numbers, times and free texts of its own."""
    for name, pattern in VARIED.items():
        own = f"{number % 60:02d}" if name == "time" else str(number) if name != "id" else f"n{number}"
        text = pattern.sub(lambda found, own=own: found[1] + own, text)  # type: ignore[misc]
    return text


def all_new(name: str, count: int) -> list[bytes]:
    """Returns an example as many resources, no two alike in a value that differs between people."""
    text = json.dumps(example(name), ensure_ascii=False, separators=(",", ":"))
    return [varied(text, number).encode() for number in range(count)]


def bundle_of_new(count: int) -> bytes:
    """Returns a Bundle of our own profiled resources, no two alike."""
    names = ("patient-elderly", "bp-full", "contract-active-full", "care-team-full", "bmi-full")

    each = [all_new(name, count // len(names)) for name in names]
    listed = [text.decode() for group in zip(*each, strict=True) for text in group]
    entries = [
        f'{{"fullUrl":"urn:uuid:{n:08d}-0000-4000-8000-000000000000","resource":{r}}}' for n, r in enumerate(listed)
    ]
    return f'{{"resourceType":"Bundle","type":"collection","entry":[{",".join(entries)}]}}'.encode()


def first_validation_s() -> float:
    """Returns the wall time from a new process's start to its first validated resource, in seconds."""
    program = (
        "from fhir_server.definitions.packages import load_definitions\n"
        "from fhir_server.validation import Validator\n"
        "Validator(load_definitions()).check({'resourceType': 'Patient', 'active': True})\n"
    )
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
    return time.perf_counter() - started


def speed_of_machine() -> float:
    """Returns how long a fixed piece of arithmetic takes, in seconds."""
    started = time.process_time()
    sum(i * i for i in range(3_000_000))
    return time.process_time() - started


def main(seconds: float) -> None:
    """Prints one line for each question."""
    print(f"{'this machine':28} {speed_of_machine():12.2f} s for 3 million squares")
    print(f"{'import to first validation':28} {first_validation_s():12.2f} s")
    validator = Validator(load_definitions(packages=[DATA / "profiles"]))
    ours: dict[str, float] = {}
    for label, resource in samples().items():
        raw = json.dumps(resource).encode()
        issues = validator.check(decode(raw))
        ours[label] = rate(lambda raw=raw: validator.check(decode(raw)), seconds)  # type: ignore[misc]
        print(f"{label:28} {len(raw) / 1024:6.1f} KB {ours[label]:9,.0f}/s  {len(issues)} findings")
    for label, name in (("fd-patient, all new", "patient-elderly"), ("fd-bp, all new", "bp-full")):
        print_all_new(label, all_new(name, 2000), validator, seconds)
    bundle = bundle_of_new(200)
    count, found = len(decode(bundle)["entry"]), len(validator.check(decode(bundle)))
    bundles = rate(lambda: validator.check(decode(bundle)), seconds)
    print(
        f"{'Bundle of 200, all new':28} {len(bundle) / 1024:6.1f} KB {bundles * count:9,.0f} resources/s  {found} findings"
    )
    for label, work in other_validators(json.dumps(samples()["Patient, R4 alone"]).encode()).items():
        theirs = rate(work, seconds)
        print(f"{label:28} {'':9} {theirs:9,.0f}/s  ours is {ours['Patient, R4 alone'] / theirs:.1f} times as fast")
    print(f"{'memory, all types compiled':28} {memory_mb():12.0f} MB")


def print_all_new(label: str, texts: list[bytes], validator: Validator, seconds: float) -> None:
    """Prints how many resources a second are validated when none is like another."""
    found = sum(len(validator.check(decode(text))) for text in texts)

    def check_each() -> None:
        for text in texts:
            validator.check(decode(text))

    speed = rate(check_each, seconds) * len(texts)
    print(f"{label:28} {len(texts[0]) / 1024:6.1f} KB {speed:9,.0f}/s  {found} findings")


def memory_mb() -> float:
    """Returns the peak memory of a process that compiled every type and profile, in MB."""
    program = (
        "import resource\n"
        "from fhir_server.definitions.packages import load_definitions\n"
        "from fhir_server.validation import Validator\n"
        "definitions = load_definitions()\n"
        "Validator(definitions).compile_all(definitions.model.resources)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    return int(run.stdout) / 1024


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
