"""The pages and the OpenAPI document say what dispatch does, and nothing else."""

import re
from html import unescape
from urllib.parse import quote

import pytest
from fastapi.openapi.models import OpenAPI

from fhir_server.fhir.json_codec import decode, encode
from fhir_server.search.offered import offered
from support.rest import keys_of

SITE = "http://test"
LOOKED_AT = ("AuditEvent", "Composition", "OperationDefinition", "Patient", "ValueSet")
"""Types with different interactions and operations."""


def page(server, path: str, **headers: str) -> str:
    answer = server.get(f"{SITE}{path}", **headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    return answer.text


def cells(text: str) -> list[list[str]]:
    """The rows of all tables of a page, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    return [[unescape(re.sub("<[^>]+>", " ", cell)).strip() for cell in re.findall("<td>(.*?)</td>", r)] for r in rows]


@pytest.fixture
def document(server):
    return decode(server.get(f"{SITE}/openapi.json").content)


def test_the_root_leads_there(server):
    told = server.get(f"{SITE}/").json()
    assert (told["documentation"], told["openapi"]) == ("/docs", "/openapi.json")


def test_the_first_page_lists_every_type_with_its_number_of_parameters(server):
    listed = {row[0]: int(row[2]) for row in cells(page(server, "/docs")) if len(row) == 3 and row[2].isdecimal()}
    assert listed == {t: len(offered(s)) for t, s in server.parts.definitions.resources.items()}


def test_the_page_of_a_type_has_its_parameters_with_meanings(server):
    rows = {row[0]: row[1:] for row in cells(page(server, "/docs/Patient")) if len(row) == 4}
    assert rows.keys() == offered(server.parts.support("Patient")).keys()
    assert rows["birthdate"][1].startswith("The date of birth for the individual")
    assert rows["address-city"][1].startswith("Name of city, town etc.")
    assert rows["grid"][1].startswith("Grid that the resident belongs to.")
    assert ":exact" in rows["name"][0]
    assert "ge" in rows["birthdate"][0].split()
    assert rows["organization"][2] == "Patient?organization=Organization/123"


def test_every_parameter_of_every_type_is_explained(server):
    unexplained = {
        (type_, row[0])
        for type_ in server.parts.definitions.resources
        for row in cells(page(server, f"/docs/{type_}"))
        if len(row) == 4 and len(row[2].split()) < 2
    }
    assert unexplained == set()


def test_every_example_of_a_search_is_answered(server):
    refused = {
        f"{row[3]}: {answer.status_code}"
        for type_ in server.parts.definitions.resources
        for row in cells(page(server, f"/docs/{type_}"))
        if len(row) == 4 and (answer := server.get(quote(row[3], safe="?=/:$|"))).status_code != 200
    }
    assert refused == set()


def test_the_operations_of_a_type_stand_on_its_page(server):
    text = page(server, "/docs/ValueSet")
    assert "GET | POST ValueSet/$expand" in text
    assert "POST ValueSet/[id]/$meta-add" in text
    assert "$everything" not in text
    assert "http://jtys.example/fhir/OperationDefinition/reindex" in text


def test_an_interaction_that_is_not_offered_is_not_told(server):
    text = page(server, "/docs/AuditEvent")
    assert "POST AuditEvent" in text
    assert "DELETE AuditEvent" not in text
    assert "curl -X PATCH" not in text


def test_an_example_resource_is_one_of_the_profiles(server):
    example = unescape(page(server, "/docs/EpisodeOfCare").rpartition("<pre>")[2].partition("</pre>")[0])
    assert decode(example.encode())["resourceType"] == "EpisodeOfCare"
    assert keys_of(server.send("POST", "EpisodeOfCare/$validate", example.encode()))[:1] != ["rest.body-missing"]


def test_pages_speak_chinese_to_those_who_prefer_it(server):
    assert "查询参数" in page(server, "/docs/Patient", accept_language="zh-CN,zh;q=0.9,en;q=0.1")
    assert "Search parameters" in page(server, "/docs/Patient")


def test_a_type_that_is_not_there_has_no_page(server):
    assert server.get(f"{SITE}/docs/Dragon").status_code == 404


def test_what_a_client_calls_the_server_by_is_shown_as_text(server):
    text = page(server, "/docs", host='x"><script>alert(1)</script>')
    assert "<script" not in text


def test_the_document_is_openapi(document):
    OpenAPI.model_validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_reference_in_the_document_leads_somewhere(document):
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', encode(document).decode())):
        found = document
        for name in reference.split("/"):
            found = found[name]
        assert found


def test_every_call_in_the_document_is_answered_and_no_verb_is_missing(server, document):
    wrong = set()
    for path, calls in document["paths"].items():
        if path.split("/")[1][:1].isupper() and path.split("/")[1] not in LOOKED_AT:
            continue
        url = path.lstrip("/").format(id="x", version="1")
        for verb in ("get", "post", "put", "patch", "delete"):
            body = {"resourceType": "Parameters"} if verb in ("post", "put", "patch") else None
            answer = server.send(verb.upper(), url or "?_type=Patient", body)
            if (answer.status_code != 405) != (verb in calls):
                wrong.add((path, verb, answer.status_code))
    assert wrong == set()


def test_a_search_in_the_document_has_the_parameters_of_the_type(server, document):
    calls = document["paths"]["/EpisodeOfCare"]
    named = {p["name"]: p for p in calls["get"]["parameters"] if "name" in p}
    assert named.keys() == offered(server.parts.support("EpisodeOfCare")).keys()
    assert named["signed-on"]["description"] == "date: Day on which the contract was signed."
    shared = {p["$ref"].rpartition("/")[2] for p in calls["get"]["parameters"] if "$ref" in p}
    assert {"_count", "_sort", "_include"} <= shared
