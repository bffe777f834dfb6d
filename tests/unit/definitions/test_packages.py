"""A broken definition is an error at load that names its file and path."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fhir_server.definitions.findings import DefinitionError
from fhir_server.definitions.packages import load_definitions

URL = "http://example.org/StructureDefinition/p"


def profile(**members: Any):
    element = {"id": "Patient", "path": "Patient", "min": 0, "max": "*"}
    return {
        "resourceType": "StructureDefinition",
        "id": "p",
        "url": URL,
        "name": "P",
        "type": "Patient",
        "kind": "resource",
        "abstract": False,
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "derivation": "constraint",
        "snapshot": {"element": [element]},
        **members,
    }


def search_parameter(**members: Any):
    return {
        "resourceType": "SearchParameter",
        "id": "s",
        "url": "http://example.org/SearchParameter/s",
        "code": "nickname",
        "type": "string",
        "base": ["Patient"],
        "expression": "Patient.name.where(use = 'nickname').text",
        **members,
    }


def write(folder: Path, **resources: Any):
    for name, resource in resources.items():
        text = resource if isinstance(resource, str) else json.dumps(resource)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def faults_of(*packages: Path):
    """Returns (key, file name, path) of everything that loading the packages finds."""
    with pytest.raises(DefinitionError) as caught:
        load_definitions(packages=packages)
    return [(i.key, Path(i.params["file"]).name, i.path) for i in caught.value.issues]


def test_a_folder_is_a_package(tmp_path):
    write(tmp_path, a=profile())
    found = load_definitions(packages=[tmp_path]).structure(URL)
    assert (found.name, found.source) == ("P", str(tmp_path / "a.json"))


def test_an_archive_is_a_package(tmp_path):
    archive = tmp_path / "some.tgz"
    with tarfile.open(archive, "w:gz") as package:
        for name in ("package/package.json", "package/a.json", "package/example/b.json"):
            content = json.dumps(profile() if name == "package/a.json" else {}).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    assert load_definitions(packages=[archive]).structure(URL).source == f"{archive}!package/a.json"


def test_broken_json_names_the_file(tmp_path):
    write(tmp_path, a='{"resourceType": ')
    assert faults_of(tmp_path) == [("definitions.json-broken", "a.json", "")]


def test_a_file_without_resource_type_is_refused(tmp_path):
    write(tmp_path, a={"id": "x"})
    assert faults_of(tmp_path) == [("definitions.member-missing", "a.json", "Resource.resourceType")]


def test_a_definition_needs_url_and_id(tmp_path):
    no_url, no_id = profile(), profile()
    del no_url["url"], no_id["id"]
    write(tmp_path, a=no_url, b=no_id)
    assert faults_of(tmp_path) == [
        ("definitions.member-missing", "a.json", "StructureDefinition.url"),
        ("definitions.member-missing", "b.json", "StructureDefinition.id"),
    ]


def test_a_canonical_url_may_stand_once(tmp_path):
    write(tmp_path, a=profile(), b=profile())
    assert faults_of(tmp_path) == [("definitions.duplicate", "b.json", "StructureDefinition.url")]


def test_a_profile_needs_its_snapshot(tmp_path):
    bare = profile()
    del bare["snapshot"]
    write(tmp_path, a=bare, b=profile(url=URL + "2", snapshot={"element": []}))
    assert faults_of(tmp_path) == [
        ("definitions.snapshot-missing", "a.json", "StructureDefinition.snapshot"),
        ("definitions.snapshot-missing", "b.json", "StructureDefinition.snapshot"),
    ]


def test_the_base_of_a_profile_must_be_known(tmp_path):
    write(tmp_path, a=profile(baseDefinition="http://example.org/none"))
    assert faults_of(tmp_path) == [("definitions.canonical-unknown", "a.json", "StructureDefinition.baseDefinition")]


def test_a_profile_may_stand_on_another_of_its_package(tmp_path):
    write(tmp_path, a=profile(baseDefinition=URL + "2"), b=profile(url=URL + "2"))
    assert load_definitions(packages=[tmp_path]).structure(URL).base == URL + "2"


def test_r4s_own_structures_cannot_be_redefined(tmp_path):
    write(tmp_path, a=profile(url="http://hl7.org/fhir/StructureDefinition/Patient"))
    assert faults_of(tmp_path) == [("definitions.redefines-r4", "a.json", "StructureDefinition.url")]


def test_newer_terminology_replaces_r4s(tmp_path):
    url = "http://hl7.org/fhir/administrative-gender"
    system = {"resourceType": "CodeSystem", "id": "g", "url": url, "content": "complete", "version": "9"}
    write(tmp_path, a=system)
    assert load_definitions(packages=[tmp_path]).code_system(url)["version"] == "9"


def test_a_broken_element_is_named_by_its_place(tmp_path):
    write(tmp_path, a=profile(snapshot={"element": [{"id": "Patient", "path": "Patient", "max": "1"}]}))
    path = "StructureDefinition.snapshot.element[0] (Patient)"
    assert faults_of(tmp_path) == [("definitions.element-broken", "a.json", path)]


def test_a_missing_member_of_the_definition_is_named(tmp_path):
    nameless = profile()
    del nameless["name"]
    write(tmp_path, a=nameless)
    assert faults_of(tmp_path) == [("definitions.member-missing", "a.json", "StructureDefinition.name")]


def test_canonicals_of_our_own_base_must_be_defined(tmp_path):
    element = {
        "id": "Patient.gender",
        "path": "Patient.gender",
        "min": 0,
        "max": "1",
        "binding": {"strength": "required", "valueSet": "http://jtys.example/fhir/ValueSet/none|1"},
    }
    write(tmp_path, a=profile(snapshot={"element": [element]}))
    path = "StructureDefinition.snapshot.element (Patient.gender)"
    assert faults_of(tmp_path) == [("definitions.canonical-unknown", "a.json", path)]


def test_a_package_that_is_not_there_is_named(tmp_path):
    assert faults_of(tmp_path / "none.tgz") == [("definitions.package-unreadable", "none.tgz", "")]


def test_an_archive_that_is_none_is_named(tmp_path):
    (tmp_path / "bad.tgz").write_bytes(b"not an archive")
    assert faults_of(tmp_path / "bad.tgz") == [("definitions.package-unreadable", "bad.tgz", "")]


def test_everything_wrong_is_said_at_once(tmp_path):
    write(tmp_path, a="{", b=profile(baseDefinition="http://example.org/none"), c=search_parameter(type="text"))
    assert [key for key, _, _ in faults_of(tmp_path)] == [
        "definitions.json-broken",
        "definitions.canonical-unknown",
        "definitions.member-invalid",
    ]


def test_the_sentence_names_file_and_place_in_both_languages(tmp_path):
    write(tmp_path, a=profile(baseDefinition="http://example.org/none"))
    with pytest.raises(DefinitionError) as caught:
        load_definitions(packages=[tmp_path])
    (issue,) = caught.value.issues
    assert issue.text() == (
        f"{tmp_path / 'a.json'}: StructureDefinition.baseDefinition names 'http://example.org/none', "
        "which neither R4 nor a loaded package defines."
    )
    assert issue.text("zh") == (
        f"{tmp_path / 'a.json'}：StructureDefinition.baseDefinition 引用了 'http://example.org/none'，"
        "R4 与已加载的包均未定义它。"
    )


def test_a_search_parameter_of_a_package_joins_its_type(tmp_path):
    write(tmp_path, a=search_parameter(base=["Patient", "Practitioner"]))
    resources = load_definitions(packages=[tmp_path]).resources
    assert resources["Patient"].search["nickname"].bases == ("Patient",)
    assert resources["Patient"].search["nickname"].expression == "Patient.name.where(use = 'nickname').text"
    assert resources["Practitioner"].search["nickname"].bases == ("Practitioner",)


@pytest.mark.parametrize(
    ("members", "key", "path"),
    [
        ({"code": ""}, "definitions.member-missing", "SearchParameter.code"),
        ({"expression": ""}, "definitions.member-missing", "SearchParameter.expression"),
        ({"base": []}, "definitions.member-missing", "SearchParameter.base"),
        ({"base": ["Pupil"]}, "definitions.member-invalid", "SearchParameter.base"),
        ({"type": "text"}, "definitions.member-invalid", "SearchParameter.type"),
        ({"code": "birthdate"}, "definitions.code-taken", "SearchParameter.code"),
        ({"code": "_id"}, "definitions.code-taken", "SearchParameter.code"),
    ],
)
def test_a_faulty_search_parameter_is_refused(tmp_path, members, key, path):
    write(tmp_path, a=search_parameter(**members))
    assert faults_of(tmp_path) == [(key, "a.json", path)]


def test_two_parameters_of_a_type_cannot_share_a_code(tmp_path):
    write(tmp_path, a=search_parameter(), b=search_parameter(url="http://example.org/SearchParameter/t"))
    assert faults_of(tmp_path) == [("definitions.code-taken", "b.json", "SearchParameter.code")]
