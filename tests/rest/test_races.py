"""Identical and contradicting requests at once leave one resource and no dangling reference."""

import asyncio

import httpx
import pytest

from fhir_server.fhir.json_codec import decode, encode
from support.live import live_server
from support.requests import fhirpath_patch
from support.rest import FHIR_JSON, ids_of

PATIENT = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "A1"}], "active": True}
CRITERIA = "identifier=urn:x|A1"
TRANSACTION = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [{"resource": PATIENT, "request": {"method": "POST", "url": "Patient", "ifNoneExist": CRITERIA}}],
}
PATCH = fhirpath_patch({"type": "replace", "path": "Patient.active", "value": {"valueBoolean": False}})
CREATING = {
    "conditional create": ("POST", "Patient", PATIENT, {"if-none-exist": CRITERIA}),
    "conditional update": ("PUT", f"Patient?{CRITERIA}", PATIENT, {}),
    "conditional update with an id": ("PUT", f"Patient?{CRITERIA}", {**PATIENT, "id": "mine"}, {}),
    "update as create": ("PUT", "Patient/mine", {**PATIENT, "id": "mine"}, {}),
    "transaction": ("POST", "", TRANSACTION, {}),
}
CHANGING = {
    "conditional patch": (("PATCH", f"Patient?{CRITERIA}", PATCH, {}), {200}, 2),
    "patch": (("PATCH", "Patient/p1", PATCH, {}), {200}, 2),
    "conditional delete": (("DELETE", f"Patient?{CRITERIA}", {}, {}), {204}, 2),
    "delete": (("DELETE", "Patient/p1", {}, {}), {204}, 2),
}


@pytest.mark.parametrize("request_", CREATING.values(), ids=CREATING)
def test_fifty_identical_requests_make_one_resource(server, request_):
    answers = server.together(*[request_] * 50)
    assert {a.status_code for a in answers} <= {200, 201}
    assert len(ids_of(server.get("Patient"))) == 1
    assert decode(server.get("_history").content)["total"] == 1


@pytest.mark.parametrize(("request_", "statuses", "versions"), CHANGING.values(), ids=CHANGING)
def test_fifty_identical_changes_make_one_version(server, request_, statuses, versions):
    server.put({**PATIENT, "id": "p1"})
    answers = server.together(*[request_] * 50)
    assert {a.status_code for a in answers} == statuses
    assert decode(server.get("_history").content)["total"] == versions


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_fifty_different_changes_by_clients_who_expect_nothing_are_all_made(server, verb):
    server.put({**PATIENT, "id": "p1"})
    days = [f"19{n}-01-02" for n in range(20, 70)]
    bodies = {
        "PUT": [{**PATIENT, "id": "p1", "birthDate": day} for day in days],
        "PATCH": [
            fhirpath_patch({"type": "replace", "path": "Patient.identifier[0].value", "value": {"valueString": day}})
            for day in days
        ],
    }[verb]
    answers = server.together(*[(verb, "Patient/p1", body, {}) for body in bodies])
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.headers["etag"] for answer in answers) == sorted(f'W/"{n}"' for n in range(2, 52))


def group(number):
    member = [{"entity": {"reference": "Patient/p1"}}]
    return {"resourceType": "Group", "id": f"g{number}", "type": "person", "actual": True, "member": member}


@pytest.mark.parametrize("first", ["delete", "create"])
def test_a_deletion_and_new_referrers_at_once_leave_nothing_dangling(server, first):
    server.put({**PATIENT, "id": "p1"})
    writes = [("PUT", f"Group/g{n}", group(n), {}) for n in range(10)]
    delete = ("DELETE", "Patient/p1", {}, {})
    answers = server.together(*([delete, *writes] if first == "delete" else [*writes, delete]))
    assert {a.status_code for a in answers} <= {201, 204, 409}
    gone = server.get("Patient/p1").status_code == 410
    assert bool(ids_of(server.get("Group"))) != gone


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_holds_for_a_live_server(tmp_path, workers):
    with live_server(tmp_path, "--workers", str(workers)) as base:
        statuses, found = asyncio.run(_race(base))
    assert {name: sorted(set(codes)) for name, codes in statuses.items()} == {name: [200, 201] for name in CREATING}
    assert {name: codes.count(201) for name, codes in statuses.items()} == {
        **dict.fromkeys(CREATING, 1),
        "transaction": 1,
    }
    assert found == dict.fromkeys(CREATING, 1)


async def _race(base):
    """Sends each creating request fifty times at once, under criteria of its own; returns statuses and what is there."""
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(base_url=base, headers=FHIR_JSON, limits=limits, timeout=60) as client:
        statuses, found = {}, {}
        for number, (name, request) in enumerate(CREATING.items()):
            method, url, body, headers = _numbered(request, number)
            sent = [client.request(method, url, content=encode(body), headers=headers) for _ in range(50)]
            statuses[name] = [_status(answer) for answer in await asyncio.gather(*sent)]
            bundle = decode((await client.get(f"Patient?identifier=urn:x|B{number}")).content)
            found[name] = bundle["total"]
    return statuses, found


def _numbered(request, number):
    """The same request with an identifier and an id of its own."""
    method, url, body, headers = request
    text = encode(body).replace(b"A1", f"B{number}".encode()).replace(b"mine", f"mine{number}".encode())
    own = {key: value.replace("A1", f"B{number}") for key, value in headers.items()}
    return method, url.replace("A1", f"B{number}").replace("mine", f"mine{number}"), decode(text), own


def _status(answer):
    body = decode(answer.content)
    return int(body["entry"][0]["response"]["status"]) if body["resourceType"] == "Bundle" else answer.status_code
