"""Patient/$everything and Encounter/$everything, https://hl7.org/fhir/R4/patient-operation-everything.html."""

from typing import Any

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of, links_of


def reference(text):
    return {"reference": text}


def put(server, type_, id_, **elements: Any):
    response = server.put({"resourceType": type_, "id": id_, **elements})
    assert response.status_code in (200, 201), response.text


@pytest.fixture
def server(lenient_server):
    put(lenient_server, "Organization", "centre")
    put(lenient_server, "Practitioner", "doctor")
    put(lenient_server, "Practitioner", "stranger")
    put(lenient_server, "Patient", "p2")
    link = [{"other": reference("Patient/p2"), "type": "seealso"}]
    put(lenient_server, "Patient", "p1", managingOrganization=reference("Organization/centre"), link=link)
    put(lenient_server, "Encounter", "e1", subject=reference("Patient/p1"), period={"start": "2026-01-02"})
    for day in (1, 2, 3):
        put(
            lenient_server,
            "Observation",
            f"o{day}",
            subject=reference("Patient/p1"),
            performer=[reference("Practitioner/doctor")],
            effectiveDateTime=f"2026-01-0{day}",
            **({"encounter": reference("Encounter/e1")} if day == 2 else {}),
        )
    put(lenient_server, "Condition", "undated", subject=reference("Patient/p1"))
    put(lenient_server, "Condition", "other", subject=reference("Patient/p2"))
    return lenient_server


def shown(response):
    """The keys of a page by their search mode, in order."""
    assert response.status_code == 200, response.text
    found = {"match": [], "include": []}
    for entry in decode(response.content).get("entry", []):
        resource = entry["resource"]
        found[entry["search"]["mode"]].append(f"{resource['resourceType']}/{resource['id']}")
    return found["match"], found["include"]


def both(response):
    """The keys of a page, whatever their mode."""
    matches, included = shown(response)
    return matches + included


P1 = ["Patient/p1", "Condition/undated", "Encounter/e1", "Observation/o1", "Observation/o2", "Observation/o3"]
AROUND = ["Organization/centre", "Practitioner/doctor"]


def test_a_patient_comes_with_the_compartment_and_what_it_refers_to_each_once(server):
    assert shown(server.get("Patient/p1/$everything")) == (P1, AROUND)


def test_other_patients_that_are_referred_to_stay_out(server):
    assert "Patient/p2" not in both(server.get("Patient/p1/$everything"))


def test_pages_add_up_to_the_whole_and_repeat_nothing(server):
    url, pages = "Patient/p1/$everything?_count=3", []
    while url:
        response = server.get(url)
        pages.append(both(response))
        url = links_of(response).get("next", "").removeprefix("http://test/fhir/")
    assert pages == [P1[:3], P1[3:], AROUND]


def test_pages_show_the_moment_of_the_first(server):
    first = server.get("Patient/p1/$everything?_count=4&_type=Observation,Condition")
    assert shown(first) == (["Condition/undated", "Observation/o1", "Observation/o2", "Observation/o3"], [])
    first = server.get("Patient/p1/$everything?_count=2&_type=Observation")
    put(server, "Observation", "o4", subject=reference("Patient/p1"))
    following = links_of(first)["next"].removeprefix("http://test/fhir/")
    assert shown(server.get(following)) == (["Observation/o3"], [])


def test_a_page_link_of_another_call_is_refused(server):
    following = links_of(server.get("Patient/p1/$everything?_count=2"))["next"]
    response = server.get(following.removeprefix("http://test/fhir/").replace("p1", "p2"))
    assert (response.status_code, keys_of(response)) == (400, ["search.page-invalid"])


def test_types_keep_resources_of_these_types_only(server):
    response = server.get("Patient/p1/$everything?_type=Practitioner,Encounter")
    assert shown(response) == (["Encounter/e1"], ["Practitioner/doctor"])


def test_care_dates_limit_dated_resources_and_keep_undated_ones(server):
    response = server.get("Patient/p1/$everything?start=2026-01-02&end=2026-01-02")
    matches = ["Patient/p1", "Condition/undated", "Encounter/e1", "Observation/o2"]
    assert shown(response) == (matches, AROUND)


def test_since_keeps_what_changed_from_then_on(server):
    server.clock.move(3600)
    put(server, "Observation", "o1", subject=reference("Patient/p1"), status="final")
    put(server, "Practitioner", "doctor", active=True)
    response = server.get("Patient/p1/$everything?_since=2026-03-01T09:00:00Z")
    assert shown(response) == (["Observation/o1"], ["Practitioner/doctor"])


