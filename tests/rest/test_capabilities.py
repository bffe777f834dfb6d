"""What metadata says is what dispatch does, https://hl7.org/fhir/R4/http.html#capabilities."""

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_server.app import OPERATIONS
from fhir_server.data_files import data_folder
from fhir_server.fhir import xml_codec
from fhir_server.fhir.json_codec import decode
from fhir_server.interactions.policy import WritePolicy
from support.requests import server_with
from support.rest import keys_of

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
    assert server.send("DELETE", "AuditEvent?date=2020").headers["allow"] == "GET, HEAD, POST"


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
    assert statement["patchFormat"] == [
        "application/json-patch+json", "application/fhir+json", "application/fhir+xml", "application/merge-patch+json",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["full", "terminology"])
def test_the_statement_is_valid_r4_by_our_validator_and_by_fhir_resources(server, mode):
    statement = decode(server.get(f"metadata?mode={mode}").content)
    assert [i.text() for i in server.parts.validator.check(statement) if i.severity == "error"] == []
    get_fhir_model_class(statement["resourceType"]).model_validate(statement)
    sent_in_xml = server.get(f"metadata?mode={mode}&_format=xml").content
    assert xml_codec.read(sent_in_xml, server.parts.definitions.model) == (statement, ())


def test_the_mode_tells_which_statement(server):
    types = [
        decode(server.get(f"metadata?mode={mode}").content)["resourceType"] for mode in ("normative", "terminology")
    ]
    assert types == ["CapabilityStatement", "TerminologyCapabilities"]
    assert keys_of(server.get("metadata?mode=half")) == ["rest.parameter-invalid"]
    assert keys_of(server.get("metadata?colour=red")) == ["rest.parameter-unknown"]


def test_a_part_of_the_statement_can_be_asked_for(server):
    part = decode(server.get("metadata?_elements=fhirVersion,software").content)
    assert {"fhirVersion", "software"} <= set(part)
    assert ("rest" in part, part["meta"]["tag"][0]["code"]) == (False, "SUBSETTED")


def test_the_terminology_is_told(server):
    told = decode(server.get("metadata?mode=terminology").content)
    systems = {one["uri"] for one in told["codeSystem"]}
    assert {"http://hl7.org/fhir/administrative-gender", "http://jtys.example/fhir/CodeSystem/issue-key"} & systems
    for parameter in told["expansion"]["parameter"]:
        value = {"count": "1", "offset": "0", "displayLanguage": "zh-CN"}.get(parameter["name"], "true")
        url = "http://hl7.org/fhir/ValueSet/administrative-gender"
        answer = server.get(f"ValueSet/$expand?url={url}&{parameter['name']}={value}")
        assert answer.status_code == 200, parameter


def test_every_operation_that_r4_does_not_define_is_defined_here(server, rest):
    everywhere = [*rest["operation"], *(o for entry in rest["resource"] for o in entry.get("operation", ()))]
    own = {o["name"]: o["definition"] for o in everywhere if not o["definition"].startswith(R4)}
    assert own.keys() == {file.stem for file in (data_folder("conformance") / "operations").glob("*.json")}
    for name, url in own.items():
        definition = decode(server.get(f"OperationDefinition/{name}").content)
        place = OPERATIONS[name]
        flags = (definition["system"], definition["type"], definition["instance"])
        assert (definition["url"], definition["code"]) == (url, name)
        assert flags == (place.on_system, place.on_type, place.on_instance), name
        assert not (definition["affectsState"] and "GET" in place.verbs), name


def test_every_operation_that_is_told_can_be_read_and_found(server, rest):
    everywhere = [*rest["operation"], *(o for entry in rest["resource"] for o in entry.get("operation", ()))]
    for name, url in sorted({(o["name"], o["definition"]) for o in everywhere}):
        definition = decode(server.get(f"OperationDefinition/{url.rpartition('/')[2]}").content)
        assert (definition["url"], definition["code"]) == (url, name)
        assert decode(server.get(f"OperationDefinition?url={url}").content)["total"] == 1, url


def test_operation_definitions_are_valid_and_found_and_never_written(server):
    found = decode(server.get("OperationDefinition?_sort=-code&_count=2&_total=accurate").content)
    pages = [[entry["resource"] for entry in found["entry"]]]
    while following := next((link["url"] for link in found["link"] if link["relation"] == "next"), None):
        found = decode(server.get(following).content)
        pages.append([entry["resource"] for entry in found["entry"]])
    codes = [resource["code"] for page in pages for resource in page]
    assert codes == sorted(codes, reverse=True)
    assert (len(codes), max(map(len, pages))) == (found["total"], 2)
    for id_ in (resource["id"] for page in pages for resource in page):
        resource = decode(server.get(f"OperationDefinition/{id_}/_history/1").content)
        assert [i.text() for i in server.parts.validator.check(resource) if i.severity == "error"] == []
        get_fhir_model_class("OperationDefinition").model_validate(resource)
    previous = next(link["url"] for link in found["link"] if link["relation"] == "previous")
    assert [entry["resource"] for entry in decode(server.get(previous).content)["entry"]] == pages[-2]
    assert server.put({"resourceType": "OperationDefinition", "id": "x"}).status_code == 405
    tag = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]}
    assert server.send("POST", "OperationDefinition/diff/$meta-add", tag).status_code == 405


def test_every_compartment_that_is_told_is_searched(server, rest):
    owners = {url.rpartition("/")[2] for url in rest["compartment"]}
    types = {type_.lower(): type_ for type_ in server.parts.definitions.resources}
    assert {"patient", "practitioner", "encounter", "relatedperson", "device"} == owners
    answers = {owner: server.get(f"{types[owner]}/x/*").status_code for owner in owners}
    assert set(answers.values()) == {200}, answers


def test_cors_is_told(rest):
    assert rest["security"] == {"cors": True}
    with server_with(WritePolicy(), cors_origins="") as server:
        assert rest_of(server)["security"] == {"cors": False}
