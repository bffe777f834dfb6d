"""Where references lead: types, profiles of the target, places, the world outside. https://hl7.org/fhir/R4/references.html."""

import json

import pytest

from fhir_server.fhir import json_codec
from fhir_server.validation.policy import Policy, References

CORE = "http://hl7.org/fhir/StructureDefinition"
PATIENT = {"resourceType": "Patient"}
PLACE = "Patient.link[0].other"


def linked(reference, **more: object):
    return {**PATIENT, "link": [{"other": reference, "type": "refer"}], **more}


@pytest.fixture
def checked(r4, validator_of):
    """Returns a function that checks a resource against definitions of the test, with a policy and a world outside."""

    def build(*definitions: object):
        validator = validator_of(*definitions) if definitions else r4

        def check(resource, **options: object):
            decoded = json_codec.decode(json.dumps(resource).encode())
            found = validator.check(decoded, profiles=[definitions[0]["url"]] if definitions else [], **options)
            return {(i.key, i.path) for i in found if i.severity == "error"}

        return check

    return build


@pytest.mark.parametrize(
    ("policy", "faults"),
    [
        (References.IGNORE, set()),
        (References.TYPE_IF_FOUND, set()),
        (References.EXISTS, {("validation.reference-not-found", PLACE)}),
        (References.TYPE, {("validation.reference-not-found", PLACE)}),
        (References.VALID, {("validation.reference-not-found", PLACE)}),
    ],
)
def test_a_target_outside_has_to_exist_if_the_policy_says_so(checked, policy, faults):
    assert checked()(linked({"reference": "Patient/9"}), policy=Policy(references=policy)) == faults


def test_a_target_outside_is_of_an_allowed_type_if_the_policy_says_so(checked):
    world = {"https://a.b/x": {"resourceType": "Group"}}.get
    resource, check = linked({"reference": "https://a.b/x"}), checked()
    assert check(resource, policy=Policy(references=References.EXISTS), resolve=world) == set()
    assert check(resource, policy=Policy(references=References.TYPE), resolve=world) == {
        ("validation.reference-target", PLACE)
    }


def test_a_target_of_examples_need_not_exist(checked):
    resource = linked({"reference": "https://example.org/Patient/1"})
    assert checked()(resource, policy=Policy(references=References.TYPE)) == set()
    strict = Policy(references=References.TYPE, examples=False)
    assert ("validation.reference-not-found", PLACE) in checked()(resource, policy=strict)


@pytest.mark.parametrize(("from_url", "faults"), [(True, {("validation.reference-target", PLACE)}), (False, set())])
def test_the_type_in_a_url_counts_if_the_policy_says_so(checked, from_url, faults):
    assert checked()(linked({"reference": "Group/1"}), policy=Policy(type_from_url=from_url)) == faults


def test_a_strict_policy_looks_at_the_named_type_beside_a_reference(checked):
    named = linked({"reference": "Patient/1", "type": "patient"})
    assert checked()(named) == set()
    assert checked()(named, policy=Policy(strict=True)) == {("validation.reference-target", PLACE)}
    absolute = linked({"reference": "Patient/1", "type": f"{CORE}/Patient"})
    assert checked()(absolute, policy=Policy(strict=True)) == {("validation.reference-type-url", f"{PLACE}.type")}


def to_profile(profile, url, *, modes=()):
    type_ = {"code": "Reference", "targetProfile": [url], **({"aggregation": list(modes)} if modes else {})}
    return profile("Patient", {"id": "Patient.link"}, {"id": "Patient.link.other", "type": [type_]}, name="linking")


def with_name(profile):
    return profile("Patient", {"id": "Patient.name", "min": 1}, name="named")


def test_a_contained_target_meets_a_target_profile(checked, profile):
    named = with_name(profile)
    check = checked(to_profile(profile, named["url"]), named)
    good, bad = {**PATIENT, "id": "p", "name": [{"text": "x"}]}, {**PATIENT, "id": "p"}
    assert check(linked({"reference": "#p"}, contained=[good])) == set()
    assert check(linked({"reference": "#p"}, contained=[bad])) == {("validation.reference-profile", PLACE)}


@pytest.mark.parametrize(
    ("policy", "faults"),
    [
        (References.IGNORE, set()),
        (References.TYPE, set()),
        (References.VALID, {("validation.reference-profile", PLACE)}),
    ],
)
def test_a_target_outside_meets_a_target_profile_if_the_policy_says_so(checked, profile, policy, faults):
    named = with_name(profile)
    check, world = checked(to_profile(profile, named["url"]), named), {"Patient/1": PATIENT}.get
    assert check(linked({"reference": "Patient/1"}), policy=Policy(references=policy), resolve=world) == faults


