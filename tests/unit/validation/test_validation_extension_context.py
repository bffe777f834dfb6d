"""Where extensions may stand, and of which domains, https://hl7.org/fhir/R4/defining-extensions.html#context."""

import json

import pytest

from fhir_server.errors import Severity
from fhir_server.fhir import json_codec
from fhir_server.validation.policy import Policy

CORE = "http://hl7.org/fhir/StructureDefinition"
PATIENT = {"resourceType": "Patient"}


@pytest.fixture
def context_check(validator_of, profile):
    """Returns a function that puts an extension with the given contexts into a Patient at a place and checks that."""

    def build(*contexts: object, terms=()):
        definition = {
            **profile(
                "Extension",
                {"id": "Extension.url", "fixedUri": "http://jtys.test/StructureDefinition/here"},
                name="here",
            ),
            "context": [{"type": kind, "expression": text} for kind, text in contexts],
            "contextInvariant": list(terms),
        }
        extension = [{"url": definition["url"], "valueBoolean": True}]
        validator = validator_of(definition)

        def check(place):
            decoded = json_codec.decode(json.dumps(place(extension)).encode())
            return {(i.key, i.path) for i in validator.check(decoded) if i.key.startswith("validation.extension-")}

        return check

    return build


def at_root(extension):
    return {**PATIENT, "extension": extension}


def at_name(extension):
    return {**PATIENT, "name": [{"text": "x", "extension": extension}]}


def at_given(extension):
    return {**PATIENT, "name": [{"given": ["x"], "_given": [{"extension": extension}]}]}


def at_contact(extension):
    return {**PATIENT, "contact": [{"name": {"text": "x"}, "extension": extension}]}


def at_birth_date(extension):
    return {**PATIENT, "birthDate": "2020", "_birthDate": {"extension": extension}}


def at_deceased(extension):
    return {**PATIENT, "deceasedBoolean": False, "_deceasedBoolean": {"extension": extension}}


def at_value(extension):
    outer = {"url": f"{CORE}/patient-cadavericDonor", "valueBoolean": True, "_valueBoolean": {"extension": extension}}
    return {**PATIENT, "extension": [outer]}


@pytest.mark.parametrize(
    ("context", "place", "is_allowed"),
    [
        (("element", "Patient"), at_root, True),
        (("element", "DomainResource"), at_root, True),
        (("element", "Resource"), at_root, True),
        (("element", "Observation"), at_root, False),
        (("element", "Patient"), at_name, False),
        (("element", "Patient.name"), at_name, True),
        (("element", "HumanName"), at_name, True),
        (("element", "Element"), at_name, True),
        (("element", "Address"), at_name, False),
        (("element", "HumanName.given"), at_given, True),
        (("element", "Patient.name.given"), at_given, True),
        (("element", "string"), at_given, True),
        (("element", "HumanName.family"), at_given, False),
        (("element", "Patient.contact"), at_contact, True),
        (("element", "BackboneElement"), at_contact, True),
        (("element", "Patient.birthDate"), at_birth_date, True),
        (("element", "date"), at_birth_date, True),
        (("element", "Patient.deceased[x]"), at_deceased, True),
        (("element", "Patient.deceased"), at_deceased, True),
        (("element", "Patient.gender"), at_deceased, False),
        (("extension", f"{CORE}/patient-cadavericDonor"), at_value, True),
        (("extension", f"{CORE}/patient-birthTime"), at_value, False),
        (("fhirpath", "Patient.name.where(text = 'x')"), at_name, True),
        (("fhirpath", "Patient.name.where(text = 'y')"), at_name, False),
        (("fhirpath", "(Patient | Patient.name) as HumanName"), at_name, True),
        (("element", "http://a.b/StructureDefinition/profile"), at_name, True),
    ],
)
def test_an_extension_stands_where_its_definition_allows_it(context_check, context, place, is_allowed):
    keys = {key for key, _ in context_check(context)(place)}
    assert keys == (set() if is_allowed else {"validation.extension-context"})


def test_one_context_of_several_is_enough(context_check):
    check = context_check(("element", "Patient.name"), ("element", "Patient.contact"))
    assert check(at_contact) == set()
    assert check(at_root) == {("validation.extension-context", "Patient.extension[0]")}


@pytest.mark.parametrize(("term", "faults"), [("text = 'x'", set()), ("text = 'y'", {"validation.extension-term"})])
def test_the_place_meets_the_terms_of_the_context(context_check, term, faults):
    found = context_check(("element", "HumanName"), terms=[term])(at_name)
    assert {key for key, _ in found} == faults


def test_a_term_may_look_at_the_extension(context_check):
    check = context_check(("element", "HumanName"), terms=["%extension.valueBoolean = false"])
    assert check(at_name) == {("validation.extension-term", "Patient.name[0].extension[0]")}


def test_the_url_of_an_extension_names_no_version(check):
    extension = [{"url": f"{CORE}/patient-cadavericDonor|4.0.1", "valueBoolean": True}]
    assert ("error", "validation.extension-version", "Patient.extension[0].url") in check(
        {**PATIENT, "extension": extension}
    )


@pytest.mark.parametrize(
    ("domains", "severity"),
    [
        ((), "error"),
        (("http://a.b/ext/",), "information"),
        (("a.b",), "information"),
        (("b",), "information"),
        (("c",), "error"),
        (("http://a.b/other/",), "error"),
    ],
)
def test_an_unknown_extension_is_as_bad_as_the_policy_says(check, domains, severity):
    policy = Policy(unknown_extension=Severity.ERROR, extension_domains=domains)
    found = check({**PATIENT, "extension": [{"url": "http://a.b/ext/x", "valueString": "x"}]}, policy=policy)
    assert found == {(severity, "validation.extension-unknown", "Patient.extension[0]")}


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        ({"repeats": True}, set()),
        ({"repeats": False}, {"validation.extension-term"}),
        ({}, {"validation.extension-term"}),
    ],
)
def test_a_term_of_which_nothing_comes_has_failed(check, more, keys):
    extension = [{"url": f"{CORE}/questionnaire-maxOccurs", "valueInteger": 2}]
    item = {"linkId": "1", "type": "string", "extension": extension, **more}
    found = check({"resourceType": "Questionnaire", "status": "draft", "item": [item]})
    assert {key for _, key, _ in found} == keys


def test_a_question_may_have_a_regular_expression(check):
    item = {"linkId": "1", "type": "string", "extension": [{"url": f"{CORE}/regex", "valueString": "[a-c]+"}]}
    assert check({"resourceType": "Questionnaire", "status": "draft", "item": [item]}) == set()
