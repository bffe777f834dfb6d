"""References, contained resources and Bundles, https://hl7.org/fhir/R4/references.html."""

import pytest

from fhir_server.validation.policy import Policy

PATIENT = {"resourceType": "Patient"}
ORGANIZATION = {"resourceType": "Organization", "name": "x"}
PRACTITIONER = {"resourceType": "Practitioner"}
WRONG = ("error", "validation.reference-target", "Patient.managingOrganization")


def managed(reference, **more: object):
    return {**PATIENT, "managingOrganization": reference, **more}


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "Practitioner/1"},
        {"reference": "Practitioner/1/_history/2"},
        {"reference": "https://a.b/fhir/Practitioner/1"},
        {"reference": "Practitioner?identifier=1"},
        {"type": "Practitioner", "display": "x"},
        {"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "type": "Practitioner"},
    ],
)
def test_a_target_of_another_type_is_an_error(check, reference):
    assert check(managed(reference)) == {WRONG}


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "Organization/1"},
        {"reference": "https://a.b/fhir/Organization/1"},
        {"reference": "Organization?identifier=1"},
        {"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},
        {"reference": "https://a.b/something"},
        {"identifier": {"system": "urn:s", "value": "1"}},
        {"display": "x"},
        {"reference": "Organization/1", "type": "Organization"},
    ],
)
def test_a_target_of_an_allowed_or_unknown_type_is_fine(check, reference):
    assert check(managed(reference)) == set()


def test_a_reference_type_of_another_model_is_no_error(check):
    found = check(managed({"reference": "Organization/1", "type": "http://a.b/logical"}))
    assert found == {("warning", "validation.binding-extensible", "Patient.managingOrganization.type")}


def test_reference_type_agrees_with_the_target(check):
    found = check(managed({"reference": "Organization/1", "type": "Practitioner"}))
    assert found == {("error", "validation.reference-type", "Patient.managingOrganization.type")}


def test_a_reference_to_nothing_is_a_warning(check):
    found = check(managed({"type": "Organization"}))
    assert found == {("warning", "validation.reference-empty", "Patient.managingOrganization")}


def test_a_local_reference_needs_its_contained_resource(check):
    assert check(managed({"reference": "#o"}, contained=[{**ORGANIZATION, "id": "o"}])) == set()
    assert check(managed({"reference": "#o"})) == {("error", "ref-1", "Patient.managingOrganization")}


def test_a_contained_target_is_known_by_its_own_type(check):
    assert check(managed({"reference": "#o"}, contained=[{**PRACTITIONER, "id": "o"}])) == {WRONG}


def test_a_contained_resource_nobody_points_at_is_an_error(check):
    found = check({**PATIENT, "contained": [{**ORGANIZATION, "id": "o"}]})
    assert found == {("error", "dom-3", "Patient.contained[0]")}


@pytest.mark.parametrize(
    "content",
    [
        {"managingOrganization": {"reference": "#o"}, "contained": [{**ORGANIZATION, "id": "o"}]},
        {"contained": [{**ORGANIZATION, "id": "o", "partOf": {"reference": "#"}}]},
        {
            "managingOrganization": {"reference": "#o"},
            "contained": [{**ORGANIZATION, "id": "p"}, {**ORGANIZATION, "id": "o", "partOf": {"reference": "#p"}}],
        },
        {
            "text": {
                "status": "generated",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml"><a href="#o">x</a></div>',
            },
            "contained": [{**ORGANIZATION, "id": "o"}],
        },
    ],
)
def test_a_contained_resource_is_reached_from_the_container_or_points_back(check, content):
    keys = {key for _, key, _ in check({**PATIENT, **content})}
    assert keys & {"dom-3", "ref-1"} == set()


def test_contained_resources_that_only_point_at_each_other_are_unreached(check):
    one, two = ({**ORGANIZATION, "id": a, "partOf": {"reference": f"#{b}"}} for a, b in ("op", "po"))
    found = check({**PATIENT, "contained": [one, two]})
    assert found == {("error", "dom-3", f"Patient.contained[{i}]") for i in (0, 1)}


