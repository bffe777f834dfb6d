"""One answer: its type, its limits, its options, its unit, its target."""

from decimal import Decimal
from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.errors import Severity
from fhir_server.validation import Validator
from fhir_server.validation.policy import Policy

URL = "http://jtys.test/Questionnaire/form"
HL7 = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
UCUM = "http://unitsofmeasure.org"


@cache
def validator():
    return Validator(load_definitions())


def findings(item, *answers, **more: object):
    """Returns the (key, place below the item) of what is found in answers to one question; the places of answers differ."""
    asked = {"linkId": "a", "repeats": True, **item}
    form = {"resourceType": "Questionnaire", "url": URL, "status": "active", "item": [asked], **more}
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": URL,
        "item": [{"linkId": "a", "answer": list(answers)}],
    }
    issues = validator().check(response, resolve={URL: form}.get)
    place = "QuestionnaireResponse.item[0]."
    found = {(str(i.severity), i.key.removeprefix("validation."), i.path.removeprefix(place)) for i in issues}
    return {(f"{severity}:{key}" if severity != "error" else key, path) for severity, key, path in found}


def extension(url, **value: object):
    return {"url": url, **value}


GOOD = {
    "boolean": ("valueBoolean", False),
    "decimal": ("valueDecimal", Decimal("1.5")),
    "integer": ("valueInteger", 1),
    "date": ("valueDate", "2024-05"),
    "dateTime": ("valueDateTime", "2024-05-01T08:00:00+08:00"),
    "time": ("valueTime", "08:00:00"),
    "string": ("valueString", "x"),
    "text": ("valueString", "x\ny"),
    "url": ("valueUri", "http://jtys.test/x"),
    "attachment": ("valueAttachment", {"url": "http://jtys.test/x"}),
    "reference": ("valueReference", {"reference": "Patient/1"}),
    "quantity": ("valueQuantity", {"value": 1}),
    "choice": ("valueCoding", {"system": "http://jtys.test/s", "code": "1"}),
    "open-choice": ("valueString", "anything"),
}


@pytest.mark.parametrize("type_", GOOD)
def test_an_answer_of_the_type_asked_for_is_valid(type_):
    key, value = GOOD[type_]
    assert findings({"type": type_}, {key: value}) == set()


@pytest.mark.parametrize("type_", GOOD)
def test_an_answer_of_another_type_is_not(type_):
    key, value = ("valueBoolean", True) if type_ != "boolean" else ("valueString", "true")
    place = f"answer[0].value.ofType({key[5:].lower()})"
    assert findings({"type": type_}, {key: value}) == {("questionnaire-answer-type", place)}


def test_a_type_that_no_answer_has_is_told_once():
    assert findings({"type": "choice"}, {"valueCode": "x"}) == {("unknown-element", "answer[0]")}


LEAST, MOST = HL7 + "minValue", HL7 + "maxValue"


@pytest.mark.parametrize(
    ("type_", "bounds", "given", "found"),
    [
        ("integer", (2, 4), 2, None),
        ("integer", (2, 4), 4, None),
        ("integer", (2, 4), 1, "min"),
        ("integer", (2, 4), 5, "max"),
        ("decimal", (Decimal("0.5"), 4), Decimal("0.49"), "min"),
        ("decimal", (Decimal("0.5"), 4), Decimal("4.00"), None),
        ("date", ("2020-05", "2022"), "2020-04-30", "min"),
        ("date", ("2020-05", "2022"), "2020-05-01", None),
        ("date", ("2020-05", "2022"), "2022-12-31", None),
        ("date", ("2020-05", "2022"), "2023", "max"),
        ("time", ("08:00:00", "17:00:00"), "07:59:59", "min"),
        ("time", ("08:00:00", "17:00:00"), "17:00:00", None),
    ],
)
def test_an_answer_stays_within_the_bounds(type_, bounds, given, found):
    name, (least, most) = f"value{type_.capitalize()}", bounds
    item = {"type": type_, "extension": [extension(LEAST, **{name: least}), extension(MOST, **{name: most})]}
    place = f"answer[0].value.ofType({type_})"
    assert findings(item, {name: given}) == ({(f"questionnaire-{found}-value", place)} if found else set())


