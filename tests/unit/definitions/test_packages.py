"""A broken definition is an error at load that names its file and path."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fhir_server.definitions.findings import DefinitionError
from fhir_server.definitions.library import DEFAULT_BASE, Places
from fhir_server.definitions.packages import read_definitions

PATIENT = "http://hl7.org/fhir/StructureDefinition/Patient"
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


@pytest.fixture
def house(tmp_path):
    """Returns the root of a house that has no profiles and supports Patient and Practitioner."""
    (tmp_path / "house" / "profiles").mkdir(parents=True)
    for type_ in ("Patient", "Practitioner"):
        folder = tmp_path / "house" / "conformance" / "resources" / type_
        (folder / "search").mkdir(parents=True)
        (folder / "type.toml").write_text('interactions = ["read"]', encoding="utf-8")
    return tmp_path / "house"


@pytest.fixture
def load(house):
    """Returns a function that loads the house with the given packages."""
    return lambda *packages, base=DEFAULT_BASE: read_definitions(
        Places(house / "profiles", house / "conformance", packages), base
    )


@pytest.fixture
def faults_of(load):
    """Returns a function that gives (key, file name, path) of everything that loading finds."""

    def faults(*packages: Path):
        with pytest.raises(DefinitionError) as caught:
            load(*packages)
        return [(i.key, Path(i.params["file"]).name, i.path) for i in caught.value.issues]

    return faults


@pytest.fixture
def package(tmp_path):
    (tmp_path / "package-of-others").mkdir()
    return tmp_path / "package-of-others"


def notes_of(definitions: Any):
    assert {i.severity for i in definitions.findings} <= {"warning"}
    return [(i.key, Path(i.params["file"]).name, i.path) for i in definitions.findings]


def write(folder: Path, **resources: Any):
    folder.mkdir(parents=True, exist_ok=True)
    for name, resource in resources.items():
        text = resource if isinstance(resource, str) else json.dumps(resource)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def test_a_folder_is_a_package(package, load):
    write(package, a=profile())
    found = load(package).structure(URL)
    assert (found.name, found.source) == ("P", str(package / "a.json"))


def test_an_archive_is_a_package(tmp_path, load):
    archive = tmp_path / "some.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("package/package.json", "package/a.json", "package/example/b.json"):
            content = json.dumps(profile() if name == "package/a.json" else {}).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert load(archive).structure(URL).source == f"{archive}!package/a.json"


def test_broken_json_names_the_file(package, faults_of):
    write(package, a='{"resourceType": ')
    assert faults_of(package) == [("definitions.json-broken", "a.json", "")]


def test_a_file_without_resource_type_is_refused(package, faults_of):
    write(package, a={"id": "x"})
    assert faults_of(package) == [("definitions.member-missing", "a.json", "Resource.resourceType")]


def test_a_definition_needs_url_and_id(package, faults_of):
    no_url, no_id = profile(), profile()
    del no_url["url"], no_id["id"]
    write(package, a=no_url, b=no_id)
    assert faults_of(package) == [
        ("definitions.member-missing", "a.json", "StructureDefinition.url"),
        ("definitions.member-missing", "b.json", "StructureDefinition.id"),
    ]


def test_a_canonical_url_of_ours_may_stand_once(house, faults_of):
    write(house / "profiles" / "x" / "definitions", a=profile(), b=profile(name="Q"))
    assert faults_of() == [("definitions.duplicate", "b.json", "StructureDefinition.url")]


def test_of_one_url_in_two_packages_the_first_counts_and_the_other_is_noted(tmp_path, load):
    write(tmp_path / "p", a=profile())
    write(tmp_path / "q", b=profile(name="Q"), c=profile(url=URL + "2", id="c"))
    definitions = load(tmp_path / "p", tmp_path / "q")
    assert (definitions.structure(URL).name, [s.url for s in definitions.profiles()]) == ("P", [URL, URL + "2"])
    assert notes_of(definitions) == [("definitions.duplicate", "b.json", "StructureDefinition.url")]


def test_the_same_definition_in_two_packages_is_no_news(tmp_path, load):
    write(tmp_path / "p", a=profile())
    write(tmp_path / "q", b=profile())
    assert load(tmp_path / "p", tmp_path / "q").findings == ()


def test_ours_counts_where_a_package_has_its_url(house, package, load):
    write(house / "profiles" / "x" / "definitions", p=profile(name="Ours"))
    write(package, a=profile())
    definitions = load(package)
    assert definitions.structure(URL).name == "Ours"
    assert notes_of(definitions) == [("definitions.duplicate", "a.json", "StructureDefinition.url")]


def test_both_versions_of_one_url_can_be_asked_for(tmp_path, load):
    for name, version in (("p", "2"), ("q", "1")):
        system = {"resourceType": "CodeSystem", "id": "c", "url": "http://example.org/c", "content": "complete"}
        write(tmp_path / name, c=system | {"version": version})
    definitions = load(tmp_path / "p", tmp_path / "q")
    asked = ("http://example.org/c", "http://example.org/c|1", "http://example.org/c|2", "http://example.org/c|3")
    assert [definitions.code_system(url)["version"] for url in asked] == ["2", "1", "2", "2"]


def test_a_profile_needs_its_snapshot(package, faults_of):
    bare = profile()
    del bare["snapshot"]
    write(package, a=bare, b=profile(url=URL + "2", snapshot={"element": []}))
    assert faults_of(package) == [
        ("definitions.snapshot-missing", "a.json", "StructureDefinition.snapshot"),
        ("definitions.snapshot-missing", "b.json", "StructureDefinition.snapshot"),
    ]


def test_the_base_of_a_profile_must_be_known(package, faults_of):
    write(package, a=profile(baseDefinition="http://example.org/none"))
    assert faults_of(package) == [("definitions.canonical-unknown", "a.json", "StructureDefinition.baseDefinition")]


def test_a_profile_may_stand_on_another_of_its_package(package, load):
    write(package, a=profile(baseDefinition=URL + "2"), b=profile(url=URL + "2"))
    assert load(package).structure(URL).base == URL + "2"


def test_ours_cannot_redefine_r4s_own_structures(house, faults_of):
    write(house / "profiles" / "x" / "definitions", a=profile(url=PATIENT))
    assert faults_of() == [("definitions.redefines-r4", "a.json", "StructureDefinition.url")]


def test_r4s_own_structure_counts_where_a_package_has_a_copy(package, load):
    write(package, a=profile(url=PATIENT), b=profile())
    definitions = load(package)
    assert (definitions.structure(PATIENT).source, [s.url for s in definitions.profiles()]) == ("", [URL])
    assert notes_of(definitions) == [("definitions.redefines-r4", "a.json", "StructureDefinition.url")]


def test_newer_terminology_replaces_r4s(package, load):
    url = "http://hl7.org/fhir/administrative-gender"
    system = {"resourceType": "CodeSystem", "id": "g", "url": url, "content": "complete", "version": "9"}
    write(package, a=system)
    assert load(package).code_system(url)["version"] == "9"


def test_a_broken_element_is_named_by_its_place(package, faults_of):
    write(package, a=profile(snapshot={"element": [{"id": "Patient", "path": "Patient", "max": "1"}]}))
    path = "StructureDefinition.snapshot.element[0] (Patient)"
    assert faults_of(package) == [("definitions.element-broken", "a.json", path)]


def test_a_missing_member_of_the_definition_is_named(package, faults_of):
    nameless = profile()
    del nameless["name"]
    write(package, a=nameless)
    assert faults_of(package) == [("definitions.member-missing", "a.json", "StructureDefinition.name")]


def test_canonicals_of_our_own_base_must_be_defined(package, faults_of):
    element = {
        "id": "Patient.gender",
        "path": "Patient.gender",
        "min": 0,
        "max": "1",
        "binding": {"strength": "required", "valueSet": "http://jtys.example/fhir/ValueSet/none|1"},
    }
    write(package, a=profile(snapshot={"element": [element]}))
    path = "StructureDefinition.snapshot.element (Patient.gender)"
    assert faults_of(package) == [("definitions.canonical-unknown", "a.json", path)]


def test_a_package_that_is_not_there_is_named(tmp_path, package, faults_of):
    assert faults_of(tmp_path / "none.tgz") == [("definitions.package-unreadable", "none.tgz", "")]


def test_an_archive_that_is_none_is_named(tmp_path, package, faults_of):
    (tmp_path / "bad.tgz").write_bytes(b"not an archive")
    assert faults_of(tmp_path / "bad.tgz") == [("definitions.package-unreadable", "bad.tgz", "")]


def test_everything_wrong_is_said_at_once(package, faults_of):
    write(package, a="{", b=profile(baseDefinition="http://example.org/none"), c=search_parameter(type="text"))
    assert [key for key, _, _ in faults_of(package)] == [
        "definitions.json-broken",
        "definitions.canonical-unknown",
        "definitions.member-invalid",
    ]


def test_the_sentence_names_file_and_place_in_both_languages(package, load):
    write(package, a=profile(baseDefinition="http://example.org/none"))
    with pytest.raises(DefinitionError) as caught:
        load(package)
    (issue,) = caught.value.issues
    assert issue.text() == (
        f"{package / 'a.json'}: StructureDefinition.baseDefinition names 'http://example.org/none', "
        "which neither R4 nor a loaded package defines."
    )
    assert issue.text("zh") == (
        f"{package / 'a.json'}：StructureDefinition.baseDefinition 引用了 'http://example.org/none'，"
        "R4 与已加载的包均未定义它。"
    )


def test_a_search_parameter_of_a_package_joins_its_type(package, load):
    write(package, a=search_parameter(base=["Patient", "Practitioner"]))
    resources = load(package).resources
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
def test_a_faulty_search_parameter_is_refused(package, faults_of, members, key, path):
    write(package, a=search_parameter(**members))
    assert faults_of(package) == [(key, "a.json", path)]


def test_two_parameters_of_a_type_cannot_share_a_code(package, faults_of):
    write(package, a=search_parameter(), b=search_parameter(url="http://example.org/SearchParameter/t"))
    assert faults_of(package) == [("definitions.code-taken", "b.json", "SearchParameter.code")]


def test_our_profiles_take_their_chinese_sentences_from_their_package(house, load):
    constraint = {"key": "x-1", "severity": "error", "human": "A name", "expression": "name.exists()"}
    element = {"id": "Patient", "path": "Patient", "min": 0, "max": "*", "constraint": [constraint]}
    write(house / "profiles" / "x" / "definitions", p=profile(snapshot={"element": [element]}))
    write(house / "profiles" / "x", **{"messages.zh": {"x-1": "须有姓名"}})
    found = load().structure(URL)
    assert (found.source, found.elements[0].constraints[0].zh) == ("profiles/x/definitions/p.json", "须有姓名")


def test_another_base_replaces_ours_in_our_files_alone(house, package, load):
    write(house / "profiles" / "x" / "definitions", p=profile(url=DEFAULT_BASE + "/StructureDefinition/p"))
    write(package, q=profile(url=DEFAULT_BASE + "/StructureDefinition/q", id="q"))
    found = [p.url for p in load(package, base="http://b.example").profiles()]
    assert found == ["http://b.example/StructureDefinition/p", DEFAULT_BASE + "/StructureDefinition/q"]


def test_cases_beside_a_search_parameter_are_no_definitions(house, load):
    folder = house / "conformance" / "resources" / "Patient" / "search"
    write(folder, nickname=search_parameter(), **{"nickname.cases": {"resources": [], "searches": []}})
    definitions = load()
    assert definitions.resources["Patient"].search["nickname"].kind == "string"
    assert [r["id"] for r in definitions.conformance_resources("SearchParameter")] == ["s"]


def test_our_search_parameter_speaks_of_its_own_folder(house, faults_of):
    write(house / "conformance" / "resources" / "Practitioner" / "search", nickname=search_parameter())
    assert faults_of() == [("definitions.member-invalid", "nickname.json", "SearchParameter.base")]


def test_broken_sentences_are_named(house, faults_of):
    write(house / "profiles" / "x", **{"messages.zh": "["})
    assert faults_of() == [("definitions.json-broken", "messages.zh.json", "")]
