"""Slices: who belongs to which, how many, in what order, https://hl7.org/fhir/R4/profiling.html#slicing."""

import pytest

from fhir_server.validation import ProfileError, Validator
from fhir_server.validation.policy import Policy

LOINC = "http://loinc.org"


def sliced(rules, *discriminators: object, ordered=False):
    return {"discriminator": [{"type": t, "path": p} for t, p in discriminators], "rules": rules, "ordered": ordered}


def identifiers(profile, rules="open", *, ordered=False, a=None, b=None):
    """A Patient profile whose identifiers are sliced into `a` and `b` by their system."""
    return profile(
        "Patient",
        {"id": "Patient.identifier", "slicing": sliced(rules, ("value", "system"), ordered=ordered)},
        {"id": "Patient.identifier:a", "sliceName": "a", "max": "1", **(a or {})},
        {"id": "Patient.identifier:a.system", "min": 1, "max": "1", "fixedUri": "urn:a"},
        {"id": "Patient.identifier:a.value", "min": 1, "max": "1"},
        {"id": "Patient.identifier:b", "sliceName": "b", **(b or {})},
        {"id": "Patient.identifier:b.system", "min": 1, "max": "1", "fixedUri": "urn:b"},
    )


def patient(*systems: object, **more: object):
    return {"resourceType": "Patient", "identifier": [{"system": f"urn:{s}", "value": "1"} for s in systems], **more}


def error(key, path):
    return {("error", f"validation.{key}", path)}


def test_an_open_slicing_lets_others_pass(check_profile, profile):
    check = check_profile(identifiers(profile))
    assert check(patient("x", "b", "a", "b", "y")) == set()
    assert check({"resourceType": "Patient"}) == set()


def test_a_slice_is_needed_as_often_as_it_says(check_profile, profile):
    check = check_profile(identifiers(profile, a={"min": 1}, b={"max": "2"}))
    assert check(patient("a", "b", "b")) == set()
    assert check(patient("b")) == error("slice-min", "Patient")
    assert check({"resourceType": "Patient"}) == error("slice-min", "Patient")
    assert check(patient("a", "a")) == error("slice-max", "Patient")
    assert check(patient("a", "b", "b", "b")) == error("slice-max", "Patient")


def test_members_meet_what_their_slice_asks(check_profile, profile):
    check = check_profile(identifiers(profile))
    members = [{"system": "urn:b"}, {"system": "urn:a"}]
    assert check({"resourceType": "Patient", "identifier": members}) == error(
        "cardinality-min", "Patient.identifier[1]"
    )


def test_a_closed_slicing_refuses_others(check_profile, profile):
    check = check_profile(identifiers(profile, "closed"))
    assert check(patient("a", "b")) == set()
    assert check(patient("a", "x", "b")) == error("slice-closed", "Patient.identifier[1]")


def test_an_ordered_slicing_keeps_the_order_of_slices(check_profile, profile):
    check = check_profile(identifiers(profile, ordered=True))
    assert check(patient("a", "x", "b", "b")) == set()
    assert check(patient("b", "a")) == error("slice-order", "Patient.identifier[1]")


def test_open_at_end_lets_others_stand_last_only(check_profile, profile):
    check = check_profile(identifiers(profile, "openAtEnd"))
    assert check(patient("b", "a", "x")) == set()
    assert check(patient("x", "a")) == error("slice-end", "Patient.identifier[1]")


def test_a_pattern_discriminator_takes_any_coding(check_profile, profile):
    pattern = {"coding": [{"system": LOINC, "code": "8480-6"}]}
    check = check_profile(
        profile(
            "Observation",
            {"id": "Observation.component", "slicing": sliced("closed", ("pattern", "code"))},
            {"id": "Observation.component:s", "sliceName": "s", "max": "1"},
            {"id": "Observation.component:s.code", "min": 1, "max": "1", "patternCodeableConcept": pattern},
        )
    )
    base = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    other = {"system": "urn:x", "code": "1"}
    assert check({**base, "component": [{"code": {"coding": [other, *pattern["coding"]]}}]}) == set()
    assert check({**base, "component": [{"code": {"coding": [other]}}]}) == error(
        "slice-closed", "Observation.component[0]"
    )


def test_a_value_discriminator_sees_into_a_pattern_above_it(check_profile, profile):
    check = check_profile(
        profile(
            "Observation",
            {"id": "Observation.component", "slicing": sliced("closed", ("value", "code.coding.code"))},
            {"id": "Observation.component:s", "sliceName": "s"},
            {"id": "Observation.component:s.code", "patternCodeableConcept": {"coding": [{"code": "8480-6"}]}},
        )
    )
    base = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert check({**base, "component": [{"code": {"coding": [{"code": "8480-6"}]}}]}) == set()
    assert check({**base, "component": [{"code": {"coding": [{"code": "x"}]}}]}) == error(
        "slice-closed", "Observation.component[0]"
    )


