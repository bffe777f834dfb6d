"""When an item is asked: operators, behaviours, groups, expressions."""

from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.validation import Validator

URL = "http://jtys.test/Questionnaire/form"
ROOT = "QuestionnaireResponse"
DISABLED = ("questionnaire-item-disabled", f"{ROOT}.item[1]")
MISSING = ("questionnaire-required", ROOT)


def when(question, operator, **answer: object):
    return {"question": question, "operator": operator, **answer}


@cache
def validator():
    return Validator(load_definitions())


def findings(items, answers):
    asked = {"resourceType": "Questionnaire", "url": URL, "status": "active", "item": items}
    response = {"resourceType": ROOT, "status": "completed", "questionnaire": URL}
    if answers:
        response["item"] = answers
    issues = validator().check(response, resolve={URL: asked}.get)
    return {(i.key.removeprefix("validation."), i.path) for i in issues}


def asked(type_, *conditions, **more: object):
    """A question and a required second one that depends on it."""
    dependent = {"linkId": "b", "type": "string", "required": True, "enableWhen": list(conditions), **more}
    return [{"linkId": "a", "type": type_, "repeats": True}, dependent]


B = {"linkId": "b", "answer": [{"valueString": "x"}]}


def answered(*answers):
    return {"linkId": "a", "answer": list(answers)}


@pytest.mark.parametrize(
    ("type_", "operator", "expected", "given", "is_enabled"),
    [
        ("integer", "=", 2, 2, True),
        ("integer", "=", 2, 3, False),
        ("integer", "!=", 2, 3, True),
        ("integer", "!=", 2, 2, False),
        ("integer", ">", 2, 3, True),
        ("integer", ">", 2, 2, False),
        ("integer", ">=", 2, 2, True),
        ("integer", "<", 2, 2, False),
        ("integer", "<=", 2, 2, True),
        ("integer", "<=", 2, 3, False),
        ("boolean", "=", True, True, True),
        ("boolean", "=", True, False, False),
        ("boolean", "=", False, False, True),
        ("string", "=", "x", "x", True),
        ("string", "=", "x", "X", False),
        ("date", ">", "2024-01", "2024-02-01", True),
        ("date", ">", "2024-02-01", "2024-02-01", False),
        ("dateTime", "<", "2024-02-01", "2024-01-31T23:00:00Z", True),
        ("time", ">", "09:00:00", "10:00:00", True),
    ],
)
def test_an_operator_compares_answer_and_condition(type_, operator, expected, given, is_enabled):
    key = type_[0].upper() + type_[1:]
    items = asked(type_, when("a", operator, **{f"answer{key}": expected}))
    answer = answered({f"value{key}": given})
    assert findings(items, [answer, B]) == (set() if is_enabled else {DISABLED})
    assert findings(items, [answer]) == ({MISSING} if is_enabled else set())


def coding(code, system="http://jtys.test/s"):
    return {"system": system, "code": code}


@pytest.mark.parametrize(
    ("operator", "expected", "given", "is_enabled"),
    [
        ("=", coding("1"), coding("1"), True),
        ("=", coding("1"), coding("2"), False),
        ("=", {"code": "1"}, coding("1"), True),
        ("=", coding("1"), {"code": "1"}, False),
        ("!=", coding("1"), coding("2"), True),
    ],
)
def test_codings_are_the_same_by_system_and_code(operator, expected, given, is_enabled):
    items = asked("choice", when("a", operator, answerCoding=expected))
    assert findings(items, [answered({"valueCoding": given})]) == ({MISSING} if is_enabled else set())


@pytest.mark.parametrize(
    ("unit", "is_enabled"), [("kg", False), ("g", None), ("t", None), ("m", None), ("[lb_av]", None)]
)
def test_quantities_are_compared_in_ucum(unit, is_enabled):
    quantity = {"value": 5, "system": "http://unitsofmeasure.org", "code": unit}
    items = asked("quantity", when("a", ">", answerQuantity={**quantity, "code": "kg"}))
    expected = {"kg": False, "g": False, "t": True, "m": None, "[lb_av]": False}[unit]
    missing = {MISSING} if expected else set()
    assert findings(items, [answered({"valueQuantity": quantity})]) == missing
    disabled = {DISABLED} if expected is False else set()
    assert findings(items, [answered({"valueQuantity": quantity}), B]) == disabled


