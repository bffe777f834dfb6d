"""Invariants that look outside: resolve(), memberOf(), conformsTo(), https://hl7.org/fhir/R4/fhirpath.html#functions."""

import pytest

PATIENT = {"resourceType": "Patient"}
ORGANIZATION = {"resourceType": "Organization", "id": "o", "name": "x"}


def demanding(profile, type_, expression, **more: object):
    constraint = [{"key": "t-1", "severity": "error", "human": "x", "expression": expression}]
    definition = profile(type_, **more)
    definition["snapshot"]["element"][0]["constraint"] = constraint
    return definition


def holds(found):
    return "t-1" not in {key for _, key, _ in found}


def test_resolve_finds_a_contained_resource(check_profile, profile):
    check = check_profile(demanding(profile, "Patient", "managingOrganization.resolve().name = 'x'"))
    managed = {**PATIENT, "managingOrganization": {"reference": "#o"}}
    assert holds(check({**managed, "contained": [ORGANIZATION]}))
    assert not holds(check({**managed, "contained": [{**ORGANIZATION, "name": "y"}]}))


def test_resolve_finds_a_resource_in_the_same_bundle(check_profile, profile):
    inner = demanding(profile, "Patient", "managingOrganization.resolve().name = 'x'", name="inner")
    check = check_profile(profile("Bundle", name="any"), inner)
    meta = {"meta": {"profile": [inner["url"]]}}
    patient = {**PATIENT, **meta, "id": "1", "managingOrganization": {"reference": "Organization/o"}}

    def bundle(base):
        entries = [
            {"fullUrl": "https://a.b/Patient/1", "resource": patient},
            {"fullUrl": f"{base}/Organization/o", "resource": ORGANIZATION},
        ]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}

    assert holds(check(bundle("https://a.b")))
    assert not holds(check(bundle("https://other")))


def test_resolve_looks_from_a_bundle_into_what_its_entries_contain(check_profile, profile):
    expression = "entry.resource.ofType(Patient).all(managingOrganization.resolve().exists())"
    check = check_profile(demanding(profile, "Bundle", expression))
    patient = {**PATIENT, "managingOrganization": {"reference": "#o"}}

    def bundle(*contained: object):
        resource = {**patient, "contained": list(contained)} if contained else patient
        entry = {"fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "resource": resource}
        return {"resourceType": "Bundle", "type": "collection", "entry": [entry]}

    assert holds(check(bundle(ORGANIZATION)))
    assert not holds(check(bundle()))


@pytest.mark.parametrize(("gender", "is_member"), [("male", True), ("x", False)])
def test_member_of_asks_the_value_set(check_profile, profile, gender, is_member):
    check = check_profile(
        demanding(profile, "Patient", "gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')")
    )
    assert holds(check({**PATIENT, "gender": gender})) == is_member


def test_conforms_to_asks_the_profile(check_profile, profile):
    named = profile("Patient", {"id": "Patient.name", "min": 1}, name="named")
    check = check_profile(demanding(profile, "Patient", f"conformsTo('{named['url']}')"), named)
    assert holds(check({**PATIENT, "name": [{"text": "x"}]}))
    assert not holds(check(PATIENT))
