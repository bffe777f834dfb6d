"""A whole run: profiles, depth, invariants, bindings, languages."""

import json

import pytest

from fhir_server.fhir import json_codec
from fhir_server.validation import ProfileError

PATIENT = {"resourceType": "Patient"}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


def issues(validator, resource, **options: object):
    return validator.check(json_codec.decode(json.dumps(resource).encode()), **options)


def test_an_unknown_profile_named_by_the_resource_is_a_warning(check):
    found = check({**PATIENT, "meta": {"profile": ["http://a.b/unknown"]}})
    assert found == {("warning", "validation.profile-unknown", "Patient.meta.profile[0]")}


def test_an_unknown_profile_asked_for_is_an_error(check):
    assert check(PATIENT, profiles=["http://a.b/unknown"]) == {("error", "validation.profile-unknown", "Patient")}


def test_a_profile_for_another_type_is_an_error(check):
    bp = "http://hl7.org/fhir/StructureDefinition/bp"
    wrong = {("error", "validation.profile-type", "Patient")}
    assert check(PATIENT, profiles=[bp]) == wrong
    assert check({**PATIENT, "meta": {"profile": [f"{bp}|4.0.1"]}}) == wrong
    assert check({**PATIENT, "meta": {"profile": [bp]}}, use_meta=False) == set()


def test_profiles_count_in_resources_within(check):
    inner = {**PATIENT, "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/bp"]}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": inner}]}
    assert check(bundle) == {("error", "validation.profile-type", "Bundle.entry[0].resource")}
    assert check(bundle, use_meta=False) == set()


@pytest.mark.parametrize("meta", [5, [], {"profile": "x"}, {"profile": [5, None, {}]}])
def test_a_broken_meta_does_not_stop_the_run(check, meta):
    assert {severity for severity, _, _ in check({**PATIENT, "meta": meta})} == {"error"}


def test_two_profiles_that_ask_the_same_give_one_finding(validator_of, profile):
    one, two = (profile("Patient", {"id": "Patient.name", "min": 1}, name=n) for n in "ab")
    found = issues(validator_of(one, two), PATIENT, profiles=[one["url"], two["url"]])
    assert [(i.key, i.path) for i in found] == [("validation.cardinality-min", "Patient")]


def deep(levels):
    item = {"linkId": "0", "type": "display"}
    for n in range(1, levels):
        item = {"linkId": str(n), "type": "group", "item": [item]}
    return {"resourceType": "Questionnaire", "status": "active", "item": [item]}


def test_nesting_within_the_limit_is_fine(check):
    assert check(deep(40)) == set()


@pytest.mark.parametrize("levels", [70, 200])
def test_nesting_beyond_the_limit_is_one_finding(r4, levels):
    assert [(i.key, i.path) for i in r4.check(deep(levels))] == [("validation.too-deep", "Questionnaire")]


def test_unbounded_nesting_is_no_failure(r4):
    resource = deep(3)
    inner = resource["item"][0]
    for n in range(5000):
        inner["item"] = [{"linkId": f"d{n}", "type": "group"}]
        inner = inner["item"][0]
    assert [i.key for i in r4.check(resource)] == ["validation.too-deep"]


def test_deep_extensions_and_bundles_are_bounded_too(r4):
    extension = {"url": "a", "valueString": "x"}
    bundle = {"resourceType": "Bundle", "type": "collection"}
    for _ in range(70):
        extension = {"url": "a", "extension": [extension]}
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": bundle}]}
    assert [i.key for i in r4.check({**PATIENT, "extension": [extension]})] == ["validation.too-deep"]
    assert [i.key for i in r4.check(bundle)] == ["validation.too-deep"]


def constraint(key, expression, severity="error", **more: object):
    return {"key": key, "severity": severity, "human": f"must {key}", "expression": expression, **more}


