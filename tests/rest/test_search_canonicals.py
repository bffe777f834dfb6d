"""Canonical URLs in searches, https://hl7.org/fhir/R4/references.html#canonical."""

import pytest

from support.rest import RestServer, ids_of, keys_of

FORM = "http://example.org/Questionnaire/form"


@pytest.fixture(scope="module")
def server():
    running = RestServer(validation="off")
    for id_, version in (("one", "1"), ("two", "2")):
        running.put({"resourceType": "Questionnaire", "id": id_, "url": FORM, "version": version, "status": "active"})
    running.put({"resourceType": "Questionnaire", "id": "other", "url": f"{FORM}2", "status": "active"})
    for id_, named in (("any", FORM), ("second", f"{FORM}|2"), ("part", f"{FORM}|1#p"), ("lost", f"{FORM}|3")):
        running.put({"resourceType": "QuestionnaireResponse", "id": id_, "questionnaire": named, "status": "completed"})
    yield running
    running.close()


@pytest.mark.parametrize(
    ("response", "expected"), [("any", ["one", "two"]), ("second", ["two"]), ("part", ["one"]), ("lost", [])]
)
@pytest.mark.parametrize(
    "value", ["QuestionnaireResponse:questionnaire", "QuestionnaireResponse:questionnaire:Questionnaire", "*"]
)
def test_an_include_brings_what_a_canonical_names(server, response, expected, value):
    answer = server.get(f"QuestionnaireResponse?_id={response}&_include={value}")
    assert (ids_of(answer), sorted(ids_of(answer, "include"))) == ([response], expected)


@pytest.mark.parametrize(
    ("form", "expected"),
    [("one", ["any", "part"]), ("two", ["any", "second"]), ("other", []), ("two,other", ["any", "second"])],
)
@pytest.mark.parametrize("value", ["QuestionnaireResponse:questionnaire", "*"])
def test_a_reverse_include_brings_what_names_a_match_in_its_version(server, form, expected, value):
    answer = server.get(f"Questionnaire?_id={form}&_revinclude={value}")
    assert sorted(ids_of(answer)) == sorted(form.split(","))
    assert sorted(ids_of(answer, "include")) == expected


@pytest.mark.parametrize(
    "query",
    [
        "QuestionnaireResponse?questionnaire.title=Form",
        "QuestionnaireResponse?questionnaire:Questionnaire.title=Form",
        "QuestionnaireResponse?_sort=questionnaire.title",
        "Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed",
        'QuestionnaireResponse?_filter=questionnaire.title co "Form"',
    ],
)
def test_a_chain_through_canonicals_is_refused_and_does_not_find_nothing(server, query):
    answer = server.get(query)
    assert (answer.status_code, keys_of(answer)) == (400, ["search.chain-canonical"])


def test_a_list_is_named_by_its_id_with_or_without_its_type(server):
    server.put({"resourceType": "Patient", "id": "p"})
    server.put({"resourceType": "List", "id": "l", "entry": [{"item": {"reference": "Patient/p"}}]})
    assert ids_of(server.get("Patient?_list=l")) == ids_of(server.get("Patient?_list=List/l")) == ["p"]
