"""What FHIRPath costs: R4's invariants in the fast and the general engine, our profiles' on their examples, a stranger's.

The bars, where `sum(i * i for i in range(3_000_000))` takes 0.28 s: a typical invariant of R4 1.5 us, one of our profiles
on a full example 1.5 us on average, some of them loops within loops.

Run: python tests/bench/bench_fhirpath.py. Times are processor time of this process, the best of several rounds.
"""

import json
import statistics
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhirpath import budget_of, compile, compile_once  # noqa: A004 - the room's own name
from fhir_server.fhirpath.nodes import children, of_json_value
from fhir_server.validation.rules.invariant import BY_HAND

ROUNDS = 5
BUDGET_US = 1.5
"""A typical invariant, microseconds."""
PROFILE_BUDGET_US = 1.5
"""An invariant of our own profiles on a full example, microseconds, on average."""
EXAMPLES = Path(__file__).parents[2] / "profiles" / "fd-contract" / "examples" / "valid"

SAMPLES: tuple[dict[str, Any], ...] = (
    {
        "resourceType": "Patient", "id": "p1", "meta": {"profile": ["http://e.example/p"], "tag": [{"system": "urn:t", "code": "x"}]},
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">测试员</div>'},
        "identifier": [{"use": "official", "system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}],
        "name": [{"use": "official", "text": "测试员", "family": "测", "given": ["试员"]}], "gender": "female", "birthDate": "1950-05-06",
        "telecom": [{"system": "phone", "value": "13900000000", "use": "mobile"}],
        "address": [{"text": "某某镇", "period": {"start": "2020-01-01", "end": "2024-01-01"}}],
        "contact": [{"name": {"text": "家属"}, "telecom": [{"system": "phone", "value": "13900000001"}]}],
    },
    {
        "resourceType": "Observation", "id": "o1", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2024-05-01T10:00:00+08:00",
        "component": [
            {"code": {"coding": [{"system": "http://loinc.org", "code": c}]}, "valueQuantity": {"value": v, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}}
            for c, v in (("8480-6", 152), ("8462-4", 88))
        ],
        "referenceRange": [{"high": {"value": 140, "unit": "mmHg"}}],
    },
    {
        "resourceType": "Questionnaire", "id": "q1", "url": "http://e.example/q", "name": "Q", "status": "active",
        "item": [{"linkId": "1", "type": "group", "text": "x", "item": [{"linkId": "1.1", "type": "choice", "text": "y", "answerOption": [{"valueCoding": {"code": "a"}}]}]}],
    },
    {
        "resourceType": "CarePlan", "id": "c1", "status": "active", "intent": "plan", "subject": {"reference": "Patient/p1"},
        "period": {"start": "2024-01-01", "end": "2024-12-31"}, "activity": [{"detail": {"status": "scheduled", "code": {"text": "随访"}}}],
    },
)  # fmt: skip

Case = tuple[str, str, Any, dict[str, Any], bool]


def cases() -> Iterator[Case]:
    """Yields (expression, type, element, resource, whether validation runs it as FHIRPath) for R4's invariants."""
    definitions = load_definitions()
    by_path: dict[str, set[tuple[str, bool]]] = {}
    for name in definitions.model.properties:
        structure = definitions.structure("http://hl7.org/fhir/StructureDefinition/" + name)
        for element in structure.elements if structure else ():
            for constraint in element.constraints:
                if constraint.expression and not constraint.best_practice:
                    by_path.setdefault(element.path, set()).add((constraint.expression, constraint.key not in BY_HAND))
    for resource in SAMPLES:
        pending = [of_json_value(resource, "")]
        while pending:
            node = pending.pop()
            pending.extend(children(node, definitions.model))
            if isinstance(node.value, dict):
                for expression, runs in sorted(by_path.get(node.type, ())):
                    yield expression, node.type, node.value, resource, runs


def profile_cases() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields (expression, type, resource) for the invariants on resources of our profiles, on their full examples."""
    definitions = load_definitions()
    for path in sorted(EXAMPLES.glob("*-full.json")):
        resource = json.loads(path.read_bytes(), parse_float=Decimal)
        for url in resource.get("meta", {}).get("profile", ()):
            structure = definitions.structure(url)
            for constraint in structure.elements[0].constraints if structure else ():
                if constraint.expression and not constraint.best_practice and constraint.key not in BY_HAND:
                    yield constraint.expression, resource["resourceType"], resource


def cost_us(run: Callable[[], object], times: int) -> float:
    """Returns the microseconds of one call, the best of `ROUNDS`."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = process_time()
        for _ in range(times):
            run()
        best = min(best, process_time() - started)
    return best / times * 1e6


def report(name: str, costs: list[float]) -> float:
    """Prints the spread of some costs and returns their median."""
    p50, p90 = statistics.median(costs), sorted(costs)[int(len(costs) * 0.9)]
    print(f"{name:44} n={len(costs):4}  p50 {p50:8.2f} us  p90 {p90:8.2f} us  max {max(costs):8.2f} us")
    return p50


def main() -> None:
    found = list(cases())
    fast: list[float] = []
    by_hand: list[float] = []
    general: list[float] = []
    for expression, type_, value, resource, runs in found:
        compiled = compile(expression, type_)
        (fast if runs else by_hand).append(cost_us(lambda: compiled.test(value, resource, resource), 2000))  # noqa: B023 - run at once
    for expression, type_, value, resource, _ in found[::10]:
        compiled = compile(expression, type_)
        general.append(cost_us(lambda: compiled.evaluate(value, resource=resource), 50))  # noqa: B023 - run at once
    median = report("R4's invariants, transpiled", fast)
    report("those that validation checks by hand", by_hand)
    report("R4's invariants, general engine", general)
    own: list[float] = []
    for expression, type_, resource in profile_cases():
        compiled = compile(expression, type_)
        own.append(cost_us(lambda: compiled.test(resource, resource, resource), 2000))  # noqa: B023 - run at once
    report("our profiles' invariants, transpiled", own)
    patient = SAMPLES[0]
    text = "Patient.name.where(use = 'official').given.first() & Patient.identifier.count().toString()"
    report("a stranger's expression: compile", [cost_us(lambda: compile_once(text, "Patient"), 50)])
    once = compile_once(text, "Patient")
    report("a stranger's expression: evaluate", [cost_us(lambda: once.evaluate(patient), 50)])
    report("the same within a budget", [cost_us(lambda: once.evaluate(patient, budget=budget_of(500)), 50)])
    print(f"budget of a typical invariant: {BUDGET_US} us, {'met' if median <= BUDGET_US else 'MISSED'}")
    mean = statistics.mean(own)
    met = "met" if mean <= PROFILE_BUDGET_US else "MISSED"
    print(f"budget of an invariant of our profiles: {PROFILE_BUDGET_US} us on average, here {mean:.2f}, {met}")


if __name__ == "__main__":
    main()
