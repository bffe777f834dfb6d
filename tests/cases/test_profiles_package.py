"""The family-doctor package is whole: definitions, examples, terminology, invariants, search parameters."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fhir_server import fhirpath
from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.registry import Definitions
from fhir_server.terminology import LocalTerminology

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "profiles" / "fd-contract"
BASE = "http://jtys.example/fhir"
RECORDED = Path(__file__).parent / "data" / "invariants.json"
RECORDED_PROFILES = {
    "FdPatient": {"fd-patient"},
    "FdCareTeam": {"fd-care-team", "fd-team"},
    "FdContractEpisode": {"fd-contract-episode"},
    "FdObservation": {"fd-observation"},
    "FdBP": {"fd-bp"},
    "FdUpReferral": {"fd-up-referral"},
    "FdDownReferral": {"fd-down-referral"},
}
DEFINITIONS = sorted((PACKAGE / "definitions").glob("*.json"))
VALID = sorted(p for p in (PACKAGE / "examples/valid").glob("*.json") if not p.name.endswith(".issues.json"))
INVALID = sorted(p for p in (PACKAGE / "examples/invalid").glob("*.json") if not p.name.endswith(".issues.json"))
SEARCH = sorted(
    p for p in (ROOT / "conformance/resources").glob("*/search/*.json") if not p.name.endswith(".cases.json")
)


@cache
def definitions() -> Definitions:
    return load_definitions()


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def compiled(kind: str) -> list[dict[str, Any]]:
    return [read(path) for path in DEFINITIONS if path.name.startswith(f"{kind}-")]


def resource_profiles() -> list[dict[str, Any]]:
    return [one for one in compiled("StructureDefinition") if one["kind"] == "resource"]


def profiles_of(example: Path) -> list[str]:
    return read(example)["meta"]["profile"]


def concepts(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in items:
        yield one
        yield from concepts(one.get("concept", []))


def named(path: Path) -> str:
    return f"{path.parent.parent.name}-{path.stem}" if path.parent.name == "search" else path.stem


def test_every_profile_file_is_loaded():
    files = {one["url"] for one in compiled("StructureDefinition")}
    assert {one.url for one in definitions().profiles()} == files


def test_the_first_version_has_these_profiles():
    assert {one["id"] for one in resource_profiles()} == {
        "fd-patient",
        "fd-care-team",
        "fd-team",
        "fd-contract-episode",
        "fd-observation",
        "fd-bp",
        "fd-heart-rate",
        "fd-weight",
        "fd-bmi",
        "fd-lifestyle",
        "fd-referral",
        "fd-up-referral",
        "fd-down-referral",
        "fd-referral-task",
    }


@pytest.mark.parametrize("path", DEFINITIONS, ids=named)
def test_a_definition_is_named_after_its_url_and_loads_in_an_independent_library(path: Path):
    from fhir.resources.R4B import get_fhir_model_class

    resource = read(path)
    type_ = resource["resourceType"]
    assert path.name == f"{type_}-{resource['id']}.json"
    assert resource["url"].startswith("urn:oid:") or resource["url"] == f"{BASE}/{type_}/{resource['id']}"
    get_fhir_model_class(type_).model_validate(resource)


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=named)
def test_an_example_is_synthetic_and_names_a_profile_of_its_type(path: Path):
    resource = read(path)
    assert resource["id"] == path.stem
    assert {"HTEST"} == {tag["code"] for tag in resource["meta"]["tag"]}
    types = {structure.type for url in profiles_of(path) if (structure := definitions().structure(url))}
    assert types == {resource["resourceType"]}


@pytest.mark.parametrize("path", VALID, ids=named)
def test_a_valid_example_loads_in_an_independent_library(path: Path):
    from fhir.resources.R4B import get_fhir_model_class

    resource = read(path)
    assert get_fhir_model_class(resource["resourceType"]).model_validate(resource).id == path.stem


def test_every_profile_has_two_valid_and_one_invalid_example():
    valid = [url for path in VALID for url in profiles_of(path)]
    invalid = {url for path in INVALID for url in profiles_of(path)}
    urls = {one["url"] for one in resource_profiles()}
    assert {url for url in urls if valid.count(url) < 2} == set()
    assert urls - invalid == set()


def test_every_invalid_example_lists_its_findings():
    for path in INVALID:
        findings = read(path.with_name(f"{path.stem}.issues.json"))
        assert findings, path.name
        assert all(set(one) == {"key", "path", "severity"} for one in findings), path.name


def own_constraints() -> dict[str, set[tuple[str, str, str, str, str]]]:
    """Returns (key, severity, human, expression, Chinese) of every constraint of ours, by profile id."""
    found: dict[str, set[tuple[str, str, str, str, str]]] = {}
    for profile in resource_profiles():
        structure = definitions().structure(profile["url"])
        assert structure is not None
        constraints = [c for element in structure.elements for c in element.constraints if c.zh]
        found[profile["id"]] = {(c.key, c.severity, c.human, c.expression, c.zh) for c in constraints}
    return found


def test_invariants_are_the_recorded_ones():
    wanted: dict[str, set[tuple[str, str, str, str, str]]] = {}
    for one in read(RECORDED):
        fact = (one["key"], one["severity"], one["human"], one["expression"].replace("{B}", BASE), one["message_zh"])
        for profile in RECORDED_PROFILES.get(one["profile"], ()):
            wanted.setdefault(profile, set()).add(fact)
    wanted["fd-team"] = {fact for fact in wanted["fd-team"] if fact[0] not in {"ct-1", "ct-2"}}
    for profile in ("fd-bp", "fd-heart-rate", "fd-weight", "fd-bmi", "fd-lifestyle"):
        wanted[profile] = wanted.get(profile, set()) | wanted["fd-observation"]
    assert {profile: facts for profile, facts in own_constraints().items() if facts} == wanted


def test_every_invariant_has_an_invalid_example():
    keys = {fact[0] for facts in own_constraints().values() for fact in facts}
    shown = {one["key"] for path in INVALID for one in read(path.with_name(f"{path.stem}.issues.json"))}
    assert keys - shown == set()
    assert keys == set(read(PACKAGE / "messages.zh.json"))


@pytest.mark.parametrize("system", compiled("CodeSystem"), ids=lambda one: one["id"])
def test_a_code_system_has_unique_codes_with_displays(system: dict[str, Any]):
    listed = list(concepts(system["concept"]))
    codes = [one["code"] for one in listed]
    assert len(set(codes)) == len(codes)
    assert system["content"] == ("fragment" if system["id"] == "admin-division" else "complete")
    assert all(one["display"] for one in listed)


def test_every_value_set_that_an_instance_is_held_to_expands():
    terminology = LocalTerminology(definitions())
    bound = {
        element.binding.value_set
        for structure in definitions().profiles()
        for element in structure.elements
        if element.binding
        and element.binding.strength != "preferred"
        and (element.binding.value_set or "").startswith(BASE)
    }
    assert {url for url in bound if not terminology.expand(url)} == set()
    assert f"{BASE}/ValueSet/contract-status" in bound


def test_only_closed_lists_are_bound_as_required():
    closed = {"contract-status", "contract-type", "key-population"}
    for structure in definitions().profiles():
        for element in structure.elements:
            binding = element.binding
            if binding and binding.strength == "required" and (binding.value_set or "").startswith(BASE):
                is_code = [type_.code for type_ in element.types] == ["code"]
                assert is_code or (binding.value_set or "").rsplit("/", 1)[1] in closed, element.id


def test_the_status_table_covers_every_contract_status():
    (table,) = compiled("ConceptMap")
    rows = table["group"][0]["element"]
    (system,) = [one for one in compiled("CodeSystem") if one["id"] == "contract-status"]
    assert [row["code"] for row in rows] == [one["code"] for one in system["concept"]]
    targets = {row["target"][0]["code"] for row in rows}
    assert targets == {"planned", "active", "finished", "cancelled", "entered-in-error"}


@pytest.mark.parametrize("path", SEARCH, ids=named)
def test_a_search_parameter_of_ours_stands_in_its_place_and_compiles(path: Path):
    from fhir.resources.R4B.searchparameter import SearchParameter

    parameter = read(path)
    type_ = path.parents[1].name
    assert (parameter["code"], parameter["base"]) == (path.stem, [type_])
    assert parameter["url"] == f"{BASE}/SearchParameter/{type_}-{path.stem}"
    SearchParameter.model_validate(parameter)
    assert definitions().resources[type_].search[path.stem].url == parameter["url"]
    assert fhirpath.compile(parameter["expression"], type_).nodes({"resourceType": type_}) == []


@pytest.mark.parametrize("path", SEARCH, ids=named)
def test_a_search_parameter_of_ours_has_cases_that_find_and_cases_that_do_not(path: Path):
    cases = read(path.with_name(f"{path.stem}.cases.json"))
    ids = {one["id"] for one in cases["resources"]}
    assert all(set(one["ids"]) <= ids for one in cases["searches"])
    assert any(one["ids"] for one in cases["searches"])
    assert any(set(one["ids"]) != ids for one in cases["searches"])
    assert all(one["query"].startswith((f"{path.stem}=", f"{path.stem}:")) for one in cases["searches"])