@pytest.mark.parametrize(("number", "is_short"), [("1.25", True), ("1.250", False), ("1", True), ("12.5", True)])
def test_decimal_places_are_counted_as_written(number, is_short):
    item = {"type": "decimal", "extension": [extension(HL7 + "maxDecimalPlaces", valueInteger=2)]}
    found = set() if is_short else {("questionnaire-decimals", "answer[0].value.ofType(decimal)")}
    assert findings(item, {"valueDecimal": Decimal(number)}) == found


@pytest.mark.parametrize("type_", ["string", "text", "open-choice"])
@pytest.mark.parametrize(("text", "found"), [("x", "min"), ("xx", None), ("xxx", None), ("xxxx", "max")])
def test_a_text_is_as_long_as_asked_for(type_, text, found):
    item = {"type": type_, "maxLength": 3, "extension": [extension(HL7 + "minLength", valueInteger=2)]}
    place = "answer[0].value.ofType(string)"
    assert findings(item, {"valueString": text}) == ({(f"questionnaire-{found}-length", place)} if found else set())


@pytest.mark.parametrize(
    ("expression", "text", "is_valid"),
    [
        (r"\d{3}", "123", True),
        (r"\d{3}", "1234", False),
        (r"((", "1234", True),
        (r"(a|aa)+$", "a" * 60 + "b", True),
    ],
)
def test_a_text_has_the_form_asked_for_where_that_can_be_told(expression, text, is_valid):
    item = {"type": "string", "extension": [extension(HL7 + "regex", valueString=expression)]}
    found = set() if is_valid else {("questionnaire-format", "answer[0].value.ofType(string)")}
    assert findings(item, {"valueString": text}) == found


def test_a_line_break_in_a_string_is_a_warning():
    found = {("warning:questionnaire-line-break", "answer[0].value.ofType(string)")}
    assert findings({"type": "string"}, {"valueString": "x\ny"}) == found


ATTACHMENT = "answer[0].value.ofType(Attachment)"


@pytest.mark.parametrize(
    ("attachment", "found"),
    [
        ({"contentType": "image/png"}, set()),
        ({"contentType": "image/gif"}, set()),
        ({"contentType": "application/pdf"}, {("questionnaire-mime", f"{ATTACHMENT}.contentType")}),
        ({"title": "x"}, {("questionnaire-mime-missing", ATTACHMENT)}),
    ],
)
def test_an_attachment_is_of_a_kind_asked_for(attachment, found):
    kinds = [extension(HL7 + "mimeType", valueCode=kind) for kind in ("image/gif", "image/png")]
    assert findings({"type": "attachment", "extension": kinds}, {"valueAttachment": attachment}) == found


@pytest.mark.parametrize(("data", "is_small"), [("AAAA", True), ("AAAAAA==", True), ("AAAAAAA=", False)])
def test_an_attachment_is_no_larger_than_asked_for(data, is_small):
    item = {"type": "attachment", "extension": [extension(HL7 + "maxSize", valueDecimal=4)]}
    found = set() if is_small else {("questionnaire-size", ATTACHMENT)}
    assert findings(item, {"valueAttachment": {"contentType": "image/gif", "data": data}}) == found


@pytest.mark.parametrize(("target", "found"), [("Patient/1", set()), ("Group/1", {"questionnaire-reference"})])
def test_a_reference_points_at_a_type_asked_for(target, found):
    item = {"type": "reference", "extension": [extension(HL7 + "questionnaire-referenceResource", valueCode="Patient")]}
    answer = {"valueReference": {"reference": target}}
    assert findings(item, answer) == {(key, "answer[0].value.ofType(Reference)") for key in found}


def test_the_type_of_a_reference_is_left_open_where_urls_do_not_tell_it():
    item = {"linkId": "a", "type": "reference"}
    item["extension"] = [extension(HL7 + "questionnaire-referenceResource", valueCode="Patient")]
    form = {"resourceType": "Questionnaire", "url": URL, "status": "active", "item": [item]}
    response = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": URL}
    response["item"] = [{"linkId": "a", "answer": [{"valueReference": {"reference": "Group/1"}}]}]
    policy = Policy(type_from_url=False)
    assert validator().check(response, policy=policy, resolve={URL: form}.get) == []


def quantity(value, code=None, unit=None):
    coded = {"system": UCUM, "code": code} if code else {}
    return {"value": value, **coded, **({"unit": unit} if unit else {})}


