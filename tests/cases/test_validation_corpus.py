"""Resources with what validation finds in them, against R4 (`base.jsonl`) and test profiles (`profiles.jsonl`).

A case has a name, its resource (or its JSON text, where the text matters) and the sorted [severity, key, path] of all
findings; those of reading the JSON count as well.
"""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.errors import BadStructure
from fhir_server.fhir import json_codec
from fhir_server.validation import Validator

DATA = Path(__file__).parent / "data"


def cases(file):
    lines = (DATA / "validation" / file).read_text("utf-8").splitlines()
    read = [json.loads(line) for line in lines]
    return [pytest.param(case, id=case["name"]) for case in read]


@cache
def validator():
    return Validator(load_definitions(packages=[DATA / "profiles"]))


def findings(case):
    text = case.get("text") or json.dumps(case["resource"])
    try:
        issues = validator().check(json_codec.decode(text.encode()))
    except BadStructure as refused:
        issues = refused.issues
    return sorted([str(i.severity), i.key, i.path] for i in issues)


@pytest.mark.parametrize("case", cases("base.jsonl"))
def test_r4_alone(case):
    assert findings(case) == case["issues"]


@pytest.mark.parametrize("case", cases("profiles.jsonl"))
def test_the_test_profiles(case):
    assert findings(case) == case["issues"]


def test_every_finding_says_something_in_both_languages():
    resources = [
        p.values[0]["resource"] for f in ("base.jsonl", "profiles.jsonl") for p in cases(f) if "resource" in p.values[0]
    ]
    issues = [issue for resource in resources for issue in validator().check(resource)]
    assert len(issues) > 60
    assert [i.key for i in issues if re.search(r"\{\w+\}", i.text("en") + i.text("zh"))] == []
    assert [i.key for i in issues if not re.search(r"[\u4e00-\u9fff]", i.text("zh"))] == []
