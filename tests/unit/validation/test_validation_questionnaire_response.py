"""Responses against their forms: places, order, repetition, what may not be missing."""

from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.validation import Validator
from fhir_server.validation.policy import Policy

URL = "http://jtys.test/Questionnaire/form"
STRICT = Policy(strict=True)


def form(*items, **more: object):
    return {"resourceType": "Questionnaire", "id": "form", "url": URL, "status": "active", "item": list(items), **more}


def item(link_id, type_="string", **more: object):
    return {"linkId": link_id, "type": type_, **more}


def given(link_id, *values, **more: object):
    answers = {"answer": [{"valueString": value} for value in values]} if values else {}
    return {"linkId": link_id, **answers, **more}


def response(*items, **more: object):
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": URL,
        "item": list(items),
        **more,
    }


@cache
def validator():
    return Validator(load_definitions())


def findings(questionnaire, answers, **options: object):
    options = {"resolve": {URL: questionnaire}.get, **options}
    issues = validator().check(answers, **options)
    return {(str(i.severity), i.key.removeprefix("validation."), i.path) for i in issues}


ROOT = "QuestionnaireResponse"
GROUP = item("g", "group", item=[item("a", required=True), item("b")])


def test_a_full_response_is_valid():
    assert findings(form(GROUP), response(given("g", item=[given("a", "1"), given("b", "2")]))) == set()


def test_an_unknown_questionnaire_is_a_warning():
    other = response(given("x", "1"), questionnaire="http://jtys.test/Questionnaire/other")
    assert findings(form(GROUP), other) == {("warning", "questionnaire-unknown", f"{ROOT}.questionnaire")}


def test_an_unknown_questionnaire_of_example_org_is_a_note():
    other = response(questionnaire="http://example.org/q", item=[given("x", "1")])
    assert findings(form(GROUP), other) == {("information", "questionnaire-unknown", f"{ROOT}.questionnaire")}


def test_a_response_without_questionnaire_is_not_held_against_any():
    other = {"resourceType": ROOT, "status": "completed", "item": [given("x", "1")]}
    assert findings(form(GROUP), other) == set()


def test_the_questionnaire_may_be_contained():
    inside = {**form(item("a")), "id": "q"}
    del inside["url"]
    answers = response(given("b", "1"), questionnaire="#q", contained=[inside])
    assert findings(form(), answers) == {("error", "questionnaire-item-unknown", f"{ROOT}.item[0]")}


def test_the_questionnaire_may_be_in_the_same_bundle():
    answers = response(given("b", "1"), id="r", questionnaire="http://jtys.test/Questionnaire/bundled|2")
    asked = form(item("a"), url="http://jtys.test/Questionnaire/bundled")
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": []}
    for one in (asked, answers):
        url = f"http://jtys.test/fhir/{one['resourceType']}/{one['id']}"
        bundle["entry"].append({"fullUrl": url, "resource": one})
    found = {("error", "questionnaire-item-unknown", "Bundle.entry[1].resource.item[0]")}
    assert findings(form(), bundle) == found


def test_the_questionnaire_may_be_loaded():
    knowing = Validator(load_definitions().extended([form(item("a"))]))
    for _ in range(2):  # the form is kept, and still says the same
        assert [i.path for i in knowing.check(response(given("b", "1")))] == [f"{ROOT}.item[0]"]


def test_the_questionnaire_may_be_found_outside():
    answers = response(given("b", "1"), questionnaire="http://jtys.test/Questionnaire/far")
    outside = form(item("a"), url="http://jtys.test/Questionnaire/far")
    found = {("error", "questionnaire-item-unknown", f"{ROOT}.item[0]")}
    assert findings(form(), answers, resolve={outside["url"]: outside}.get) == found


def test_an_item_in_the_wrong_place_is_told_and_checked():
    answers = response(given("g", item=[given("a", "1")]), {"linkId": "b", "answer": [{"valueInteger": 1}]})
    assert findings(form(GROUP), answers) == {
        ("error", "questionnaire-item-place", f"{ROOT}.item[1]"),
        ("error", "questionnaire-answer-type", f"{ROOT}.item[1].answer[0].value.ofType(integer)"),
    }


def test_items_keep_the_order_of_the_form():
    answers = response(given("b", "1"), given("a", "1"))
    found = {("error", "questionnaire-item-order", f"{ROOT}.item[1]")}
    assert findings(form(item("a"), item("b")), answers) == found
    assert findings(form(item("b"), item("a")), answers) == set()


@pytest.mark.parametrize(
    ("status", "severity"), [("completed", "error"), ("amended", "error"), ("in-progress", "warning")]
)
def test_what_is_required_is_an_error_once_the_response_is_finished(status, severity):
    found = {(severity, "questionnaire-required", ROOT)}
    assert findings(form(item("a", required=True), item("b")), response(given("b", "1"), status=status)) == found


def test_a_required_question_without_an_answer_is_told_at_its_item():
    found = {("error", "questionnaire-required", f"{ROOT}.item[0]")}
    assert findings(form(item("a", required=True)), response(given("a", text=""))) >= found


