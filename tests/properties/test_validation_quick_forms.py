"""Quick forms find nothing where the checks find nothing, and leave everything else to them.

Two validators of the same definitions, one of them without quick forms, judge random resources, spoiled ones, and the
examples of our profiles with values exchanged: the findings are the same, in the same order.
"""

import copy
import json
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir import json_codec
from fhir_server.validation import Validator, sure
from fhir_server.validation.compile import Compiler
from fhir_server.validation.policy import SERVER, STRICT, Policy, References
from fhir_server.validation.rules.resource import scope_of
from fhir_server.validation.sure import sure_of

EXAMPLES = Path(__file__).parents[2] / "profiles" / "fd-contract" / "examples"
CORPUS = Path(__file__).parents[1] / "cases" / "data" / "validation"
ODD = (
    None, "", " ", 0, True, [], {}, [None], ["x"], [[]], {"foo": "bar"}, {"id": "x"}, {"extension": []}, "\x00", "a b", "x\n",
    Decimal("1.5"), 2**31, "2020-02-30", -1, "#x", "x" * 1000, "\u3000", [{"coding": [{"code": "x"}]}],
    {"url": "status", "valueCode": "x"}, {"reference": "Patient/1"}, [{"url": "http://a.b/c", "valueString": "x"}],
    {"system": "http://loinc.org", "code": "8480-6"},
)  # fmt: skip
"""What takes the place of a value, or stands beside it."""


@pytest.fixture(scope="module", autouse=True)
def forms_are_made_at_once():
    """Every shape gets its own form when it is first met, so that these are what is compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sure, "OFTEN", 1)
        yield


@cache
def both():
    definitions = load_definitions()
    return Validator(definitions), Validator(definitions, is_quick=False)


@cache
def examples():
    files = sorted(p for p in EXAMPLES.glob("*valid/*.json") if not p.name.endswith(".issues.json"))
    return [json_codec.decode(file.read_bytes()) for file in files]


def places_in(value):
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from places_in(item)


def every_value():
    return [owner[key] for example in examples() for owner, key in places_in(example)]


@st.composite
def spoiled(draw):
    """An example in which a few values were exchanged for odd ones or those of other examples, added or removed."""
    resource = copy.deepcopy(draw(st.sampled_from(examples())))
    for _ in range(draw(st.integers(1, 3))):
        owner, key = draw(st.sampled_from(list(places_in(resource))))
        other = copy.deepcopy(draw(st.sampled_from(ODD) | st.sampled_from(every_value())))
        match draw(st.sampled_from(("replace", "remove", "add", "again"))):
            case "replace":
                owner[key] = other
            case "remove":
                del owner[key]
            case "add" if isinstance(owner, dict):
                name = draw(st.sampled_from((f"_{key}", "id", "extension", "foo", "valueString", "contained", "text")))
                owner[name] = other
            case _ if isinstance(owner, list):
                owner.append(copy.deepcopy(owner[key]))
        if not resource or not isinstance(resource.get("resourceType"), str):
            resource["resourceType"] = "Patient"
    return resource


POLICIES = (SERVER, STRICT, *(Policy(strict=True, references=one) for one in References))
URLS = (
    "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "http://a.b/fhir/Patient/1",
    "Patient/1",
    "#a",
    "x y",
    "",
    1,
    [],
    {},
    None,
)


@st.composite
def entered(draw):
    """A Bundle of spoiled examples, itself spoiled: nothing in it needs to be what it should."""
    odd = st.sampled_from(ODD)
    entries = [
        {"fullUrl": draw(st.sampled_from(URLS)), "resource": draw(spoiled())} for _ in range(draw(st.integers(1, 2)))
    ]
    if draw(st.booleans()):
        owner = draw(st.sampled_from([one["resource"] for one in entries]))
        owner["resourceType"] = copy.deepcopy(draw(odd))
    types = st.sampled_from(("collection", "transaction", "document", "searchset", "history", "batch-response")) | odd
    links = [{"relation": draw(odd | st.sampled_from(("self", "next"))), "url": "http://a.b"} for _ in range(2)]
    return {
        "resourceType": "Bundle",
        "type": copy.deepcopy(draw(types)),
        "link": copy.deepcopy(links),
        "entry": entries,
    }


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(spoiled() | entered(), st.sampled_from(POLICIES))
def test_findings_are_the_same_with_and_without_quick_forms(resource, policy):
    quick, plain = both()
    world = {"Patient/1": {"resourceType": "Patient", "id": "1"}}.get
    assert quick.check(resource, policy=policy, resolve=world) == plain.check(resource, policy=policy, resolve=world)


@pytest.mark.parametrize("resource", examples(), ids=lambda one: str(one.get("id")))
def test_every_example_is_judged_the_same(resource):
    quick, plain = both()
    assert quick.check(resource) == plain.check(resource)


def test_resources_of_the_corpus_are_judged_the_same():
    quick, plain = both()
    cases = [
        json.loads(line) for file in sorted(CORPUS.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
    ]
    resources = [json_codec.decode(json.dumps(case["resource"]).encode()) for case in cases if "resource" in case]
    assert resources
    assert [r for r in resources if quick.check(r) != plain.check(r)] == []


def test_valid_examples_are_settled_by_their_quick_form():
    """A quick form that gave up would be right, and slow."""
    compiler = Compiler(load_definitions())
    valid = [json_codec.decode(file.read_bytes()) for file in sorted((EXAMPLES / "valid").glob("*.json"))]
    simple = [r for r in valid if "contained" not in r and r["resourceType"] != "Bundle"]
    left = [r["id"] for r in simple if not sure_of(compiler.type_check(r["resourceType"]))(r, scope_of(r))]
    assert left == []
    assert len(simple) > 30
