"""Resources judged by profiles that come with a differential alone, a Questionnaire among them.

`differentials.json` holds the definitions, each line of `differentials.jsonl` a resource, the profiles asked of it and the
sorted [key, path] of its errors. https://hl7.org/fhir/R4/profiling.html.
"""

import json
from functools import cache
from pathlib import Path

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir import json_codec
from fhir_server.validation import Validator

DATA = Path(__file__).parent / "data" / "validation"
CASES = [json.loads(line) for line in (DATA / "differentials.jsonl").read_text("utf-8").splitlines()]


@cache
def validator(*, is_quick: bool) -> Validator:
    given = json_codec.decode(b'{"given":%s}' % (DATA / "differentials.json").read_bytes())["given"]
    definitions = load_definitions().extended(given)
    assert definitions.findings == ()
    return Validator(definitions, is_quick=is_quick)


@pytest.mark.parametrize("is_quick", [True, False], ids=["quick", "plain"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_resource_has_exactly_the_errors_that_its_profiles_make_of_it(case, is_quick):
    resource = json_codec.decode(json.dumps(case["resource"]).encode())
    issues = validator(is_quick=is_quick).check(resource, profiles=case["profiles"])
    assert sorted({(i.key, i.path) for i in issues if i.severity == "error"}) == [tuple(e) for e in case["errors"]]


def test_half_of_the_cases_have_errors():
    assert sum(bool(case["errors"]) for case in CASES) * 2 >= len(CASES)
