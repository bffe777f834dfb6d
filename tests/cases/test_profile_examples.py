"""The examples of our packages: valid ones have no errors, invalid ones exactly the findings written beside them.

profiles/<package>/examples/valid/<x>.json     no error; warnings only as listed in <x>.issues.json
profiles/<package>/examples/invalid/<x>.json   the (key, path, severity) set of <x>.issues.json, warnings included
"""

import json
from functools import cache
from pathlib import Path

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir import json_codec
from fhir_server.validation import Validator

PROFILES = Path(__file__).parents[2] / "profiles"
PACKAGES = sorted(p.parent.name for p in PROFILES.glob("*/package.json"))
FILES = sorted(PROFILES.glob("*/examples/*/*.json"))
EXAMPLES = [f for f in FILES if not f.name.endswith(".issues.json")]
EXPECTED = [f for f in FILES if f.name.endswith(".issues.json")]


@cache
def validator():
    return Validator(load_definitions())


def findings(example):
    return {(i.key, i.path, str(i.severity)) for i in validator().check(json_codec.decode(example.read_bytes()))}


def partner(example):
    return example.with_name(example.stem + ".issues.json")


def expected(example):
    if not partner(example).exists():
        return set()
    return {(i["key"], i["path"], i["severity"]) for i in json.loads(partner(example).read_text("utf-8"))}


def name(path):
    return str(path.relative_to(PROFILES))


def test_every_definition_of_our_packages_compiles():
    validator().compile_all(load_definitions().resources)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_valid_and_invalid_examples(package):
    folders = {e.parent.name for e in EXAMPLES if e.parts[-4] == package}
    assert folders == {"valid", "invalid"}


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_an_example_has_exactly_the_findings_written_beside_it(example):
    if example.parent.name == "invalid":
        assert expected(example), f"{partner(example).name} names no finding"
    else:
        assert {severity for _, _, severity in expected(example)} <= {"warning"}
    assert findings(example) == expected(example)


@pytest.mark.parametrize("file", EXPECTED, ids=name)
def test_a_list_of_findings_has_its_example(file):
    assert file.with_name(file.name.replace(".issues.json", ".json")).exists()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_profile_of_a_package_has_an_example_that_names_it(package):
    definitions = [
        json.loads(f.read_bytes()) for f in (PROFILES / package / "definitions").glob("StructureDefinition-*.json")
    ]
    wanted = {d["url"] for d in definitions if d["kind"] == "resource" and not d["abstract"]}
    used = {url for e in EXAMPLES for url in json.loads(e.read_bytes()).get("meta", {}).get("profile", ())}
    assert wanted - used == set()
