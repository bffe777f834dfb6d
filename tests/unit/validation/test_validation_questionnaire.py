"""Questionnaires by themselves: conditions, derivation, parameters of value sets."""

from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.validation import Validator

BASE = "http://jtys.test/Questionnaire/base"
ITEM = "Questionnaire.item[0]"


def form(*items, **more: object):
    return {"resourceType": "Questionnaire", "status": "active", "item": list(items), **more}


@cache
def validator():
    return Validator(load_definitions())


def findings(questionnaire, *known):
    resolve = {one["url"]: one for one in known}.get
    issues = validator().check(questionnaire, resolve=resolve)
    return {(str(i.severity), i.key.removeprefix("validation."), i.path) for i in issues}


def on(question):
    return {"enableWhen": [{"question": question, "operator": "exists", "answerBoolean": True}]}


def test_a_condition_names_an_earlier_question():
    first, second = {"linkId": "a", "type": "string"}, {"linkId": "b", "type": "string"}
    assert findings(form(first, {**second, **on("a")})) == set()
    later = {("warning", "questionnaire-condition-later", f"{ITEM}.enableWhen[0]")}
    assert findings(form({**first, **on("b")}, second)) == later


def test_a_condition_may_name_the_question_around():
    inner = {"linkId": "b", "type": "string", **on("a")}
    assert findings(form({"linkId": "a", "type": "string", "item": [inner]})) == set()


@pytest.mark.parametrize(
    ("question", "key"), [("x", "condition-unknown"), ("a", "condition-self"), ("b", "condition-inner")]
)
def test_a_condition_names_another_question_of_the_form(question, key):
    item = {"linkId": "a", "type": "string", **on(question), "item": [{"linkId": "b", "type": "string"}]}
    assert findings(form(item)) == {("error", f"questionnaire-{key}", f"{ITEM}.enableWhen[0]")}


def test_a_condition_of_an_inner_item_is_told_there():
    item = {"linkId": "a", "type": "group", "item": [{"linkId": "b", "type": "string", **on("x")}]}
    place = f"{ITEM}.item[0].enableWhen[0]"
    assert findings(form(item)) == {("error", "questionnaire-condition-unknown", place)}


def derived(item, kind="compliesWith", system="http://hl7.org/fhir/questionnaire-derivationType"):
    url = "http://hl7.org/fhir/StructureDefinition/questionnaire-derivationType"
    how = {"url": url, "valueCoding": {"system": system, "code": kind}}
    return form(item, derivedFrom=[BASE], _derivedFrom=[{"extension": [how]}])


def unknown_extension(found):
    """Leaves out that the extension is none of R4's."""
    return {one for one in found if one[1] not in ("extension-unknown", "code-unknown")}


def compared(item, original, kind="compliesWith"):
    return unknown_extension(findings(derived(item, kind), form(original, url=BASE)))


A = {"linkId": "a", "type": "string"}


def test_an_item_that_stays_as_it_was_is_valid():
    original = {**A, "required": True, "maxLength": 5}
    assert compared(original, original) == set()


@pytest.mark.parametrize(
    ("original", "item", "key", "place"),
    [
        ({**A, "linkId": "b"}, A, "new", ""),
        ({**A, "type": "text"}, A, "type", ".type"),
        (A, {**A, "repeats": True}, "repeats", ".repeats"),
        ({**A, "required": True}, {**A, "required": False}, "required", ".required"),
        ({**A, "maxLength": 5}, {**A, "maxLength": 6}, "max-length", ""),
        ({**A, "maxLength": 5}, A, "max-length", ""),
        ({**A, "answerOption": [{"valueString": "x"}]}, A, "options", ""),
        (
            {**A, "answerOption": [{"valueString": "x"}]},
            {**A, "answerOption": [{"valueString": "x"}, {"valueString": "y"}]},
            "option",
            ".answerOption[1]",
        ),
        (
            {**A, "type": "choice", "answerValueSet": "http://hl7.org/fhir/ValueSet/administrative-gender"},
            {**A, "type": "choice", "answerOption": [{"valueString": "x"}]},
            "value-set",
            "",
        ),
    ],
)
def test_a_derived_item_may_only_be_narrower(original, item, key, place):
    assert compared(item, original) == {("error", f"questionnaire-derived-{key}", ITEM + place)}


@pytest.mark.parametrize(
    ("original", "item"),
    [
        ({**A, "repeats": True}, {**A, "repeats": False}),
        (A, {**A, "required": True}),
        ({**A, "maxLength": 5}, {**A, "maxLength": 4}),
        (
            {**A, "answerOption": [{"valueString": "x"}, {"valueString": "y"}]},
            {**A, "answerOption": [{"valueString": "y"}]},
        ),
    ],
)
def test_a_derived_item_may_be_narrower(original, item):
    assert compared(item, original) == set()


def test_a_form_that_extends_another_may_have_items_of_its_own():
    assert compared(A, {**A, "linkId": "b"}, "extends") == set()


def test_a_form_that_is_only_inspired_is_not_held_against_its_origin():
    found = {("information", "questionnaire-derived-free", "Questionnaire.derivedFrom[0]")}
    assert compared({**A, "type": "text"}, A, "inspiredBy") == found


def test_how_a_form_is_derived_has_to_be_said():
    found = {("warning", "questionnaire-derived-kind", "Questionnaire.derivedFrom[0]")}
    assert findings(form(A, derivedFrom=[BASE]), form(A, url=BASE)) == found
    other = derived(A, "extends", "http://jtys.test/s")
    assert unknown_extension(findings(other, form(A, url=BASE))) == found


def test_an_unknown_origin_is_a_warning():
    found = {("warning", "questionnaire-derived-unknown", "Questionnaire.derivedFrom[0]")}
    assert findings(form(A, derivedFrom=[BASE])) == found


TOOLS = "http://hl7.org/fhir/tools/StructureDefinition/"


def parameters(url, *names):
    return [{"url": TOOLS + url, "extension": [{"url": "name", "valueCode": name}]} for name in names]


@pytest.mark.parametrize(("given", "missing"), [(("p", "q"), 0), (("p",), 1), ((), 2)])
def test_a_question_gives_the_parameters_of_its_value_set(given, missing):
    url = "http://jtys.test/ValueSet/v"
    declared = parameters("valueset-parameter", "p", "q")
    value_set = {"resourceType": "ValueSet", "url": url, "status": "active", "extension": declared}
    beside = {"_answerValueSet": {"extension": parameters("binding-parameter", *given)}} if given else {}
    asked = form({"linkId": "a", "type": "choice", "answerValueSet": url, **beside})
    issues = validator().check(asked, resolve={url: value_set}.get)
    found = [i.path for i in issues if i.key == "validation.questionnaire-parameter"]
    assert found == [f"{ITEM}.answerValueSet"] * missing