def test_all_patients_come_one_after_another(server):
    matches, included = shown(server.get("Patient/$everything"))
    assert (matches, included) == ([*P1, "Patient/p2", "Condition/other"], AROUND)


def test_pages_go_on_from_one_patient_to_the_next(server):
    url, found = "Patient/$everything?_count=4", []
    while url:
        response = server.get(url)
        found += both(response)
        url = links_of(response).get("next", "").removeprefix("http://test/fhir/")
    assert found == [*P1, *AROUND, "Patient/p2", "Condition/other"]


def test_parameters_may_come_in_the_body(server):
    body = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueCode": "Encounter"}]}
    assert shown(server.send("POST", "Patient/p1/$everything", body)) == (["Encounter/e1"], [])


def test_an_encounter_comes_with_its_compartment_and_its_patient(server):
    response = server.get("Encounter/e1/$everything")
    expected = ["Encounter/e1", "Observation/o2"], ["Patient/p1", "Practitioner/doctor"]
    assert shown(response) == expected


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("Patient/nobody/$everything", 404, "rest.not-found"),
        ("Practitioner/doctor/$everything", 404, "operation.type-invalid"),
        ("Encounter/$everything", 400, "operation.instance-missing"),
        ("Patient/p1/$everything?colour=red", 400, "rest.parameter-unknown"),
        ("Encounter/e1/$everything?start=2026", 400, "rest.parameter-unknown"),
        ("Patient/p1/$everything?start=yesterday", 400, "rest.parameter-invalid"),
        ("Patient/p1/$everything?_count=0", 400, "rest.parameter-invalid"),
        ("Patient/p1/$everything?_count=1&_count=2", 400, "operation.parameter-repeated"),
        ("Patient/p1/$everything?_type=Ghost", 400, "rest.parameter-invalid"),
        ("Patient/p1/$everything?_page=abc", 400, "search.page-invalid"),
    ],
)
def test_a_call_that_cannot_be_answered_is_refused_by_name(server, path, status, key):
    response = server.get(path)
    assert (response.status_code, keys_of(response)) == (status, [key])


def test_a_deleted_patient_is_gone(server):
    put(server, "Patient", "p3")
    server.send("DELETE", "Patient/p3")
    assert server.get("Patient/p3/$everything").status_code == 410


# Group


def group(server, id_, *members, **more: Any):
    put(
        server, "Group", id_, type="person", actual=True, member=[{"entity": reference(one)} for one in members], **more
    )


def test_a_group_has_the_compartments_of_its_patients_and_of_the_groups_in_it(server):
    put(server, "Patient", "p3")
    group(server, "inner", "Patient/p2")
    group(server, "outer", "Patient/p1", "Group/inner")
    group(server, "inner", "Patient/p2", "Group/outer")
    inside = ["Patient/p2", "Condition/other", "Group/inner"]
    referred = ["Organization/centre", "Practitioner/doctor"]
    assert both(server.get("Group/outer/$everything")) == [*P1[:3], "Group/outer", *P1[3:], *inside, *referred]
    assert both(server.get("Group/inner/$everything?_type=Patient")) == ["Patient/p1", "Patient/p2"]


def test_pages_of_a_group_add_up_to_the_whole(server):
    put(server, "Patient", "p0")
    group(server, "all", "Patient/p2", "Patient/p1", "Patient/p0")
    group(server, "all", "Patient/p2", "Patient/p1")
    found, path = [], "Group/all/$everything?_count=1&_type=Patient,Condition,Practitioner"
    while path:
        answer = server.get(path)
        found += both(answer)
        path = links_of(answer).get("next")
    assert found == [*P1[:2], "Practitioner/doctor", "Patient/p2", "Condition/other"]


def test_who_left_a_group_is_not_in_it(server):
    gone = {"entity": reference("Patient/p1"), "inactive": True}
    put(server, "Group", "left", type="person", actual=True, member=[gone, {"entity": reference("Patient/p2")}])
    assert both(server.get("Group/left/$everything")) == ["Patient/p2", "Condition/other", "Group/left"]
    put(server, "Group", "empty", type="person", actual=True)
    assert both(server.get("Group/empty/$everything")) == []
    assert keys_of(server.get("Group/none/$everything")) == ["rest.not-found"]
    assert keys_of(server.get("Group/$everything")) == ["operation.instance-missing"]


def test_an_end_before_the_start_is_refused_in_the_language_that_is_asked_for(server):
    answer = server.get("Patient/p1/$everything?start=2026-02&end=2026-01", accept_language="zh")
    assert answer.status_code == 400
    text = decode(answer.content)["issue"][0]["details"]["text"]
    assert text == "无法识别 end='2026-01'，应为 不早于 start（2026-02）的时间。"