def test_exists_asks_for_any_answer_or_for_none():
    asks, asks_not = (asked("string", when("a", "exists", answerBoolean=wanted)) for wanted in (True, False))
    some = answered({"valueString": "x"})
    assert findings(asks, [some]) == {MISSING}
    assert findings(asks, []) == set()
    assert findings(asks_not, [some]) == set()
    assert findings(asks_not, []) == {MISSING}


def test_one_of_several_answers_is_enough():
    items = asked("integer", when("a", "=", answerInteger=2))
    assert findings(items, [answered({"valueInteger": 1}, {"valueInteger": 2})]) == {MISSING}


def test_no_answer_is_not_unequal():
    assert findings(asked("integer", when("a", "!=", answerInteger=2)), []) == set()


@pytest.mark.parametrize(("behavior", "given", "is_enabled"), [("any", 2, True), ("all", 2, False), ("all", 3, True)])
def test_conditions_count_together_as_the_behaviour_says(behavior, given, is_enabled):
    conditions = (when("a", ">", answerInteger=1), when("a", ">", answerInteger=2))
    items = asked("integer", *conditions, enableBehavior=behavior)
    assert findings(items, [answered({"valueInteger": given})]) == ({MISSING} if is_enabled else set())


@pytest.mark.parametrize(
    "condition",
    [
        when("unknown", "=", answerInteger=2),
        when("a", "=", answerString="2"),
        when("a", "=", answerDate="2024"),
        when("a", "exists", answerInteger=1),
        when("a", ">"),
    ],
)
def test_what_cannot_be_told_refuses_nothing(condition):
    items = asked("integer", condition)
    answer = answered({"valueInteger": 2})
    assert findings(items, [answer]) == findings(items, [answer, B]) == set()


def test_a_disabled_item_may_stand_there_empty():
    items = asked("integer", when("a", "=", answerInteger=2))
    assert findings(items, [answered({"valueInteger": 1}), {"linkId": "b", "text": "Why"}]) <= {
        ("questionnaire-item-text", f"{ROOT}.item[1].text")
    }


def test_a_disabled_group_needs_nothing_and_has_no_answers():
    condition = when("a", "=", answerInteger=2)
    inner = {"linkId": "c", "type": "string", "required": True}
    group = {"linkId": "b", "type": "group", "enableWhen": [condition], "item": [inner]}
    items = [{"linkId": "a", "type": "integer"}, group]
    one = answered({"valueInteger": 1})
    assert findings(items, [one, {"linkId": "b", "item": [{"linkId": "c"}]}]) == set()
    filled = {"linkId": "b", "item": [{"linkId": "c", "answer": [{"valueString": "x"}]}]}
    assert findings(items, [one, filled]) == {DISABLED}


def test_each_repetition_of_a_group_looks_at_itself():
    inner = [{"linkId": "a", "type": "boolean"}, asked("boolean", when("a", "=", answerBoolean=True))[1]]
    items = [{"linkId": "g", "type": "group", "repeats": True, "item": inner}]
    yes, no = ({"linkId": "a", "answer": [{"valueBoolean": told}]} for told in (True, False))
    groups = [{"linkId": "g", "item": [no]}, {"linkId": "g", "item": [yes]}]
    assert findings(items, groups) == {("questionnaire-required", f"{ROOT}.item[1]")}


def test_a_question_below_an_answer_depends_on_that_answer():
    inner = {"linkId": "b", "type": "string", "required": True, "enableWhen": [when("a", "=", answerBoolean=True)]}
    items = [{"linkId": "a", "type": "boolean", "item": [inner]}]
    assert findings(items, [answered({"valueBoolean": True})]) == {
        ("questionnaire-required", f"{ROOT}.item[0].answer[0]")
    }
    assert findings(items, [answered({"valueBoolean": False})]) == set()


def sdc(language, expression):
    url = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"
    return [{"url": url, "valueExpression": {"language": language, "expression": expression}}]


@pytest.mark.parametrize(
    ("language", "expression", "found"),
    [
        ("text/fhirpath", "%resource.item.where(linkId='a').answer.value = 2", {MISSING}),
        ("text/fhirpath", "%resource.item.where(linkId='a').answer.value = 3", set()),
        ("text/fhirpath", "((", set()),
        ("text/cql", "true", set()),
    ],
)
def test_an_expression_takes_the_place_of_conditions(language, expression, found):
    items = asked("integer", extension=sdc(language, expression))
    del items[1]["enableWhen"]
    assert findings(items, [answered({"valueInteger": 2})]) == found