def bounded(least, most):
    return {
        "type": "quantity",
        "extension": [
            extension(SDC + "minQuantity", valueQuantity=least),
            extension(SDC + "maxQuantity", valueQuantity=most),
        ],
    }


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (quantity(1, "kg"), set()),
        (quantity(2000, "g"), set()),
        (quantity(999, "g"), {"questionnaire-min-value"}),
        (quantity(3, "kg"), {"questionnaire-max-value"}),
        (quantity(1, "m"), {"questionnaire-unit-other"}),
        (quantity(1, None, "kg"), {"questionnaire-unit-informal"}),
    ],
)
def test_a_quantity_stays_within_the_bounds_in_any_unit(given, found):
    item = bounded(quantity(1, "kg"), quantity(2, "kg"))
    assert findings(item, {"valueQuantity": given}) == {(key, "answer[0].value.ofType(Quantity)") for key in found}


@pytest.mark.parametrize(
    ("given", "is_valid"),
    [
        (quantity(1, "kg"), True),
        (quantity(1, "kg", "kilogram"), True),
        (quantity(1, "g", "gram"), True),
        (quantity(1, "g"), False),
        (quantity(1, "m"), False),
    ],
)
def test_a_quantity_has_a_unit_asked_for(given, is_valid):
    units = [{"system": UCUM, "code": "kg"}, {"system": UCUM, "code": "g", "display": "gram"}]
    url = HL7 + "questionnaire-unitOption"
    item = {"type": "quantity", "extension": [extension(url, valueCoding=unit) for unit in units]}
    found = set() if is_valid else {("questionnaire-unit-option", "answer[0].value.ofType(Quantity)")}
    assert findings(item, {"valueQuantity": given}) == found


@pytest.mark.parametrize(
    ("value_set", "found"),
    [
        ("http://hl7.org/fhir/ValueSet/ucum-vitals-common", set()),
        ("http://hl7.org/fhir/ValueSet/administrative-gender", {"questionnaire-unit-set"}),
        ("http://jtys.test/ValueSet/none", {"warning:questionnaire-value-set-unknown"}),
    ],
)
def test_a_quantity_has_a_unit_of_the_value_set(value_set, found):
    url = HL7 + "questionnaire-unitValueSet"
    item = {"type": "quantity", "extension": [extension(url, valueCanonical=value_set)]}
    assert findings(item, {"valueQuantity": quantity(1, "kg")}) == {
        (key, "answer[0].value.ofType(Quantity)") for key in found
    }


def coding(code, system="http://jtys.test/s"):
    return {"system": system, "code": code}


CODING = "answer[0].value.ofType(Coding)"


@pytest.mark.parametrize("type_", ["choice", "open-choice"])
@pytest.mark.parametrize(
    ("given", "is_valid"),
    [
        (coding("1"), True),
        ({**coding("1"), "display": "One"}, True),
        (coding("2"), False),
        (coding("1", "http://jtys.test/t"), False),
        ({"code": "1"}, False),
    ],
)
def test_a_code_is_one_of_the_options(type_, given, is_valid):
    item = {"type": type_, "answerOption": [{"valueCoding": coding("1")}, {"valueInteger": 3}]}
    assert findings(item, {"valueCoding": given}) == (set() if is_valid else {("questionnaire-option", CODING)})


def test_a_free_text_answers_an_open_choice_and_no_choice():
    options = {"answerOption": [{"valueCoding": coding("1")}]}
    assert findings({"type": "open-choice", **options}, {"valueString": "x"}) == set()
    found = {("questionnaire-option", "answer[0].value.ofType(string)")}
    assert findings({"type": "choice", **options}, {"valueString": "x"}) == found


@pytest.mark.parametrize(
    ("type_", "key", "option", "good", "bad"),
    [
        ("choice", "Integer", 1, 1, 2),
        ("integer", "Integer", 1, 1, 2),
        ("choice", "Date", "2024", "2024", "2025"),
        ("time", "Time", "10:00:00", "10:00:00", "09:00:00"),
        ("string", "String", "x", "x", "y"),
        ("choice", "Reference", {"reference": "Patient/1"}, {"reference": "Patient/1"}, {"reference": "Patient/2"}),
    ],
)
def test_options_restrict_answers_of_every_type(type_, key, option, good, bad):
    name = f"value{key}"
    item = {"type": type_, "answerOption": [{name: option}]}
    assert findings(item, {name: good}) == set()
    assert {found for found, _ in findings(item, {name: bad})} == {"questionnaire-option"}


