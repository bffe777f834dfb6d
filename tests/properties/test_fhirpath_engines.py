"""The two FHIRPath engines agree: the evaluator is the oracle of the transpiler, on random resources of every R4 type."""

import gzip
import json
import random
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.data_files import data_folder
from fhir_server.fhirpath import EvaluationError, compile, r4_model  # noqa: A004 - the room's own name
from fhir_server.fhirpath.equality import key
from fhir_server.fhirpath.nodes import Node
from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.transpiler import generate
from fhir_server.fhirpath.transpiler.code import Unsupported
from fhir_server.fhirpath.transpiler.elements import MALFORMED
from fhir_server.fhirpath.units import measure_of

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=8)))
RULES = Path(__file__).parents[1] / "cases" / "data" / "invariants.json"
ENGINES = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
MODEL = r4_model()

VALUES = {
    "boolean": [True, False],
    "decimal": [Decimal("1.50"), Decimal(0), 7, Decimal("-3.2"), 200],
    "date": ["2024", "2024-02", "2024-02-29", "1990-01-01"],
    "dateTime": ["2024", "2024-02-29", "2024-02-29T10:00:00+08:00", "2024-02-29T02:00:00Z", "2023-12-31T23:59:59.5Z"],
    "instant": ["2024-02-29T10:00:00.000+08:00", "2024-02-29T02:00:00Z"],
    "time": ["10:30:00", "23:59:59.25"],
    "xhtml": ['<div xmlns="http://www.w3.org/1999/xhtml">x</div>', "<div><script/></div>"],
}
NUMBERS = ("integer", "positiveInt", "unsignedInt")
REFERENCES = [
    "Patient/1",
    "http://h.example/fhir/Practitioner/2/_history/1",
    "#c1",
    "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
    "#",
]


def facts(name):
    return json.loads(gzip.decompress((data_folder("conformance") / "r4" / name).read_bytes()))