def test_an_invariant_speaks_both_languages(validator_of, profile):
    zh = {"url": "http://hl7.org/fhir/StructureDefinition/translation"}
    zh["extension"] = [{"url": "lang", "valueCode": "zh"}, {"url": "content", "valueString": "必须有姓"}]
    rules = [
        constraint("x-1", "family.exists()", _human={"extension": [zh]}),
        constraint("x-2", "text.exists()", "warning"),
    ]
    own = profile("Patient", {"id": "Patient.name", "constraint": rules})
    first, second = issues(validator_of(own), {**PATIENT, "name": [{"given": ["a"]}]}, profiles=[own["url"]])
    assert (first.severity, first.code, first.key, first.path) == ("error", "invariant", "x-1", "Patient.name[0]")
    assert first.text("en") == "Constraint failed: x-1: must x-1"
    assert first.text("zh") == "不满足约束 x-1:必须有姓"
    assert (second.severity, second.key, second.text("zh")) == ("warning", "x-2", "不满足约束 x-2:must x-2")


def test_an_invariant_that_is_empty_or_raises_has_failed(check_profile, profile):
    rules = [
        constraint("x-1", "birthDate > today()"),
        constraint("x-2", "name.given.substring(1) = 'x'"),
        constraint("x-3", "true"),
    ]
    own = profile("Patient")
    own["snapshot"]["element"][0]["constraint"] = rules
    found = check_profile(own)({**PATIENT, "name": [{"given": ["a", "b"]}]})
    assert found == {("error", "x-1", "Patient"), ("error", "x-2", "Patient")}


def test_an_invariant_of_a_slice_sees_its_own_element(check_profile, profile):
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
    check = check_profile(
        profile(
            "Patient",
            {"id": "Patient.identifier", "slicing": slicing},
            {
                "id": "Patient.identifier:a",
                "sliceName": "a",
                "constraint": [constraint("id-1", "value.matches('^[0-9]{3}$')")],
            },
            {"id": "Patient.identifier:a.system", "fixedUri": "urn:a"},
        )
    )
    values = [
        {"system": "urn:b", "value": "x"},
        {"system": "urn:a", "value": "12"},
        {"system": "urn:a", "value": "123"},
    ]
    assert check({**PATIENT, "identifier": values}) == {("error", "id-1", "Patient.identifier[1]")}


def test_warnings_and_advice_of_r4(check):
    value_set = {"resourceType": "ValueSet", "status": "active", "name": "not a name"}
    assert check(value_set) == {("warning", "vsd-0", "ValueSet")}


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ({**PATIENT, "gender": "xyz"}, {("error", "validation.binding-required", "Patient.gender")}),
        ({**PATIENT, "gender": " male"}, {("error", "validation.primitive-format", "Patient.gender")}),
        (
            {**PATIENT, "maritalStatus": {"coding": [{"system": "urn:x", "code": "M"}]}},
            {("warning", "validation.binding-extensible", "Patient.maritalStatus")},
        ),
        ({**PATIENT, "maritalStatus": {"text": "married"}}, set()),
        ({**PATIENT, "maritalStatus": {"coding": [{"system": [], "code": {}}]}}, None),
    ],
)
def test_bindings_of_r4(check, resource, found):
    result = check(resource)
    assert result == found if found is not None else "error" in {severity for severity, _, _ in result}


def test_a_required_binding_of_every_coded_type(validator_of, profile):
    system, url = "http://jtys.test/cs", "http://jtys.test/vs"
    codes = {
        "resourceType": "CodeSystem",
        "id": "cs",
        "url": system,
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a"}],
    }
    value_set = {
        "resourceType": "ValueSet",
        "id": "vs",
        "url": url,
        "status": "active",
        "compose": {"include": [{"system": system}]},
    }
    types = [{"code": code} for code in ("Quantity", "CodeableConcept", "string")]
    binding = {"strength": "required", "valueSet": url}
    own = profile("Observation", {"id": "Observation.value[x]", "max": "1", "type": types, "binding": binding})
    validator = validator_of(own, codes, value_set)

    def keys(**value: object):
        return {i.key for i in issues(validator, {**OBSERVATION, **value}, profiles=[own["url"]])}

    good, wrong, bad = {"system": system, "code": "a"}, {"system": system, "code": "b"}, {"validation.binding-required"}
    assert keys(valueQuantity={"value": 1, **good}) == set()
    assert keys(valueQuantity={"value": 1, **wrong}) == bad
    assert keys(valueQuantity={"value": 1}) == bad
    assert keys(valueCodeableConcept={"coding": [wrong, good]}) == set()
    assert keys(valueCodeableConcept={"coding": [wrong]}) == bad
    assert keys(valueCodeableConcept={"text": "a"}) == bad
    assert keys(valueString="a") == set()
    assert keys(valueString="b") == bad