def test_an_exclusive_option_is_chosen_alone():
    alone = extension(HL7 + "questionnaire-optionExclusive", valueBoolean=True)
    options = [{"valueCoding": coding("1")}, {"extension": [alone], "valueCoding": coding("none")}]
    item = {"type": "choice", "answerOption": options}
    one, none = {"valueCoding": coding("1")}, {"valueCoding": coding("none")}
    assert findings(item, none) == findings(item, one) == set()
    assert findings(item, one, none) == {("questionnaire-exclusive", "answer[1].value.ofType(Coding)")}


GENDER = "http://hl7.org/fhir/administrative-gender"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (coding("male", GENDER), set()),
        (coding("male"), {"questionnaire-value-set"}),
        ({"code": "male"}, {"warning:questionnaire-no-system"}),
    ],
)
def test_a_code_is_in_the_value_set(given, found):
    item = {"type": "choice", "answerValueSet": "http://hl7.org/fhir/ValueSet/administrative-gender"}
    assert findings(item, {"valueCoding": given}) == {(key, CODING) for key in found}


def test_a_display_alone_answers_an_open_choice():
    item = {"type": "open-choice", "answerValueSet": "http://hl7.org/fhir/ValueSet/administrative-gender"}
    assert findings(item, {"valueCoding": {"display": "neither"}}) == set()


def test_a_value_set_that_is_not_known_is_a_warning():
    item = {"type": "choice", "answerValueSet": "http://jtys.test/ValueSet/none"}
    found = {("warning:questionnaire-value-set-unknown", CODING)}
    assert findings(item, {"valueCoding": coding("1")}) == found


INCLUDES = {
    "listed": {"system": "http://jtys.test/s", "concept": [{"code": "1"}]},
    "imported": {"valueSet": ["http://hl7.org/fhir/ValueSet/administrative-gender"]},
    "whole": {"system": GENDER},
    "filtered": {"system": "http://jtys.test/f", "filter": [{"property": "p", "op": "=", "value": "v"}]},
}


@pytest.mark.parametrize(
    ("include", "given", "found"),
    [
        ("listed", coding("1"), set()),
        ("listed", coding("2"), {"questionnaire-value-set"}),
        ("imported", coding("male", GENDER), set()),
        ("imported", coding("1"), {"questionnaire-value-set"}),
        ("whole", coding("female", GENDER), set()),
        ("whole", coding("1"), {"questionnaire-value-set"}),
        ("filtered", coding("1", "http://jtys.test/f"), {"warning:questionnaire-value-set-unknown"}),
        ("filtered", coding("1"), {"questionnaire-value-set"}),
    ],
)
def test_the_value_set_may_be_contained_in_the_form(include, given, found):
    value_set = {"resourceType": "ValueSet", "id": "v", "status": "active", "compose": {"include": [INCLUDES[include]]}}
    item = {"type": "choice", "answerValueSet": "#v"}
    assert findings(item, {"valueCoding": given}, contained=[value_set]) == {(key, CODING) for key in found}


def test_what_a_contained_value_set_excludes_is_not_in_it():
    listed = {"system": "http://jtys.test/s", "concept": [{"code": "1"}, {"code": "2"}]}
    compose = {"include": [listed], "exclude": [{"system": "http://jtys.test/s", "concept": [{"code": "2"}]}]}
    value_set = {"resourceType": "ValueSet", "id": "v", "status": "active", "compose": compose}
    item = {"type": "choice", "answerValueSet": "#v"}
    answers = [{"valueCoding": coding("1")}, {"valueCoding": coding("2")}]
    found = {("questionnaire-value-set", "answer[1].value.ofType(Coding)")}
    assert findings(item, *answers, contained=[value_set]) == found


def test_every_sentence_is_whole_in_both_languages():
    item = bounded(quantity(1, "kg"), quantity(2, "kg"))
    form = {"resourceType": "Questionnaire", "url": URL, "status": "active", "item": [{"linkId": "a", **item}]}
    answer = {"valueQuantity": quantity(3, "kg", "公斤")}
    response = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": URL}
    response["item"] = [{"linkId": "a", "answer": [answer]}]
    (issue,) = validator().check(response, resolve={URL: form}.get)
    assert (issue.severity, issue.code) == (Severity.ERROR, "invariant")
    assert issue.text("en") == "The question takes 2 (kg) or less, found 3 公斤 (kg)."
    assert issue.text("zh") == "该问题的答案不得大于 2 (kg),实际为 3 公斤 (kg)。"