@cache
def invariants():
    """(expression, context type) of every invariant of R4's own types; those that stand on many types, on three of them."""
    book = facts("structures.json.gz")
    found = {}
    for structure in book["structures"].values():
        if structure.get("derivation") == "constraint" or structure["kind"] == "logical":
            continue
        for element in structure["snapshot"]["element"]:
            for number in element.get("constraint", ()):
                expression = book["constraints"][number].get("expression")
                context = context_of(element["path"])
                if expression and context:
                    found.setdefault(expression, set()).add(context)
    return [(e, c) for e, contexts in sorted(found.items()) for c in sorted(contexts)[:: max(1, len(contexts) // 3)]]


def context_of(path):
    if path in MODEL.properties:
        return path
    parent, _, name = path.rpartition(".")
    found = MODEL.properties.get(parent, {}).get(name)
    return found.type if found is not None and found.type in MODEL.properties else None


@cache
def searches():
    """Resource type -> the expressions of its search parameters."""
    found = {}
    for parameter in facts("search-parameters.json.gz").values():
        for base in parameter["base"] if parameter.get("expression") else ():
            if base in MODEL.resources:
                found.setdefault(base, set()).add(parameter["expression"])
    return {base: sorted(expressions) for base, expressions in sorted(found.items())}


class Maker:
    """Makes random JSON of a type, mostly of those elements and texts that an expression speaks of."""

    def __init__(self, seed, expression) -> None:
        self.random = random.Random(seed)
        self.names = set(re.findall(r"\w+", expression))
        self.texts = [*re.findall(r"'([^']*)'", expression), "x", "official", "Abc_1"]

    def make(self, type_, depth=0):
        if type_ in ("Resource", "DomainResource"):
            type_ = self.random.choice(("Patient", "Observation", "Composition"))
        made = {"resourceType": type_} if type_ in MODEL.resources else {}
        chosen = set()
        for name, property_ in MODEL.properties[type_].items():
            if self.wants(name, property_, depth) and (property_.choice is None or property_.choice not in chosen):
                chosen.add(property_.choice)
                self.put(made, name, property_, depth)
        return made or {"id": "e"}

    def wants(self, key, property_, depth):
        if property_.choice is not None:
            spoken = property_.choice in self.names and (property_.type in self.names or self.random.random() < 0.1)
        else:
            spoken = key in self.names
        return depth < 6 and self.random.random() < (0.7 if spoken else 0.03 if depth < 2 else 0)

    def put(self, made, key, property_, depth):
        count = self.random.choice((1, 1, 2, 3)) if property_.is_array else 1
        if property_.type not in MODEL.primitives:
            items = [self.make(property_.type, depth + 1) for _ in range(count)]
            made[key] = items if property_.is_array else items[0]
            return
        pairs = [self.primitive(property_.type) for _ in range(count)]
        values, siblings = [v for v, _ in pairs], [s for _, s in pairs]
        if any(v is not None for v in values):
            made[key] = values if property_.is_array else values[0]
        if any(siblings):
            made["_" + key] = siblings if property_.is_array else siblings[0]

    def primitive(self, type_):
        own = (
            {"extension": [{"url": self.random.choice(self.texts), "valueString": "x"}]}
            if self.random.random() < 0.15
            else None
        )
        if own and self.random.random() < 0.5:
            return None, own
        return self.value(type_), own

    def value(self, type_):
        if type_ in NUMBERS:
            return self.random.choice((0, 1, 2, 5, 19))
        return self.random.choice(VALUES.get(type_) or [*self.texts, *REFERENCES])


def predicate(expression, context):
    try:
        return generate.predicate(parse(expression), context, MODEL)
    except Unsupported:
        return None


def outcome(run):
    """True, or what failed: an invariant that is false, empty or in error does not hold."""
    try:
        return run() is True
    except EvaluationError:
        return False


def disagreements(expression, context, seeds):
    """The inputs on which the engines differ; those that the transpiled code hands over are left out."""
    compiled, fast = compile(expression, context), predicate(expression, context)
    for seed in seeds:
        focus = Maker(seed, expression).make(context)
        owner = context.partition(".")[0]
        resource = Maker(seed + 1, expression).make(owner) if owner in MODEL.resources and owner != context else focus
        try:
            got = outcome(lambda: fast(focus, resource, resource, NOW))  # noqa: B023 - run at once
        except MALFORMED:
            continue
        if got is not outcome(lambda: compiled._evaluated_test(focus, resource, resource, NOW)):  # noqa: B023 - run at once
            yield focus, resource, got


TRANSPILED = [pair for pair in invariants() if predicate(*pair) is not None]


@pytest.mark.parametrize(("expression", "context"), TRANSPILED, ids=[f"{c}-{n}" for n, (_, c) in enumerate(TRANSPILED)])
@given(seed=st.integers(0, 2**32))
@ENGINES
def test_both_engines_agree_on_an_invariant_of_r4(expression, context, seed):
    assert list(disagreements(expression, context, [seed])) == []


def test_what_does_not_transpile_is_known():
    left = {(e[:40], c) for e, c in invariants() if predicate(e, c) is None}
    assert {e for e, _ in left} == {"contained.where((('#'+id in (%resource.d"}


def business_rules():
    text = RULES.read_text(encoding="utf-8").replace("{B}", "http://jtys.example/fhir")
    return [(r["expression"], r["context"]) for r in json.loads(text) if predicate(r["expression"], r["context"])]


@pytest.mark.parametrize(("expression", "context"), business_rules())
@given(seed=st.integers(0, 2**32))
@ENGINES
def test_both_engines_agree_on_a_business_rule(expression, context, seed):
    assert list(disagreements(expression, context, [seed, seed + 7])) == []


def test_random_resources_make_rules_hold_and_fail():
    """The positive control: without it, agreement could be agreement on nothing."""
    held = set()
    for expression, context in business_rules():
        focuses = [Maker(seed, expression).make(context) for seed in range(150)]
        compiled = compile(expression, context)
        held |= {(expression, outcome(lambda: compiled.test(f, f, f, now=NOW))) for f in focuses}  # noqa: B023 - run at once
    both = {e for e, _ in held if (e, True) in held and (e, False) in held}
    assert len(both) >= len(business_rules()) * 0.7


JUNK = [None, [], {}, "x", 5, True, [[1]], {"a": 1}, [None], ["x", {}], [{"extension": "x"}]]


def spoiled(value, chance):
    """The same JSON with some of its parts replaced by what should not be there."""
    if chance.random() < 0.1:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        return {k: v if k == "resourceType" else spoiled(v, chance) for k, v in value.items()}
    return [spoiled(v, chance) for v in value] if isinstance(value, list) else value


@given(rule=st.sampled_from([*invariants(), *business_rules()]), seed=st.integers(0, 2**32))
@settings(ENGINES, max_examples=500)
def test_malformed_json_gives_an_answer_or_an_evaluation_error(rule, seed):
    expression, context = rule
    made = Maker(seed, expression).make(context)
    chance = random.Random(seed)
    focus = {k: v if k == "resourceType" else spoiled(v, chance) for k, v in made.items()}
    assert outcome(lambda: compile(expression, context).test(focus, focus, focus, now=NOW)) in (True, False)


def identities(pairs):
    """The results as FHIRPath tells them apart: the extractor may leave two spellings of one quantity."""
    return {(key(Node(value, type_), measure_of), type_) for value, type_ in pairs}


@pytest.mark.parametrize("base", list(searches()))
def test_both_engines_agree_on_the_search_expressions_of_a_type(base):
    differ, found = [], 0
    for expression in searches()[base]:
        fast = generate.extractor(parse(expression), base, MODEL)
        compiled = compile(expression, base)
        for seed in range(6):
            resource = Maker(seed, expression).make(base)
            try:
                got = fast(resource, None)
            except MALFORMED:
                continue
            found += len(got)
            if identities(got) != identities(compiled._evaluated_nodes(resource, None)):
                differ.append((expression, resource))
    assert differ == []
    assert found > 0
