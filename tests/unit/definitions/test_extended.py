"""A set of definitions is never changed: another one is made that knows more, and says what it left out."""

import json
from functools import cache
from typing import Any

import pytest

from fhir_server.definitions.packages import load_definitions

URL = "http://example.org/fhir/StructureDefinition/p"
PATIENT = "http://hl7.org/fhir/StructureDefinition/Patient"
GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"


@cache
def base():
    return load_definitions()


def profile(**members: Any) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "id": "p",
        "url": URL,
        "name": "P",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": PATIENT,
        "derivation": "constraint",
        "differential": {"element": [{"path": "Patient.name", "min": 1}]},
        **members,
    }


def found(definitions: Any) -> list[tuple[str, str, str]]:
    return [(i.key, i.params["file"], i.path) for i in definitions.findings]


def test_the_set_that_is_extended_stays_as_it_is():
    before = (base().canonicals("ValueSet"), base().profiles())
    more = base().extended([profile(), {"resourceType": "ValueSet", "id": "v", "url": "http://example.org/v"}])
    assert (base().structure(URL), base().value_set("http://example.org/v")) == (None, None)
    assert (base().canonicals("ValueSet"), base().profiles()) == before
    assert more.value_set("http://example.org/v")["url"] == "http://example.org/v"
    assert [p.url for p in more.profiles() if p not in before[1]] == [URL]


def test_what_is_not_touched_is_shared():
    more = base().extended([profile()])
    assert [p.url for p in base().profiles() if more.structure(p.url) is not p] == []
    assert more.resources is base().resources


def test_a_profile_without_snapshot_gets_one():
    structure = base().extended([profile()], source="upload").structure(URL)
    name = next(e for e in structure.elements if e.id == "Patient.name")
    assert (name.min, len(structure.elements), structure.source) == (1, 45, "upload: StructureDefinition/p")


def test_a_profile_with_snapshot_keeps_it():
    element = {"id": "Patient", "path": "Patient", "min": 0, "max": "*"}
    structure = base().extended([profile(snapshot={"element": [element]})]).structure(URL)
    assert [e.id for e in structure.elements] == ["Patient"]


def test_a_known_url_is_replaced_in_the_new_set_alone():
    system = {"resourceType": "ValueSet", "id": "v", "url": GENDER, "version": "9"}
    more = base().extended([system])
    assert (more.value_set(GENDER)["version"], base().value_set(GENDER)["version"]) == ("9", "4.0.1")


@pytest.mark.parametrize("type_", ["Questionnaire", "Measure", "Library", "ConceptMap", "PlanDefinition"])
def test_a_resource_is_found_by_its_canonical_with_the_version_if_it_is_there(type_):
    url = f"http://example.org/{type_}"
    one, two = ({"resourceType": type_, "id": f"q{v}", "url": url, "version": v} for v in "12")
    more = base().extended([one, two])
    asked = (url, f"{url}|1", f"{url}|2", f"{url}|3", f"{type_}/q1", f"{url}/none", "")
    assert [more.resource(type_, a) for a in asked] == [two, one, two, two, one, None, None]
    assert more.resource("Patient", url) is None


def test_r4s_own_terminology_is_found_as_a_resource():
    assert base().resource("ValueSet", GENDER)["resourceType"] == "ValueSet"


BROKEN = {
    "no object": (3, ("definitions.member-missing", "x", "Resource.resourceType")),
    "no type": ({"id": "a"}, ("definitions.member-missing", "x: a", "Resource.resourceType")),
    "no url": (
        {"resourceType": "ConceptMap", "id": "a"},
        ("definitions.member-missing", "x: ConceptMap/a", "ConceptMap.url"),
    ),
    "an empty url": (
        {"resourceType": "ValueSet", "id": "a", "url": ""},
        ("definitions.member-missing", "x: ValueSet/a", "ValueSet.url"),
    ),
    "no content": (
        {"resourceType": "CodeSystem", "id": "a", "url": "http://example.org/c"},
        ("definitions.member-missing", "x: CodeSystem/a", "CodeSystem.content"),
    ),
    "a compose of another shape": (
        {"resourceType": "ValueSet", "id": "a", "url": "http://example.org/v", "compose": {"include": {}}},
        ("definitions.member-missing", "x: ValueSet/a", "ValueSet.compose"),
    ),
    "a concept without code": (
        {
            "resourceType": "CodeSystem",
            "id": "a",
            "url": "http://example.org/c",
            "content": "complete",
            "concept": [{"code": "a", "concept": [{"display": "b"}]}],
        },
        ("definitions.member-missing", "x: CodeSystem/a", "CodeSystem.concept"),
    ),
    "no name": (
        {k: v for k, v in profile().items() if k != "name"},
        ("definitions.member-missing", "x: StructureDefinition/p", "StructureDefinition.name"),
    ),
    "a type without code": (
        profile(differential={"element": [{"path": "Patient.name", "type": [{}]}]}),
        (
            "definitions.element-broken",
            "x: StructureDefinition/p",
            "StructureDefinition.snapshot.element[11] (Patient.name)",
        ),
    ),
    "a snapshot of another shape": (
        profile(snapshot={"element": 3}),
        ("definitions.element-broken", "x: StructureDefinition/p", "StructureDefinition"),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_resource_is_left_out_and_said(name):
    resource, expected = BROKEN[name]
    more = base().extended([resource, profile(url=URL + "2")], source="x")
    assert found(more) == [expected]
    assert (more.structure(URL), more.structure(URL + "2").name) == (None, "P")
    assert more.resource("CodeSystem", "http://example.org/c") is None


def test_a_further_extension_keeps_what_was_said_and_known():
    more = base().extended([{"resourceType": "ValueSet", "id": "a"}]).extended([profile()])
    assert found(more) == [("definitions.member-missing", "ValueSet/a", "ValueSet.url")]
    assert more.extended([]).structure(URL) is more.structure(URL)


UNKNOWN = {"differential": {"element": [{"path": "Patient.nickname", "min": 1}, {"path": "Patient.name", "min": 1}]}}


def test_a_given_profile_that_names_an_unknown_element_is_left_out():
    more = base().extended([profile(**UNKNOWN)])
    place = "StructureDefinition.differential.element (Patient.nickname)"
    assert found(more) == [("definitions.element-broken", "StructureDefinition/p", place)]
    assert more.structure(URL) is None


def test_a_packaged_profile_that_names_an_unknown_element_counts_without_it_and_the_note_stands_once(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps(profile(**UNKNOWN)), encoding="utf-8")
    packaged = load_definitions(packages=[tmp_path])
    more = packaged.extended([profile(id="q", url=URL + "2", baseDefinition=URL)])
    place = "StructureDefinition.differential.element (Patient.nickname)"
    assert found(more) == [("definitions.element-skipped", str(tmp_path / "p.json"), place)]
    names = [next(e for e in more.structure(url).elements if e.id == "Patient.name").min for url in (URL, URL + "2")]
    assert names == [1, 1]


def test_given_as_a_package_a_profile_counts_without_the_unknown_element():
    more = base().extended([profile(**UNKNOWN)], is_packaged=True)
    assert [key for key, _, _ in found(more)] == ["definitions.element-skipped"]
    assert more.structure(URL) is not None
