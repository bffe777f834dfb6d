"""search over HTTP, https://hl7.org/fhir/R4/search.html. What each kind matches is in tests/cases; this is the interaction."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import RestServer, ids_of, keys_of, links_of

SUBJECT = {"reference": "Patient/p1"}
LOINC = "http://loinc.org"


@pytest.fixture
def filled(lenient_server):
    server = lenient_server
    for n, (name, birth) in enumerate([("王秀兰", "1950-01-01"), ("王建国", "1960-01-01"), ("李敏", "1985-05-05")], 1):
        server.put({"resourceType": "Patient", "id": f"p{n}", "name": [{"text": name}], "birthDate": birth})
    for n, (day, sbp) in enumerate([("2025-01-10", 150), ("2025-04-10", 142), ("2025-07-10", 138)], 1):
        server.put(
            {
                "resourceType": "Observation",
                "id": f"o{n}",
                "status": "final",
                "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
                "subject": SUBJECT,
                "effectiveDateTime": f"{day}T09:00:00+08:00",
                "valueQuantity": {"value": sbp, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
            }
        )
    return server


def test_a_searchset_has_total_self_link_and_absolute_full_urls(filled):
    bundle = decode(filled.get("Patient?name=王").content)
    assert (bundle["type"], bundle["total"]) == ("searchset", 2)
    assert {e["fullUrl"] for e in bundle["entry"]} == {"http://test/fhir/Patient/p1", "http://test/fhir/Patient/p2"}
    assert bundle["link"][0]["relation"] == "self"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("birthdate=lt1960-01-01", ["p1"]),
        ("birthdate=ge1960", ["p2", "p3"]),
        ("name=王秀", ["p1"]),
        ("name:exact=王建国", ["p2"]),
        ("name:contains=建国", ["p2"]),
        ("_id=p1,p3", ["p1", "p3"]),
        ("_lastUpdated=gt2026-03-01T08:00:00Z", []),
        ("birthdate=1985-05-05&name=李", ["p3"]),
        ("gender:missing=true", ["p1", "p2", "p3"]),
    ],
)
def test_patients_found(filled, query, ids):
    assert sorted(ids_of(filled.get(f"Patient?{query}"))) == ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("patient=p1&_sort=-date", ["o3", "o2", "o1"]),
        ("subject=Patient/p1&code=http://loinc.org|8480-6&date=ge2025-04-01&_sort=date", ["o2", "o3"]),
        ("value-quantity=gt140|http://unitsofmeasure.org|mm[Hg]&_sort=date", ["o1", "o2"]),
        ("code=8480-6&_sort=-date&_count=1", ["o3"]),
        ("patient=p2", []),
    ],
)
def test_observations_found(filled, query, ids):
    assert ids_of(filled.get(f"Observation?{query}")) == ids


def test_pages_follow_next_links_to_the_end(filled):
    seen, url = [], "Observation?_sort=date&_count=2"
    while url:
        page = filled.get(url)
        seen.append(ids_of(page))
        url = links_of(page).get("next")
    assert seen == [["o1", "o2"], ["o3"]]


def test_a_later_page_names_itself_and_the_first(filled):
    first = links_of(filled.get("Observation?_sort=date&_count=2"))
    second = links_of(filled.get(first["next"]))
    assert (second["self"], second["first"]) == (first["next"], first["self"])
    assert ids_of(filled.get(second["self"])) == ["o3"]


def test_a_changed_page_link_is_refused(filled):
    link = links_of(filled.get("Observation?_sort=date&_count=2"))["next"]
    assert keys_of(filled.get(link[:-4] + "AAAA")) == ["search.page-invalid"]
    assert keys_of(filled.get(link.replace("_sort=date", "_sort=-date"))) == ["search.page-invalid"]


def test_include_brings_each_target_once(filled):
    answer = filled.get("Observation?_include=Observation:subject&_sort=date")
    assert ids_of(answer) == ["o1", "o2", "o3"]
    assert ids_of(answer, "include") == ["p1"]
    assert decode(answer.content)["total"] == 3


def test_revinclude_brings_what_points_at_the_matches(filled):
    answer = filled.get("Patient?_id=p1&_revinclude=Observation:subject")
    assert ids_of(answer) == ["p1"]
    assert sorted(ids_of(answer, "include")) == ["o1", "o2", "o3"]


def test_an_unknown_parameter_is_refused_with_the_valid_ones(filled):
    answer = filled.get("Patient?nmae=x")
    assert (answer.status_code, keys_of(answer)) == (400, ["search.parameter-unknown"])
    assert "birthdate" in answer.text


def test_lenient_handling_leaves_it_out_and_says_so(filled):
    answer = filled.get("Patient?nmae=x&name=李", prefer="handling=lenient")
    assert ids_of(answer) == ["p3"]
    assert "nmae" not in links_of(answer)["self"]
    assert len(ids_of_outcomes(answer)) == 1


def ids_of_outcomes(answer) -> list[str]:
    return [
        e["resource"]["issue"][0]["severity"]
        for e in decode(answer.content)["entry"]
        if e["search"]["mode"] == "outcome"
    ]


def test_all_findings_of_a_query_come_together(filled):
    answer = filled.get("Patient?nmae=x&birthdate=yesterday&_sort=shoe")
    assert answer.status_code == 400
    assert len(keys_of(answer)) == 3


def test_count_zero_and_summary_count_give_the_total_alone(filled):
    for query in ("_count=0", "_summary=count"):
        bundle = decode(filled.get(f"Patient?{query}").content)
        assert (bundle["total"], "entry" in bundle) == (3, False)


def test_search_by_post_reads_the_form(filled):
    form = {"content_type": "application/x-www-form-urlencoded"}
    assert sorted(ids_of(filled.send("POST", "Patient/_search", "name=王&_count=5".encode(), **form))) == ["p1", "p2"]
    wrong = filled.send("POST", "Patient/_search", b"{}", content_type="application/json")
    assert (wrong.status_code, keys_of(wrong)) == (415, ["rest.form-needed"])


def test_deleted_resources_are_not_found(filled):
    filled.send("DELETE", "Patient/p2")
    assert ids_of(filled.get("Patient?name=王")) == ["p1"]


def test_an_iterating_include_goes_on_from_what_it_included(lenient_server):
    server = lenient_server
    for n in (4, 3, 2, 1):
        part_of = {"partOf": {"reference": f"Organization/g{n + 1}"}} if n < 4 else {}
        server.put({"resourceType": "Organization", "id": f"g{n}", "name": f"机构{n}", **part_of})
    server.put({"resourceType": "Patient", "id": "p", "managingOrganization": {"reference": "Organization/g1"}})
    once = server.get("Patient?_id=p&_include=Patient:organization")
    through = "Patient?_id=p&_include=Patient:organization&_include:iterate=Organization:partof"
    assert (ids_of(once, "include"), ids_of(server.get(through), "include")) == (["g1"], ["g1", "g2", "g3", "g4"])


def test_an_iterating_include_of_a_circle_ends(lenient_server):
    server = lenient_server
    for one, other in (("a", "b"), ("b", "a")):
        server.put({"resourceType": "Organization", "id": one, "name": one})
        server.put({"resourceType": "Organization", "id": other, "name": other})
        server.put(
            {"resourceType": "Organization", "id": one, "name": one, "partOf": {"reference": f"Organization/{other}"}}
        )
    server.put({"resourceType": "Organization", "id": "b", "name": "b", "partOf": {"reference": "Organization/a"}})
    server.put({"resourceType": "Organization", "id": "a", "name": "a", "partOf": {"reference": "Organization/b"}})
    assert ids_of(server.get("Organization?_id=a&_include:iterate=Organization:partof"), "include") == ["b"]


def test_wildcards_include_every_reference_and_every_referrer(filled):
    filled.put({"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": [{"entity": SUBJECT}]})
    assert ids_of(filled.get("Observation?_id=o1&_include=*"), "include") == ["p1"]
    assert ids_of(filled.get("Observation?_id=o1&_include=Observation:*"), "include") == ["p1"]
    assert sorted(ids_of(filled.get("Patient?_id=p1&_revinclude=*"), "include")) == ["g", "o1", "o2", "o3"]


def test_chains_and_has_search_through_other_resources(filled):
    assert ids_of(filled.get("Observation?patient.name=王秀&_sort=date")) == ["o1", "o2", "o3"]
    assert ids_of(filled.get("Observation?subject:Patient.name=李")) == []
    assert ids_of(filled.get("Patient?_has:Observation:patient:value-quantity=gt149")) == ["p1"]
    assert ids_of(filled.get("Patient?_has:Observation:patient:value-quantity=gt151")) == []


def test_more_includes_than_the_limit_are_refused_not_cut():
    server = RestServer(max_included=2, validation="off")
    server.put({"resourceType": "Patient", "id": "p"})
    for n in range(3):
        server.put({"resourceType": "Observation", "id": f"o{n}", "subject": {"reference": "Patient/p"}})
    answer = server.get("Patient?_revinclude=Observation:subject")
    assert (answer.status_code, keys_of(answer)) == (400, ["search.include-too-many"])
    server.close()