def test_a_required_group_needs_items():
    group = item("g", "group", required=True, item=[item("a")])
    assert findings(form(group), response(given("g", item=[given("a", "1")]))) == set()
    assert findings(form(group), response(given("g"))) == {("error", "questionnaire-required", f"{ROOT}.item[0]")}


def test_only_what_repeats_has_several_answers_or_items():
    once, often = form(item("a")), form(item("a", repeats=True))
    answers, items = response(given("a", "1", "2")), response(given("a", "1"), given("a", "2"))
    assert findings(often, answers) == findings(often, items) == set()
    assert findings(once, answers) == {("error", "questionnaire-answer-repeats", f"{ROOT}.item[0]")}
    assert findings(once, items) == {("error", "questionnaire-item-repeats", f"{ROOT}.item[1]")}


def test_groups_and_displays_have_no_answers():
    asked = form(item("g", "group", item=[item("a")]), item("d", "display"), item("q", "question"))
    answers = response(given("g", "1"), given("d", "1"), given("q", "1"))
    assert findings(asked, answers) == {
        ("error", "questionnaire-group-answer", f"{ROOT}.item[0]"),
        ("error", "questionnaire-display-answer", f"{ROOT}.item[1]"),
        ("error", "questionnaire-group-answer", f"{ROOT}.item[2]"),
    }


def test_items_of_a_question_stand_below_its_answers():
    asked = form(item("a", item=[item("b")]))
    below = response({"linkId": "a", "answer": [{"valueString": "1", "item": [given("b", "2")]}]})
    assert findings(asked, below) == set()
    # qrs-1 forbids both beside each other
    beside = response({"linkId": "a", "item": [given("b", "2")]})
    assert findings(asked, beside) == {("error", "questionnaire-question-item", f"{ROOT}.item[0]")}


def test_a_nested_answer_is_checked_where_it_stands():
    asked = form(item("a", item=[item("b", "integer")]))
    below = response({"linkId": "a", "answer": [{"valueString": "1", "item": [given("b", "2")]}]})
    place = f"{ROOT}.item[0].answer[0].item[0].answer[0].value.ofType(string)"
    assert findings(asked, below) == {("error", "questionnaire-answer-type", place)}


@pytest.mark.parametrize(("policy", "severity"), [(Policy(), "warning"), (STRICT, "error")])
def test_another_text_is_a_warning_for_a_server_and_an_error_for_the_official_validator(policy, severity):
    asked = form(item("a", text="Age"))
    found = {(severity, "questionnaire-item-text", f"{ROOT}.item[0].text")}
    assert findings(asked, response(given("a", "1", text="How old")), policy=policy) == found
    assert findings(asked, response(given("a", "1", text="Age")), policy=policy) == set()


def test_a_translated_text_is_the_texts_own():
    parts = [{"url": "lang", "valueCode": "zh"}, {"url": "content", "valueString": "年龄"}]
    translation = {"url": "http://hl7.org/fhir/StructureDefinition/translation", "extension": parts}
    asked = form(item("a", text="Age", _text={"extension": [translation]}))
    assert findings(asked, response(given("a", "1", text="年龄")), policy=STRICT) == set()


def occurring(name, limit):
    return {"url": f"http://hl7.org/fhir/StructureDefinition/questionnaire-{name}Occurs", "valueInteger": limit}


@pytest.mark.parametrize(
    ("count", "found"),
    [
        (1, {("error", "questionnaire-min-occurs", f"{ROOT}.item[0]")}),
        (2, set()),
        (3, set()),
        (4, {("error", "questionnaire-max-occurs", f"{ROOT}.item[0]")}),
    ],
)
def test_the_number_of_answers_stays_within_both_limits(count, found):
    asked = form(item("a", repeats=True, extension=[occurring("min", 2), occurring("max", 3)]))
    assert findings(asked, response(given("a", *"1234"[:count]))) == found


def test_the_limits_of_a_group_count_its_repetitions():
    group = item("g", "group", repeats=True, extension=[occurring("max", 1)], item=[item("a")])
    twice = response(given("g", item=[given("a", "1")]), given("g", item=[given("a", "1")]))
    assert findings(form(group), twice) == {("error", "questionnaire-max-occurs", ROOT)}


@pytest.mark.parametrize(("authored", "is_inside"), [("2021-12-31", False), ("2022-05", True), ("2023-01-01", False)])
def test_the_form_is_answered_while_it_is_in_use(authored, is_inside):
    asked = form(item("a"), effectivePeriod={"start": "2022", "end": "2022"})
    found = set() if is_inside else {("warning", "questionnaire-period", f"{ROOT}.authored")}
    assert findings(asked, response(given("a", "1"), authored=authored)) == found


def test_link_ids_that_stand_twice_in_a_circle_come_to_an_end():
    a, b = item("a", "group", item=[item("b", "group")]), item("b", "group", item=[item("a", "group")])
    a["enableWhen"] = [{"question": "b", "operator": "exists", "answerBoolean": True}]
    asked = {**form(a, b), "id": "q"}
    del asked["url"]
    answers = response(given("b"), questionnaire="#q", contained=[asked])
    assert ("error", "que-2", f"{ROOT}.contained[0]") in findings(form(), answers)
