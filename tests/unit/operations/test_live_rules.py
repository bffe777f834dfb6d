"""What is stored makes rules aside: usable definitions count, others are left out with the reason."""

from functools import cache
from typing import Any

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.interactions.context import RuleSet, rule_set
from fhir_server.operations.live_rules import Live, build_live, in_order
from fhir_server.store.contract import Key

BASE = "http://example.org/fhir/StructureDefinition/"
PATIENT = "http://hl7.org/fhir/StructureDefinition/Patient"
OURS = "http://jtys.example/fhir/StructureDefinition/fd-patient"


@cache
def base() -> RuleSet:
    return rule_set(load_definitions())


def profile(name: str, *elements: dict[str, Any], on: str = PATIENT, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": BASE + name,
        "name": name,
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": on,
        "derivation": "constraint",
        "differential": {"element": [{"path": e["id"], **e} for e in elements]},
        **members,
    }


def needs(name: str, element: str, **members: Any) -> dict[str, Any]:
    return profile(name, {"id": f"Patient.{element}", "min": 1}, **members)


def after(*resources: dict[str, Any], before: Live | None = None, changed: Any = None) -> Live:
    """Returns what counts when these are stored; all of them have changed unless `changed` names fewer."""
    stored = {Key(r["resourceType"], r["id"]): r for r in resources}
    start = before or Live({}, base(), {})
    return build_live(base(), stored, start, stored if changed is None else changed)


def least(live: Live, name: str) -> dict[str, int]:
    """Returns the elements right below Patient that a profile demands."""
    structure = live.rules.definitions.structure(BASE + name)
    paths = {} if structure is None else {e.path: e.min for e in structure.elements if e.path.count(".") == 1}
    return {path.removeprefix("Patient."): number for path, number in paths.items() if number}


def faults(live: Live) -> dict[str, list[tuple[str, str]]]:
    return {key.id: [(i.key, i.path) for i in found] for key, found in live.faults.items()}


def test_profiles_stand_on_each_other_in_any_order():
    live = after(needs("a", "name", on=BASE + "b"), needs("b", "gender", on=BASE + "c"), needs("c", "birthDate"))
    assert least(live, "a") == {"name": 1, "gender": 1, "birthDate": 1}
    assert live.faults == {}


def test_a_profile_changes_with_the_one_that_it_stands_on_and_others_stay_the_very_same():
    first = after(needs("a", "name", on=BASE + "b"), needs("b", "gender"), needs("c", "photo"))
    b, a, c = needs("b", "birthDate"), *(first.stored[Key("StructureDefinition", n)] for n in "ac")
    second = after(a, b, c, before=first, changed={Key("StructureDefinition", "b")})
    assert least(second, "a") == {"name": 1, "birthDate": 1}
    one, other = (live.rules.definitions.structure(BASE + "c") for live in (first, second))
    assert one is other


def test_what_is_no_longer_stored_counts_no_more():
    live = after(before=after(needs("a", "name")), changed={Key("StructureDefinition", "a")})
    assert live.rules.definitions.structure(BASE + "a") is None


def test_what_was_replaced_comes_back():
    replacing = after(needs("a", "photo", url=OURS))
    structures = [live.rules.definitions.structure(OURS) for live in (replacing, after(before=replacing))]
    assert structures[0].source == "StructureDefinition/a"
    assert structures[1] == base().definitions.structure(OURS)


def test_a_copy_of_r4s_own_definition_does_not_count_and_is_no_fault():
    live = after(needs("a", "name", url=PATIENT))
    assert live.faults == {}
    assert live.rules.definitions.structure(PATIENT).source == ""
    assert [(i.severity, i.key) for i in live.rules.definitions.findings] == [("warning", "definitions.redefines-r4")]


