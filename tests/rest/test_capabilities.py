"""What metadata says is what dispatch does, https://hl7.org/fhir/R4/http.html#capabilities."""

import pytest

from fhir_server.app import OPERATIONS
from fhir_server.fhir.json_codec import decode
from fhir_server.interactions.policy import WritePolicy
from support.requests import server_with

R4 = "http://hl7.org/fhir/OperationDefinition/"


def rest_of(server):
    return decode(server.get("metadata").content)["rest"][0]


@pytest.fixture
def rest(server):
    return rest_of(server)


def types_of(rest):
    return {entry["type"]: entry for entry in rest["resource"]}


def test_the_system_offers_bundles_and_its_history(rest):
    assert [i["code"] for i in rest["interaction"]] == ["transaction", "batch", "history-system", "search-system"]


def test_a_type_tells_what_is_conditional(rest):
    patient = types_of(rest)["Patient"]
    told = {name: patient[name] for name in ("updateCreate", "conditionalCreate", "conditionalUpdate", "readHistory")}
    assert told == dict.fromkeys(told, True)
    assert (patient["conditionalRead"], patient["conditionalDelete"]) == ("full-support", "single")
    assert (patient["versioning"], patient["referencePolicy"]) == (
        "versioned-update",
        ["literal", "logical", "enforced"],
    )


def test_a_type_that_is_never_changed_says_so(server, rest):
    audit = types_of(rest)["AuditEvent"]
    assert (audit["conditionalUpdate"], audit["conditionalDelete"], audit["updateCreate"]) == (
        False,
        "not-supported",
        False,
    )
    assert {i["code"] for i in audit["interaction"]} == {
        "read", "vread", "history-instance", "history-type", "create", "search-type",
    }  # fmt: skip
    assert server.send("DELETE", "AuditEvent/a1").status_code == 405
    assert server.send("DELETE", "AuditEvent?date=2020").headers["allow"] == "GET, POST"


def test_the_policy_is_told():
    with server_with(WritePolicy(referential_integrity=False, conditional_delete="multiple")) as server:
        patient = types_of(rest_of(server))["Patient"]
    assert (patient["conditionalDelete"], patient["referencePolicy"]) == ("multiple", ["literal", "logical"])


def test_every_interaction_that_is_told_is_answered_and_no_other(server, rest):
    """405 is what dispatch answers where a type does not offer an interaction."""
    verbs = {
        "read": ("GET", "{}/x"),
        "vread": ("GET", "{}/x/_history/1"),
        "update": ("PUT", "{}/x"),
        "patch": ("PATCH", "{}/x"),
        "delete": ("DELETE", "{}/never"),
        "history-instance": ("GET", "{}/x/_history"),
        "history-type": ("GET", "{}/_history"),
        "create": ("POST", "{}"),
        "search-type": ("GET", "{}"),
    }
    for type_, entry in types_of(rest).items():
        told = {i["code"] for i in entry["interaction"]}
        answered = {
            code
            for code, (method, path) in verbs.items()
            if server.send(method, path.format(type_), {} if method[0] == "P" else None).status_code != 405
        }
        assert answered == told, type_


def test_every_operation_is_told_with_a_definition(rest):
    everywhere = [*rest["operation"], *(o for entry in rest["resource"] for o in entry.get("operation", ()))]
    assert {o["name"] for o in everywhere} == set(OPERATIONS)
    by_type = {
        type_: {o["name"]: o["definition"] for o in e.get("operation", ())} for type_, e in types_of(rest).items()
    }
    assert by_type["ValueSet"]["expand"] == f"{R4}ValueSet-expand"
    assert by_type["Patient"]["validate"] == f"{R4}Resource-validate"
    assert "expand" not in by_type["Patient"]


def test_includes_and_reverse_includes_are_those_that_a_search_takes(server, rest):
    patient = types_of(rest)["Patient"]
    assert "Patient:organization" in patient["searchInclude"]
    assert {"Observation:subject", "Group:member", "Task:patient"} <= set(patient["searchRevInclude"])
    assert "Observation:device" not in patient["searchRevInclude"]
    for name, values in (("_include", patient["searchInclude"]), ("_revinclude", patient["searchRevInclude"])):
        for value in values:
            assert server.get(f"Patient?{name}={value}").status_code == 200, value


def test_every_search_parameter_that_is_told_is_taken(server, rest):
    refused = {
        f"{type_}?{parameter['name']}"
        for type_, entry in types_of(rest).items()
        for parameter in entry["searchParam"]
        if server.get(f"{type_}?{parameter['name']}:missing=true").status_code != 200
    }
    assert refused == set()


def test_patches_are_told_by_their_formats(server):
    statement = decode(server.get("metadata").content)
    assert statement["patchFormat"] == ["application/json-patch+json", "application/fhir+json", "application/fhir+xml"]
