"""Extensions, https://hl7.org/fhir/R4/extensibility.html."""

import pytest

CORE = "http://hl7.org/fhir/StructureDefinition"
PATIENT = {"resourceType": "Patient"}
FIRST = "Patient.extension[0]"


def extended(*extensions: object, **more: object):
    return {**PATIENT, "extension": list(extensions), **more}


def test_an_unknown_extension_is_a_warning(check):
    found = check(extended({"url": "http://a.b/c", "valueString": "x"}))
    assert found == {("warning", "validation.extension-unknown", FIRST)}


def test_an_unknown_modifier_extension_is_an_error(check):
    found = check({**PATIENT, "modifierExtension": [{"url": "http://a.b/c", "valueString": "x"}]})
    assert found == {("error", "validation.modifier-extension-unknown", "Patient.modifierExtension[0]")}


def test_a_relative_url_is_for_parts_only(check):
    found = check(extended({"url": "code", "valueString": "x"}))
    assert found == {("error", "validation.extension-relative", f"{FIRST}.url")}


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        ({"valueDateTime": "2020-01-01T00:00:00Z"}, set()),
        ({"valueString": "x"}, {("error", "validation.choice-type", "Patient.birthDate.extension[0]")}),
        (
            {"valueDateTime": "x"},
            {("error", "validation.primitive-format", "Patient.birthDate.extension[0].value.ofType(dateTime)")},
        ),
    ],
)
def test_a_known_extension_meets_its_definition(check, value, faults):
    birth_time = {"url": f"{CORE}/patient-birthTime", **value}
    assert check({**PATIENT, "birthDate": "2020-01-01", "_birthDate": {"extension": [birth_time]}}) == faults


def test_a_complex_extension_has_its_parts_and_no_others(check):
    url, code = f"{CORE}/patient-nationality", {"url": "code", "valueCodeableConcept": {"text": "NL"}}
    assert (
        check(extended({"url": url, "extension": [code, {"url": "period", "valuePeriod": {"start": "2020"}}]})) == set()
    )
    assert check(extended({"url": url, "extension": [{"url": "other", "valueString": "x"}]})) == {
        ("error", "validation.extension-part", f"{FIRST}.extension[0]")
    }
    assert check(extended({"url": url, "extension": [code, code]})) == {("error", "validation.slice-max", FIRST)}
    assert check(extended({"url": url, "valueString": "x"})) == {("error", "validation.cardinality-max", FIRST)}


def test_an_extension_has_a_value_or_parts_and_a_url(check):
    value, part = {"valueString": "x"}, {"extension": [{"url": "a", "valueString": "y"}]}
    url = {"url": f"{CORE}/patient-cadavericDonor"}
    assert ("error", "ext-1", FIRST) in check(extended({**url, **value, **part}))
    assert ("error", "ext-1", FIRST) in check(extended(url))
    assert check(extended(value)) == {("error", "validation.cardinality-min", FIRST)}


def test_modifiers_stand_in_modifier_extension(check_profile, profile, check):
    modifier = profile(
        "Extension",
        {"id": "Extension.url", "min": 1, "max": "1", "fixedUri": "http://jtys.test/StructureDefinition/no"},
        name="no",
    )
    modifier["snapshot"]["element"][0]["isModifier"] = True
    checks = check_profile(profile("Patient"), modifier)
    extension = [{"url": modifier["url"], "valueBoolean": True}]
    assert checks({**PATIENT, "modifierExtension": extension}) == set()
    assert checks({**PATIENT, "extension": extension}) == {("error", "validation.extension-modifier", FIRST)}
    donor = [{"url": f"{CORE}/patient-cadavericDonor", "valueBoolean": True}]
    found = check({**PATIENT, "modifierExtension": donor})
    assert found == {("error", "validation.extension-modifier", "Patient.modifierExtension[0]")}


def test_a_profile_asks_for_an_extension_of_a_primitive(check_profile, profile):
    url = f"{CORE}/patient-birthTime"
    check = check_profile(
        profile(
            "Patient",
            {"id": "Patient.birthDate", "max": "1"},
            {
                "id": "Patient.birthDate.extension",
                "slicing": {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"},
            },
            {
                "id": "Patient.birthDate.extension:time",
                "sliceName": "time",
                "min": 1,
                "max": "1",
                "type": [{"code": "Extension", "profile": [url]}],
            },
        )
    )
    time = {"url": url, "valueDateTime": "2020-01-01T00:00:00Z"}
    absent = {"url": f"{CORE}/data-absent-reason", "valueCode": "unknown"}
    assert check({**PATIENT, "birthDate": "2020-01-01", "_birthDate": {"extension": [time]}}) == set()
    found = check({**PATIENT, "_birthDate": {"extension": [absent]}})
    assert found == {("error", "validation.slice-min", "Patient.birthDate")}


@pytest.mark.parametrize("url", ["2020-01-01T10:00", "1a:b", ":x"])
def test_a_scheme_starts_with_a_letter(check, url):
    found = check(extended({"url": url, "valueString": "x"}))
    assert ("error", "validation.extension-relative", f"{FIRST}.url") in found


def test_an_extension_cannot_stand_for_the_url_of_one(check):
    absent = {"extension": [{"url": f"{CORE}/data-absent-reason", "valueCode": "unknown"}]}
    assert check(extended({"_url": absent, "valueString": "x"})) == {("error", "validation.cardinality-min", FIRST)}
