"""Observation/$lastn, https://hl7.org/fhir/R4/observation-operation-lastn.html."""

from typing import Any

import pytest

from support.rest import ids_of, keys_of

LOINC = "http://loinc.org"


def coded(*codes, system=LOINC, text=None):
    codings = [{"system": system, "code": code} for code in codes]
    return {**({"coding": codings} if codings else {}), **({"text": text} if text else {})}


def put(server, id_, code, at=None, subject="Patient/p1", **more: Any):
    effective = {"effectiveDateTime": at} if at else {}
    body = {"resourceType": "Observation", "id": id_, "code": code, "subject": {"reference": subject}}
    response = server.put({**body, **effective, **more})
    assert response.status_code == 201, response.text


@pytest.fixture
def server(lenient_server):
    for id_ in ("p1", "p2"):
        lenient_server.put({"resourceType": "Patient", "id": id_})
    put(lenient_server, "bp-1", coded("85354-9"), "2026-01-01")
    put(lenient_server, "bp-2", coded("85354-9"), "2026-01-05")
    put(lenient_server, "bp-3", coded("85354-9"), "2026-01-03")
    put(lenient_server, "weight", coded("29463-7"), "2026-01-04")
    put(lenient_server, "others", coded("85354-9"), "2026-02-01", subject="Patient/p2")
    return lenient_server


def test_the_latest_of_each_code_comes_by_default(server):
    assert ids_of(server.get("Observation/$lastn?patient=p1")) == ["bp-2", "weight"]


def test_max_says_how_many_of_each_code(server):
    assert ids_of(server.get("Observation/$lastn?subject=Patient/p1&max=2")) == ["bp-2", "bp-3", "weight"]


def test_search_parameters_select_first(server):
    response = server.get("Observation/$lastn?patient=p1&code=85354-9&date=lt2026-01-04")
    assert ids_of(response) == ["bp-3"]


def test_observations_of_one_instant_count_as_one(server):
    put(server, "bp-4", coded("85354-9"), "2026-01-05")
    put(server, "bp-5", coded("85354-9"), "2026-01-05")
    assert ids_of(server.get("Observation/$lastn?patient=p1&code=85354-9")) == ["bp-2", "bp-4", "bp-5"]


def test_codes_that_share_a_coding_are_one_code(server):
    put(server, "both", coded("85354-9", "29463-7"), "2026-01-06")
    assert ids_of(server.get("Observation/$lastn?patient=p1&max=3")) == ["both", "bp-2", "weight"]


def test_the_same_code_of_another_system_is_another_code(server):
    put(server, "local", coded("85354-9", system="http://local.example"), "2026-01-02")
    assert ids_of(server.get("Observation/$lastn?patient=p1&code=85354-9")) == ["bp-2", "local"]


def test_without_codings_the_text_counts(server):
    put(server, "t1", coded(text="血压"), "2026-03-01")
    put(server, "t2", coded(text="血压 "), "2026-03-02")
    assert ids_of(server.get("Observation/$lastn?patient=p1&date=ge2026-03")) == ["t2"]


def test_observations_without_a_date_come_last(server):
    put(server, "undated", coded("85354-9"))
    response = server.get("Observation/$lastn?patient=p1&code=85354-9&max=9")
    assert ids_of(response) == ["bp-2", "bp-3", "bp-1", "undated"]


def test_a_period_counts_by_its_start(server):
    put(server, "period", coded("85354-9"), effectivePeriod={"start": "2026-01-04", "end": "2026-01-30"})
    assert ids_of(server.get("Observation/$lastn?patient=p1&code=85354-9&max=2")) == ["bp-2", "period"]


def test_parameters_may_come_in_the_body(server):
    given = [{"name": "patient", "valueString": "p1"}, {"name": "max", "valuePositiveInt": 2}]
    body = {"resourceType": "Parameters", "parameter": given}
    assert ids_of(server.send("POST", "Observation/$lastn", body)) == ["bp-2", "bp-3", "weight"]


@pytest.mark.parametrize(
    ("path", "status", "keys"),
    [
        ("Observation/$lastn?code=85354-9", 400, ["lastn.subject-missing"]),
        ("Observation/$lastn?patient=", 400, ["lastn.subject-missing"]),
        ("Observation/$lastn?patient:missing=true", 400, ["lastn.subject-missing"]),
        ("Observation/$lastn?patient=p1&_count=2", 400, ["lastn.shaping"]),
        ("Observation/$lastn?patient=p1&colour=red", 400, ["search.parameter-unknown"]),
        ("Observation/$lastn?patient=p1&max=0", 400, ["rest.parameter-invalid"]),
        ("Observation/$lastn?patient=p1&max=1&max=2", 400, ["rest.parameter-invalid"]),
        ("Condition/$lastn?patient=p1", 404, ["operation.type-invalid"]),
    ],
)
def test_a_call_that_cannot_be_answered_is_refused_by_name(server, path, status, keys):
    response = server.get(path)
    assert (response.status_code, keys_of(response)) == (status, keys)


def test_each_subject_has_its_own_latest(server):
    assert ids_of(server.get("Observation/$lastn?patient=p1,p2&code=85354-9")) == ["others", "bp-2"]