RULE = {"key": "x-1", "severity": "error", "human": "x", "expression": "name.exists( and"}
UNUSABLE = {
    "no such element": (
        needs("a", "colour"),
        ("definitions.element-broken", "StructureDefinition.differential.element (Patient.colour)"),
    ),
    "no such base": (
        needs("a", "name", on=BASE + "none"),
        ("definitions.canonical-unknown", "StructureDefinition.baseDefinition"),
    ),
    "its own base": (
        needs("a", "name", on=BASE + "a"),
        ("definitions.element-broken", "StructureDefinition.baseDefinition"),
    ),
    "neither snapshot nor differential": (
        profile("a") | {"differential": {}},
        ("definitions.snapshot-missing", "StructureDefinition.snapshot"),
    ),
    "an invariant that is no FHIRPath": (
        profile("a", {"id": "Patient", "constraint": [RULE]}),
        ("definitions.profile-broken", "StructureDefinition"),
    ),
    "a broken element": (
        profile("a", {"id": "Patient.name", "max": "many"}),
        ("definitions.element-broken", "StructureDefinition.snapshot.element[11] (Patient.name)"),
    ),
    "no url": ({"resourceType": "ValueSet", "id": "a"}, ("definitions.member-missing", "ValueSet.url")),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_left_out_with_the_reason(name):
    resource, expected = UNUSABLE[name]
    live = after(resource, needs("b", "name"))
    assert faults(live) == {"a": [expected]}
    assert [(i.key, i.path) for i in live.rules.definitions.findings] == [expected]
    assert least(live, "b") == {"name": 1}
    assert live.rules.definitions.structure(BASE + "a") is None


def test_a_broken_replacement_leaves_the_package_its_own():
    live = after(needs("a", "colour", url=OURS))
    assert live.rules.definitions.structure(OURS) is base().definitions.structure(OURS)


def test_what_stands_on_a_broken_profile_is_left_out_too():
    assert faults(after(needs("a", "colour"), needs("b", "name", on=BASE + "a"))).keys() == {"a", "b"}


def test_a_profile_counts_once_what_it_lacks_is_there():
    lonely = after(needs("b", "name", on=BASE + "a"))
    assert faults(lonely).keys() == {"b"}
    key = Key("StructureDefinition", "b")
    live = after(lonely.stored[key], needs("a", "gender"), before=lonely, changed={Key("StructureDefinition", "a")})
    assert (least(live, "b"), live.faults) == ({"name": 1, "gender": 1}, {})


def test_the_highest_version_counts_and_of_equal_ones_the_latest_written():
    written = [
        {"id": "a", "version": "1.10", "meta": {"lastUpdated": "2026-01-01T00:00:00Z"}},
        {"id": "b", "version": "1.9", "meta": {"lastUpdated": "2026-01-03T00:00:00Z"}},
        {"id": "c", "version": "1.10", "meta": {"lastUpdated": "2026-01-02T00:00:00Z"}},
        {"id": "d"},
    ]
    assert [r["id"] for r in in_order(written)] == ["d", "b", "a", "c"]


def test_what_has_been_validated_is_compiled_before_the_new_rules_count():
    start = Live({}, rule_set(load_definitions()), {})
    start.rules.validator.check({"resourceType": "Basic"})
    resource = needs("named", "name")
    live = build_live(
        start.rules, {Key("StructureDefinition", "named"): resource}, start, {Key("StructureDefinition", "named")}
    )
    assert live.rules.validator is not start.rules.validator
    assert live.rules.validator.met == {"Basic"}
    again = build_live(start.rules, live.stored, live, {Key("StructureDefinition", "named")})
    assert again.rules.validator.met == {"Basic"}


def test_a_search_parameter_leaves_the_validator_as_it_is():
    before = after(needs("named", "name"))
    key = Key("SearchParameter", "s")
    live = build_live(base(), {**before.stored, key: {"resourceType": "SearchParameter", "id": "s"}}, before, [key])
    assert live.rules.validator is before.rules.validator
    gone = build_live(base(), before.stored, live, [key, Key("StructureDefinition", "other")])
    assert gone.rules.validator is not live.rules.validator
