"""References lead somewhere, https://hl7.org/fhir/R4/http.html#integrity."""

import pytest

from fhir_server.fhir.json_codec import decode
from fhir_server.interactions.policy import WritePolicy
from support.requests import fhirpath_patch, json_patch, server_with
from support.rest import keys_of

PATIENT = {"resourceType": "Patient", "id": "p1"}
BASE = "http://test/fhir"


def group(member, id_="g1"):
    return {"resourceType": "Group", "id": id_, "type": "person", "actual": True, "member": [{"entity": member}]}


def refers(text, id_="g1"):
    return group({"reference": text}, id_)


def expressions(answer):
    return [i["expression"][0] for i in decode(answer.content)["issue"]]


@pytest.fixture
def stored(server):
    server.put(PATIENT)
    return server


@pytest.mark.parametrize("text", ["Patient/p1", f"{BASE}/Patient/p1", "Patient/p1/_history/1"])
def test_what_is_there_may_be_referred_to(stored, text):
    assert stored.put(refers(text)).status_code == 201


@pytest.mark.parametrize(
    "text", ["Patient/p2", f"{BASE}/Patient/p2", "Patient/p2/_history/1", "Medication/m1", "Group/g2"]
)
def test_what_is_not_there_may_not_and_the_path_is_told(stored, text):
    answer = stored.put(refers(text))
    assert (answer.status_code, keys_of(answer)) == (409, ["rest.reference-missing"])
    assert expressions(answer) == ["Group.member[0].entity.reference"]
    assert stored.get("Group/g1").status_code == 404


def test_every_path_is_told(stored):
    body = {**refers("Patient/x"), "managingEntity": {"reference": "Organization/y"}}
    body["member"] += [{"entity": {"reference": "Patient/p1"}}, {"entity": {"reference": "Patient/x"}}]
    answer = stored.post(body)
    assert sorted(expressions(answer)) == [
        "Group.managingEntity.reference",
        "Group.member[0].entity.reference",
        "Group.member[2].entity.reference",
    ]


@pytest.mark.parametrize(
    "member",
    [
        {"reference": "http://elsewhere.example/fhir/Patient/p2"},
        {"reference": "urn:uuid:6a1f0c52-93a4-4c0e-9d0a-1f6a6d3e0001"},
        {"identifier": {"system": "urn:x", "value": "1"}},
        {"display": "x"},
    ],
)
def test_other_references_are_free(stored, member):
    assert stored.put(group(member)).status_code == 201


def test_contained_references_are_free_and_those_inside_contained_resources_are_not(stored):
    body = {**refers("#inside"), "contained": [{**PATIENT, "id": "inside"}]}
    assert stored.put(body).status_code == 201
    body["contained"][0]["managingOrganization"] = {"reference": "Organization/none"}
    assert expressions(stored.put(body)) == ["Group.contained[0].managingOrganization.reference"]


def test_what_is_deleted_is_not_there(stored):
    stored.send("DELETE", "Patient/p1")
    assert stored.put(refers("Patient/p1")).status_code == 409


def test_a_resource_may_refer_to_itself(server):
    organization = {"resourceType": "Organization", "id": "o1", "name": "o", "partOf": {"reference": "Organization/o1"}}
    assert server.put(organization).status_code == 201
    assert server.send("DELETE", "Organization/o1").status_code == 204


def test_patches_are_checked_too(stored):
    stored.put(refers("Patient/p1"))
    answer = json_patch(
        stored, "Group/g1", [{"op": "replace", "path": "/member/0/entity/reference", "value": "Patient/x"}]
    )
    assert answer.status == 409


def test_what_is_referred_to_is_not_deleted_and_the_referrers_are_named(stored):
    stored.put(refers("Patient/p1"))
    stored.put(refers(f"{BASE}/Patient/p1", "g2"))
    answer = stored.send("DELETE", "Patient/p1")
    assert (answer.status_code, keys_of(answer)) == (409, ["rest.still-referred"] * 2)
    assert {t for t in ("Group/g1", "Group/g2") if t in answer.text} == {"Group/g1", "Group/g2"}
    assert stored.get("Patient/p1").status_code == 200
    stored.send("DELETE", "Group/g2")
    stored.put({"resourceType": "Group", "id": "g1", "type": "person", "actual": True})
    assert stored.send("DELETE", "Patient/p1").status_code == 204


def test_references_that_no_search_parameter_knows_count(stored):
    extension = {"url": "http://example.org/e", "valueReference": {"reference": "Patient/p1"}}
    with server_with(WritePolicy(), validation="off") as lenient:
        lenient.put(PATIENT)
        lenient.put({"resourceType": "Organization", "id": "o1", "name": "o", "extension": [extension]})
        assert keys_of(lenient.send("DELETE", "Patient/p1")) == ["rest.still-referred"]
        lenient.put({"resourceType": "Organization", "id": "o1", "name": "o"})
        assert lenient.send("DELETE", "Patient/p1").status_code == 204