def test_a_target_outside_meets_r4_too(checked, profile):
    named = with_name(profile)
    check, policy = checked(to_profile(profile, named["url"]), named), Policy(references=References.VALID)
    world = {"Patient/1": {**PATIENT, "name": [{"text": "x"}], "gender": "x"}}.get
    found = check(linked({"reference": "Patient/1"}), policy=policy, resolve=world)
    assert found == {("validation.reference-profile", PLACE)}


def test_circles_of_target_profiles_end(checked, profile):
    circle = to_profile(profile, "http://jtys.test/StructureDefinition/linking")
    check, policy = checked(circle), Policy(references=References.VALID)
    world = {"Patient/1": linked({"reference": "Patient/2"}), "Patient/2": linked({"reference": "Patient/1"})}.get
    assert check(linked({"reference": "Patient/1"}), policy=policy, resolve=world) == set()


def test_an_unknown_target_profile_is_an_error_where_the_target_is_at_hand(checked, profile):
    check = checked(to_profile(profile, "http://a.b/unknown"))
    assert check(linked({"reference": "Patient/1"})) == set()
    found = check(linked({"reference": "#p"}, contained=[{**PATIENT, "id": "p"}]))
    assert found == {("validation.reference-profile-unknown", PLACE)}


@pytest.mark.parametrize(
    ("modes", "reference", "fault"),
    [
        (["contained"], "#p", None),
        (["contained"], "Patient/1", "validation.reference-not-inside"),
        (["referenced"], "Patient/1", None),
        (["referenced"], "#p", "validation.reference-aggregation"),
        (["contained", "referenced"], "#p", None),
        (["bundled"], "Patient/1", "validation.reference-not-inside"),
    ],
)
def test_a_target_lies_where_the_aggregation_modes_allow_it(checked, profile, modes, reference, fault):
    check = checked(to_profile(profile, f"{CORE}/Patient", modes=modes))
    contained = {"contained": [{**PATIENT, "id": "p"}]} if reference == "#p" else {}
    assert check(linked({"reference": reference}, **contained)) == ({(fault, PLACE)} if fault else set())


def test_a_bundled_target_is_in_the_bundle(checked, profile):
    urls = [f"urn:uuid:c757873d-ec9a-4326-a141-55643523952{i}" for i in range(2)]
    bundled = to_profile(profile, f"{CORE}/Patient", modes=["bundled"])
    entries = [
        {"fullUrl": urls[0], "resource": {**linked({"reference": urls[1]}), "meta": {"profile": [bundled["url"]]}}},
        {"fullUrl": urls[1], "resource": PATIENT},
    ]
    collection = profile("Bundle", name="any")
    check = checked(collection, bundled)
    whole = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert check(whole) == set()
    assert check({**whole, "entry": entries[:1]}) == {
        ("validation.reference-not-inside", f"Bundle.entry[0].resource.{PLACE.partition('.')[2]}")
    }


def test_resources_in_parameters_refer_to_each_other(checked):
    refer = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": "Patient/1"}}
    parts = [
        {"name": "a", "resource": refer},
        {"name": "b", "part": [{"name": "c", "resource": {**PATIENT, "id": "1"}}]},
    ]
    check, policy = checked(), Policy(references=References.TYPE)
    assert check({"resourceType": "Parameters", "parameter": parts}, policy=policy) == set()
    assert check({"resourceType": "Parameters", "parameter": parts[:1]}, policy=policy) == {
        ("validation.reference-not-found", "Parameters.parameter[0].resource.subject")
    }


def test_contained_resources_are_left_alone_if_the_policy_says_so(checked):
    bad = {**PATIENT, "contained": [{"resourceType": "Organization", "id": "o", "foo": 1}]}
    assert checked()(bad, policy=Policy(check_contained=False)) == set()
    assert {key for key, _ in checked()(bad)} == {"dom-3", "validation.unknown-element", "org-1"}


def test_a_contained_resource_has_an_id_under_a_strict_policy(checked):
    resource = {**PATIENT, "contained": [{**PATIENT, "link": [{"other": {"reference": "#"}, "type": "refer"}]}]}
    assert checked()(resource) == set()
    assert checked()(resource, policy=Policy(strict=True)) == {("validation.contained-no-id", "Patient.contained[0]")}
