"""JSON of another type where rules look things up: told once where it stands, and nothing stops, https://hl7.org/fhir/R4/json.html."""

import pytest

from fhir_server.validation.policy import Policy, References

STRICT = Policy(strict=True)
BASE = "http://a.b/fhir"
OTHER = pytest.mark.parametrize("other", [[], {}, ["next"], {"a": "b"}, 1, True], ids=repr)
POLICY = pytest.mark.parametrize("policy", [Policy(), STRICT], ids=["server", "strict"])


def keys(found):
    return {(key.removeprefix("validation."), path) for _, key, path in found}


@OTHER
def test_a_bundle_of_no_type_has_its_entries_and_links_checked(check, other):
    bundle = {
        "resourceType": "Bundle",
        "type": other,
        "entry": [{"resource": {"resourceType": "Patient", "gender": "x"}}],
        "link": [{"relation": "next", "url": "http://a.b"}, {"relation": other, "url": "http://a.b"}],
    }
    assert keys(check(bundle, policy=STRICT)) >= {
        ("bundle-full-url-missing", "Bundle.entry[0]"),
        ("binding-required", "Bundle.entry[0].resource.gender"),
        ("bundle-link-paging", "Bundle.link[0].relation"),
        ("json-type", "Bundle.link[1].relation"),
    }


@OTHER
@POLICY
def test_a_reference_to_what_has_no_type_is_not_judged_by_type(check, policy, other):
    observation = {
        "resourceType": "Observation",
        "id": "2",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/1", "type": "Patient"},
    }
    nobody = {"resourceType": other, "id": "1"}
    entries = [
        {"fullUrl": f"{BASE}/Observation/2", "resource": observation},
        {"fullUrl": f"{BASE}/Patient/1", "resource": nobody},
    ]
    found = check({"resourceType": "Bundle", "type": "collection", "entry": entries}, policy=policy)
    assert {one for one in keys(found) if "entry[1]" in one[1]} == {
        ("bundle-full-url-id", "Bundle.entry[1].fullUrl"),
        ("resource-type-unknown", "Bundle.entry[1].resource"),
    }
    assert {one for one in found if "entry[0]" in one[2] and one[0] == "error"} == set()


@OTHER
@POLICY
def test_what_invariants_cannot_look_into_is_told_where_it_stands(check, policy, other):
    entry = {"fullUrl": f"{BASE}/Patient/1", "resource": {"resourceType": other, "id": "1"}}
    found = check({"resourceType": "Bundle", "type": "document", "entry": [entry]}, policy=policy)
    assert ("resource-type-unknown", "Bundle.entry[0].resource") in keys(found)
    questionnaire = {
        "resourceType": "Questionnaire",
        "status": "draft",
        "contained": [{"resourceType": other, "id": "a"}],
    }
    found = check(questionnaire, policy=policy)
    assert ("resource-type-unknown", "Questionnaire.contained[0]") in keys(found)


@OTHER
def test_what_is_found_outside_may_have_no_type(check, other):
    appointment = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": "Patient/1"}}
    policy = Policy(references=References.TYPE)
    found = check(appointment, policy=policy, resolve={"Patient/1": {"resourceType": other}}.get)
    assert {one for one in found if one[0] == "error"} == set()