def test_contained_ids_are_unique(check):
    twice = [{**ORGANIZATION, "id": "o"}, {**ORGANIZATION, "id": "o"}]
    found = check(managed({"reference": "#o"}, contained=twice))
    assert ("error", "validation.contained-id", "Patient.contained[1]") in found


def test_resources_within_are_checked_like_any_other(check):
    found = check(managed({"reference": "#o"}, contained=[{**ORGANIZATION, "id": "o", "foo": 1}]))
    assert found == {("error", "validation.unknown-element", "Patient.contained[0]")}
    entries = [{"resource": {**PATIENT, "gender": 5}}, {"resource": {"resourceType": "Foo"}}, {"resource": 5}]
    found = check({"resourceType": "Bundle", "type": "collection", "entry": entries})
    assert found == {
        ("error", "validation.json-type", "Bundle.entry[0].resource.gender"),
        ("error", "validation.resource-type-unknown", "Bundle.entry[1].resource"),
        ("error", "validation.json-type", "Bundle.entry[2].resource"),
    }


def bundle(*entries: object):
    return {"resourceType": "Bundle", "type": "collection", "entry": list(entries)}


URN = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"


@pytest.mark.parametrize(("target", "faults"), [(ORGANIZATION, set()), (PRACTITIONER, {"validation.reference-target"})])
def test_a_target_in_the_same_bundle_is_known_by_its_own_type(check, target, faults):
    first = {"fullUrl": "https://a.b/fhir/Patient/1", "resource": {**managed({"reference": URN}), "id": "1"}}
    found = check(bundle(first, {"fullUrl": URN, "resource": target}))
    assert {key for _, key, _ in found} == faults


def test_an_entry_is_a_root_of_its_own(check):
    entry = managed({"reference": "#o"}, contained=[{**ORGANIZATION, "id": "o"}])
    assert check(bundle({"fullUrl": URN, "resource": entry})) == set()
    found = check(bundle({"fullUrl": URN, "resource": managed({"reference": "#o"})}))
    assert found == {("error", "ref-1", "Bundle.entry[0].resource.managingOrganization")}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("Patient/1", "bundle-full-url"),
        ("https://a.b/Patient/2", "bundle-full-url-id"),
        ("https://a.b/Person/1", "bundle-full-url-id"),
    ],
)
def test_a_full_url_is_absolute_and_names_its_resource(check, url, key):
    found = check(bundle({"fullUrl": url, "resource": {**PATIENT, "id": "1"}}))
    assert found == {("error", f"validation.{key}", "Bundle.entry[0].fullUrl")}


@pytest.mark.parametrize("url", ["https://a.b/fhir/Patient/1", URN, "https://a.b/other"])
def test_a_sound_full_url_has_no_findings(check, url):
    assert check(bundle({"fullUrl": url, "resource": {**PATIENT, "id": "1"}})) == set()


def test_a_profile_narrows_the_targets(check_profile, profile):
    target = "http://hl7.org/fhir/StructureDefinition/PractitionerRole"
    types = [{"code": "Reference", "targetProfile": [target]}]
    check = check_profile(profile("Patient", {"id": "Patient.generalPractitioner", "type": types}))
    place = "Patient.generalPractitioner[0]"
    assert check({**PATIENT, "generalPractitioner": [{"reference": "PractitionerRole/1"}]}) == set()
    assert check({**PATIENT, "generalPractitioner": [{"reference": "Practitioner/1"}]}) == {
        ("error", "validation.reference-target", place)
    }


@pytest.mark.parametrize(("is_strict", "severity"), [(True, "error"), (False, "warning")])
def test_a_type_of_r4_is_named_and_not_located(check, is_strict, severity):
    url = "http://hl7.org/fhir/StructureDefinition/Organization"
    found = check(managed({"reference": "Organization/1", "type": url}), policy=Policy(strict=is_strict))
    place = "Patient.managingOrganization.type"
    bound = ("warning", "validation.binding-extensible", place)
    assert found == {bound, (severity, "validation.reference-type-url", place)}