def test_a_discriminator_passes_through_slices_of_its_path(check):
    """R4's `bp` tells its components apart by `code.coding.code`, where `coding` is sliced again."""

    def component(code, value=100):
        quantity = {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
        return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": quantity}

    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
    bp = {
        "resourceType": "Observation",
        "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/bp"]},
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [{"system": LOINC, "code": "85354-9"}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2020-01-01",
        "component": [component("8480-6"), component("8462-4")],
    }
    assert check(bp) == set()
    assert check({**bp, "component": [component("8480-6"), component("8480-6")]}) == {
        ("error", "validation.slice-min", "Observation"),
        ("error", "validation.slice-max", "Observation"),
    }
    kpa = component("8462-4")
    kpa["valueQuantity"] = {**kpa["valueQuantity"], "code": "kPa"}
    place = "Observation.component[1].value.ofType(Quantity)"
    found = check({**bp, "component": [component("8480-6"), kpa]})
    assert ("error", "validation.fixed", f"{place}.code") in found


def test_an_exists_discriminator_tells_by_presence(check_profile, profile):
    check = check_profile(
        profile(
            "Patient",
            {"id": "Patient.name", "slicing": sliced("closed", ("exists", "period"))},
            {"id": "Patient.name:old", "sliceName": "old", "max": "1"},
            {"id": "Patient.name:old.period", "min": 1, "max": "1"},
            {"id": "Patient.name:now", "sliceName": "now", "min": 1, "max": "1"},
            {"id": "Patient.name:now.period", "max": "0"},
        )
    )
    old, now = {"text": "a", "period": {"start": "2020"}}, {"text": "b"}
    assert check({"resourceType": "Patient", "name": [old, now]}) == set()
    assert check({"resourceType": "Patient", "name": [old]}) == error("slice-min", "Patient")
    assert check({"resourceType": "Patient", "name": [now, now]}) == error("slice-max", "Patient")


def test_a_choice_is_sliced_by_its_types(check_profile, profile):
    check = check_profile(
        profile(
            "Observation",
            {
                "id": "Observation.value[x]",
                "max": "1",
                "slicing": sliced("open", ("type", "$this")),
                "type": [{"code": "Quantity"}, {"code": "string"}],
            },
            {
                "id": "Observation.value[x]:valueQuantity",
                "sliceName": "valueQuantity",
                "max": "1",
                "type": [{"code": "Quantity"}],
            },
            {"id": "Observation.value[x]:valueQuantity.code", "min": 1, "max": "1", "fixedCode": "mg"},
        )
    )
    base = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    place = "Observation.value.ofType(Quantity)"
    assert check({**base, "valueString": "x"}) == set()
    assert check({**base, "valueQuantity": {"value": 1, "system": "urn:u", "code": "mg"}}) == set()
    assert check({**base, "valueQuantity": {"value": 1}}) == error("cardinality-min", place)
    assert check({**base, "valueQuantity": {"value": 1, "system": "urn:u", "code": "kg"}}) == error(
        "fixed", f"{place}.code"
    )
    assert check({**base, "valueInteger": 1}) == error("choice-type", "Observation")


def test_a_type_discriminator_tells_resources_in_a_bundle(check_profile, profile):
    check = check_profile(
        profile(
            "Bundle",
            {"id": "Bundle.entry", "slicing": sliced("closed", ("type", "resource"))},
            {"id": "Bundle.entry:patient", "sliceName": "patient", "min": 1, "max": "1"},
            {"id": "Bundle.entry:patient.resource", "min": 1, "max": "1", "type": [{"code": "Patient"}]},
        )
    )
    bundle = {"resourceType": "Bundle", "type": "collection"}
    assert check({**bundle, "entry": [{"resource": {"resourceType": "Patient"}}]}) == set()
    organization = {"resource": {"resourceType": "Organization", "name": "x"}}
    assert check({**bundle, "entry": [organization]}) == error("slice-closed", "Bundle.entry[0]") | error(
        "slice-min", "Bundle"
    )


def test_a_type_discriminator_tells_references_by_their_targets(check_profile, profile):
    base = "http://hl7.org/fhir/StructureDefinition"
    check = check_profile(
        profile(
            "Observation",
            {"id": "Observation.performer", "slicing": sliced("open", ("type", "resolve()"))},
            {
                "id": "Observation.performer:who",
                "sliceName": "who",
                "max": "1",
                "type": [{"code": "Reference", "targetProfile": [f"{base}/Practitioner"]}],
            },
        )
    )
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    who, team = {"reference": "Practitioner/1"}, {"reference": "CareTeam/1"}
    assert check({**observation, "performer": [who, team, team]}) == set()
    assert check({**observation, "performer": [who, team, who]}) == error("slice-max", "Observation")