def test_a_long_list_of_referrers_is_cut(stored):
    for n in range(25):
        stored.put(refers("Patient/p1", f"g{n}"))
    assert len(keys_of(stored.send("DELETE", "Patient/p1"))) == 20


def test_witnesses_hold_nothing_back(lenient_server):
    """They tell what happened, and a deletion is told about too."""
    lenient_server.put(PATIENT)
    told = {"resourceType": "Provenance", "id": "w", "target": [{"reference": "Patient/p1"}]}
    assert lenient_server.put(told).status_code == 201
    assert lenient_server.send("DELETE", "Patient/p1").status_code == 204
    again = {**told, "id": "w2", "target": [{"reference": "Patient/p1/_history/1"}]}
    assert lenient_server.put(again).status_code == 201
    assert lenient_server.put({**told, "id": "w3"}).status_code == 409
    audit = {"resourceType": "AuditEvent", "entity": [{"what": {"reference": "Patient/p1"}}]}
    assert lenient_server.post(audit).status_code == 201


def test_without_the_setting_nothing_is_asked():
    with server_with(WritePolicy(referential_integrity=False)) as server:
        assert server.put(refers("Patient/p1")).status_code == 201
        server.put(PATIENT)
        assert server.send("DELETE", "Patient/p1").status_code == 204


def entry(method, url, resource=None, **request: str):
    return {**({"resource": resource} if resource else {}), "request": {"method": method, "url": url, **request}}


def test_targets_in_the_same_transaction_count(server):
    answer = server.bundle(
        "transaction", entry("PUT", "Group/g1", refers("Patient/p1")), entry("PUT", "Patient/p1", PATIENT)
    )
    assert answer.status_code == 200


def test_a_transaction_names_the_entries_with_dangling_references(stored):
    answer = stored.bundle(
        "transaction",
        entry("PUT", "Group/g1", refers("Patient/p1")),
        entry("PUT", "Group/g2", refers("Patient/x", "g2")),
        entry("PUT", "Group/g3", refers("Patient/y", "g3")),
    )
    assert (answer.status_code, set(keys_of(answer))) == (409, {"rest.reference-missing"})
    assert sorted(expressions(answer)) == [f"Bundle.entry[{n}].resource.member[0].entity.reference" for n in (1, 2)]
    assert stored.get("Group/g1").status_code == 404


def test_a_transaction_deletes_what_refers_along_with_what_is_referred_to(stored):
    stored.put(refers("Patient/p1"))
    refused = stored.bundle(
        "transaction", entry("DELETE", "Patient/p1"), entry("PUT", "Group/g9", refers("Group/g1", "g9"))
    )
    assert (refused.status_code, expressions(refused)) == (409, ["Bundle.entry[0]"])
    assert stored.bundle("transaction", entry("DELETE", "Patient/p1"), entry("DELETE", "Group/g1")).status_code == 200
    assert stored.get("Patient/p1").status_code == 410


def test_cascading_is_refused_unless_it_is_switched_on(stored):
    answer = stored.send("DELETE", "Patient/p1?_cascade=delete")
    assert (answer.status_code, keys_of(answer)) == (400, ["rest.cascade-not-offered"])
    assert keys_of(stored.send("DELETE", "Patient/p1?_cascade=yes")) == ["rest.parameter-invalid"]


def test_cascading_takes_along_whatever_refers():
    with server_with(WritePolicy(cascade_delete=True)) as server:
        server.put(PATIENT)
        server.put({**PATIENT, "id": "p2"})
        server.put(refers("Patient/p1"))
        server.put(refers("Group/g1", "g2"))
        server.put(refers("Patient/p2", "g3"))
        told = server.send("DELETE", "Patient/p1?_cascade=delete", prefer="return=OperationOutcome")
        assert keys_of(told) == ["rest.deleted"] * 3
        statuses = [server.get(f"Group/g{n}").status_code for n in (1, 2, 3)]
        assert (server.get("Patient/p1").status_code, statuses) == (410, [410, 410, 200])
        assert server.send("DELETE", "Patient/p2").status_code == 409


def test_cascading_is_bounded():
    with server_with(WritePolicy(cascade_delete=True, most_deleted=3)) as server:
        server.put(PATIENT)
        for n in range(3):
            server.put(refers("Patient/p1", f"g{n}"))
        assert keys_of(server.send("DELETE", "Patient/p1?_cascade=delete")) == ["rest.delete-too-many"]
        assert server.get("Patient/p1").status_code == 200


def test_a_fhirpath_patch_that_breaks_a_reference_is_told_with_its_path(stored):
    stored.put(refers("Patient/p1"))
    patch = fhirpath_patch(
        {"type": "replace", "path": "Group.member[0].entity.reference", "value": {"valueString": "Patient/x"}}
    )
    assert expressions(stored.send("PATCH", "Group/g1", patch)) == ["Group.member[0].entity.reference"]
