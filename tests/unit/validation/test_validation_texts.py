"""Texts that only some policies refuse."""

import pytest

from fhir_server.validation.policy import Policy
from fhir_server.validation.rules.texts import markdown_faults, string_faults

STRICT = Policy(strict=True)


@pytest.mark.parametrize("text", ["<b>", "x <a href='y'>z</a>", "<script/>", "<img src=x onerror=y>"])
def test_a_tag_in_a_string_is_markup(text):
    assert [f.key for f in string_faults(text)] == ["validation.string-markup"]


@pytest.mark.parametrize("text", ["a < b", "a<b", "3 <4> 5", "<>", "x > y", "< b >"])
def test_what_is_no_tag_is_none(text):
    assert string_faults(text) == []


@pytest.mark.parametrize("text", ["a <r b", "<b>x</b>", "</p>"])
def test_an_opened_tag_in_markdown_is_markup(text):
    assert [f.key for f in markdown_faults(text)] == ["validation.markdown-markup"]


@pytest.mark.parametrize("text", ["`<b>`", "```\n<b>\n```", "<https://a.b>", "<a@b.c>", r"\<b>", "a < b", "1 <2"])
def test_code_links_and_escapes_in_markdown_are_none(text):
    assert markdown_faults(text) == []


NOTED = {"resourceType": "Basic", "code": {"text": "a <b> c"}}


def test_strings_are_looked_at_where_security_asks(check):
    expected = {("error", "validation.string-markup", "Basic.code.text")}
    assert check(NOTED, policy=Policy(security_checks=True)) == expected
    assert check(NOTED) == set()


def test_contained_resources_are_looked_at_once(check):
    inner = {"resourceType": "Basic", "id": "i", "code": {"text": "<b>"}}
    outer = {"resourceType": "Basic", "contained": [inner], "code": {"text": "x"}, "subject": {"reference": "#i"}}
    found = {p for _, k, p in check(outer, policy=Policy(security_checks=True)) if k == "validation.string-markup"}
    assert found == {"Basic.contained[0].code.text"}


def test_markdown_is_looked_at_where_it_may_have_no_markup(check):
    resource = {"resourceType": "Communication", "status": "completed", "note": [{"text": "x <r y"}]}
    expected = {("error", "validation.markdown-markup", "Communication.note[0].text")}
    assert check(resource, policy=Policy(html_in_markdown=False)) == expected
    assert check(resource) == set()


def value_set(**more: object):
    url = "urn:uuid:6a2ee390-978e-42c6-8f88-c17dff3bd8a1"
    return {"resourceType": "ValueSet", "status": "active", "name": "X", "url": url, **more}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("urn:uuid:6a2ee390-978e-42c6-8f88-c17dff3bd8a1", None),
        ("urn:uuid:6a2ee390-978e-42c6-8f88-c17dff3bd8a", "uri-uuid"),
        ("urn:uuid:6A2EE390-978e-42c6-8f88-c17dff3bd8a1", "uri-uuid"),
        ("urn:oid:2.16.156.1", None),
        ("urn:oid:2.16.0156.1", "uri-oid"),
        ("ValueSet/x", "definition-url"),
    ],
)
def test_the_url_of_a_definition_is_absolute_and_a_urn_well_formed(check, url, key):
    found = {(k, p) for _, k, p in check(value_set(url=url), policy=STRICT)}
    assert found == ({(f"validation.{key}", "ValueSet.url")} if key else set())
    assert check(value_set(url=url)) == set()


def test_a_canonical_names_a_contained_resource_that_is_there(check):
    item = {"linkId": "1", "type": "choice", "answerValueSet": "#v"}
    resource = {"resourceType": "Questionnaire", "status": "active", "item": [item]}
    expected = {("error", "validation.canonical-contained", "Questionnaire.item[0].answerValueSet")}
    assert check(resource, policy=STRICT) >= expected
    resource["contained"] = [value_set(id="v", url="http://jtys.test/v")]
    assert not check(resource, policy=STRICT) & expected


def test_a_change_of_direction_is_changed_back(check):
    text = "\u202eabc"
    expected = {("error", "validation.string-direction", "Basic.code.text")}
    assert check({"resourceType": "Basic", "code": {"text": text}}, policy=STRICT) == expected
    assert check({"resourceType": "Basic", "code": {"text": text + "\u202c"}}, policy=STRICT) == set()


def test_a_required_code_is_not_replaced_by_an_extension(check):
    absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    resource = {"resourceType": "Patient", "_gender": {"extension": [absent]}}
    assert check(resource, policy=STRICT) == {("error", "validation.code-absent", "Patient.gender")}
    assert check({**resource, "gender": "male"}, policy=STRICT) == set()
    assert check(resource) == set()