def test_a_profile_discriminator_tells_by_conformance(check_profile, profile):
    named = profile("Patient", {"id": "Patient.name", "min": 1}, name="named")
    check = check_profile(
        profile(
            "Bundle",
            {"id": "Bundle.entry", "slicing": sliced("open", ("profile", "resource"))},
            {"id": "Bundle.entry:named", "sliceName": "named", "max": "1"},
            {"id": "Bundle.entry:named.resource", "type": [{"code": "Patient", "profile": [named["url"]]}]},
        ),
        named,
    )
    bundle = {"resourceType": "Bundle", "type": "collection"}
    nameless, known = ({"resource": {"resourceType": "Patient", **more}} for more in ({}, {"name": [{"text": "x"}]}))
    assert check({**bundle, "entry": [nameless, known, nameless]}) == set()
    assert check({**bundle, "entry": [known, known]}) == error("slice-max", "Bundle")


def test_a_slice_is_sliced_again(check_profile, profile):
    check = check_profile(
        profile(
            "Patient",
            {"id": "Patient.identifier", "slicing": sliced("open", ("value", "system"))},
            {"id": "Patient.identifier:a", "sliceName": "a", "slicing": sliced("open", ("value", "use"))},
            {"id": "Patient.identifier:a.system", "fixedUri": "urn:a"},
            {"id": "Patient.identifier:a/old", "sliceName": "a/old", "max": "1"},
            {"id": "Patient.identifier:a/old.use", "fixedCode": "old"},
        )
    )
    old, new = ({"system": "urn:a", "value": "1", "use": use} for use in ("old", "usual"))
    assert check({"resourceType": "Patient", "identifier": [old, new, new]}) == set()
    assert check({"resourceType": "Patient", "identifier": [old, new, old]}) == error("slice-max", "Patient")
    foreign = {**old, "system": "urn:b"}
    assert check({"resourceType": "Patient", "identifier": [old, foreign, foreign]}) == set()


@pytest.mark.parametrize(
    "discriminators", [(), (("value", "nowhere"),), (("value", "period"),), (("position", "$this"),)]
)
def test_slices_that_nothing_tells_apart_are_a_mistake_of_the_profile(validator_of, profile, discriminators):
    broken = profile(
        "Patient",
        {"id": "Patient.name", "slicing": sliced("open", *discriminators)},
        {"id": "Patient.name:a", "sliceName": "a"},
    )
    with pytest.raises(ProfileError, match=r"0\.json.*Patient\.name.*'a'"):
        validator_of(broken).compile_all()


def test_slices_that_could_not_be_told_apart_are_a_warning_where_they_matter(check_profile, profile):
    check = check_profile(
        profile(
            "Patient", {"id": "Patient.name", "slicing": sliced("open")}, {"id": "Patient.name:a", "sliceName": "a"}
        )
    )
    assert check({"resourceType": "Patient"}) == set()
    named = {"resourceType": "Patient", "name": [{"text": "x"}]}
    assert check(named) == {("warning", "validation.slice-unchecked", "Patient")}


def categories(profile, *discriminators: object, rules="open"):
    """An Observation profile whose categories are sliced into `a` and `b` by a code that is among their codings."""
    return profile(
        "Observation",
        {"id": "Observation.category", "slicing": sliced(rules, *discriminators)},
        {"id": "Observation.category:a", "sliceName": "a", "patternCodeableConcept": {"coding": [{"code": "a"}]}},
        {"id": "Observation.category:b", "sliceName": "b", "patternCodeableConcept": {"coding": [{"code": "b"}]}},
    )


@pytest.mark.parametrize("is_quick", [True, False])
@pytest.mark.parametrize(("is_strict", "severity"), [(True, "error"), (False, "warning")])
def test_an_item_of_two_slices_is_an_error_for_whoever_asks(validator_of, profile, is_quick, is_strict, severity):
    stated = categories(profile, ("pattern", "$this"))
    validator = Validator(validator_of(stated)._definitions, is_quick=is_quick)

    def found(*codes: str):
        category = [{"coding": [{"system": "urn:s", "code": one} for one in codes]}]
        resource = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "category": category}
        issues = validator.check(resource, profiles=[stated["url"]], policy=Policy(strict=is_strict))
        return {(str(i.severity), i.key, i.path, i.params.get("slices")) for i in issues}

    assert found("a") == found("b") == found("c") == set()
    assert found("b", "a") == {(severity, "validation.slice-many", "Observation.category[0]", "a, b")}


def test_slices_told_by_different_texts_never_share_an_item(check_profile, profile):
    assert check_profile(identifiers(profile))(patient("a", "b")) == set()