def test_profiles_of_types_are_met(check_profile, profile):
    in_mg = profile("Quantity", {"id": "Quantity.code", "min": 1, "max": "1", "fixedCode": "mg"}, name="mg")
    in_kg = profile("Quantity", {"id": "Quantity.code", "min": 1, "max": "1", "fixedCode": "kg"}, name="kg")
    place = "Observation.value.ofType(Quantity)"

    def check(*profiles: object):
        types = [{"code": "Quantity", "profile": [p["url"] for p in profiles]}]
        return check_profile(
            profile("Observation", {"id": "Observation.value[x]", "max": "1", "type": types}), in_mg, in_kg
        )

    value = {**OBSERVATION, "valueQuantity": {"value": 1, "system": "urn:u", "code": "g"}}
    assert check(in_mg)(value) == {("error", "validation.fixed", f"{place}.code")}
    assert check(in_mg, in_kg)(value) == {("error", "validation.profile-none", place)}
    value["valueQuantity"]["code"] = "kg"
    assert check(in_mg, in_kg)(value) == set()


def test_an_entry_holds_the_type_and_profile_that_are_asked(check_profile, profile):
    named = profile("Patient", {"id": "Patient.name", "min": 1}, name="named")
    types = [{"code": "Patient", "profile": [named["url"]]}, {"code": "Organization"}]
    entry = {"id": "Bundle.entry.resource", "min": 0, "max": "1", "type": types}
    check = check_profile(profile("Bundle", {"id": "Bundle.entry"}, entry), named)

    def found(resource):
        return check({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resource}]})

    assert found({**PATIENT, "name": [{"text": "x"}]}) == set()
    assert found({"resourceType": "Organization", "name": "x"}) == set()
    assert found(PATIENT) == {("error", "validation.cardinality-min", "Bundle.entry[0].resource")}
    assert found({"resourceType": "Practitioner"}) == {
        ("error", "validation.resource-type", "Bundle.entry[0].resource")
    }


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ([{"id": "Patient.nowhere.x"}], "Patient.nowhere"),
        ([{"id": "Patient.name", "constraint": [constraint("x-1", "name.(")]}], "x-1"),
        (
            [{"id": "Patient.generalPractitioner", "type": [{"code": "Reference", "targetProfile": ["http://a.b/c"]}]}],
            "http://a.b/c",
        ),
        ([{"id": "Patient.name", "type": [{"code": "HumanName", "profile": ["http://a.b/c"]}]}], "http://a.b/c"),
    ],
)
def test_a_mistake_in_a_package_is_found_at_start(validator_of, profile, elements, reason):
    validator = validator_of(profile("Patient", *elements))
    with pytest.raises(ProfileError) as raised:
        validator.compile_all(["Patient"])
    assert "0.json" in str(raised.value)
    assert reason in str(raised.value)


def test_every_type_of_r4_compiles(r4):
    r4.compile_all(r4._known)


def test_what_is_prepared_is_compiled_and_counts_as_met(validator_of, profile):
    validator = validator_of(profile("Basic", {"id": "Basic.code", "min": 1}))
    validator.prepare({"Basic"})
    built = {"Basic", "http://jtys.test/StructureDefinition/p"}
    assert (validator.met, built - validator._compiler._types.keys() - validator._compiler._profiles.keys()) == (
        {"Basic"},
        set(),
    )
