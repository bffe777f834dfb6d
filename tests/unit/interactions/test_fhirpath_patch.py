"""FHIRPath Patch, https://hl7.org/fhir/R4/fhirpatch.html, after the cases of the official suite."""

from copy import deepcopy
from typing import Any

import pytest

from fhir_server.errors import FhirError
from fhir_server.fhirpath.model import r4_model
from fhir_server.interactions.fhirpath_patch import fhirpath_patch


def operation(type_, path, **parts: Any):
    """An operation; `value` is a whole part without its name, other parts are numbers or texts."""
    found = [{"name": "type", "valueCode": type_}, {"name": "path", "valueString": path}]
    for name, given in parts.items():
        shape = (
            given if isinstance(given, dict) else {"valueInteger" if isinstance(given, int) else "valueString": given}
        )
        found.append({"name": name, **shape})
    return {"name": "operation", "part": found}


def patched(resource, *operations):
    parameters = {"resourceType": "Parameters", "parameter": list(operations)}
    return fhirpath_patch(parameters, r4_model(), limit_ms=500)(deepcopy({"resourceType": "Patient", **resource}))


def identifiers(*values):
    return {"identifier": [{"system": "http://example.org", "value": value} for value in values]}


def texts(*values):
    return {"name": [{"given": list(values)}]}


A, B, C, D = "value 1", "value 2", "value 3", "value 4"
ONE = {"valueIdentifier": {"system": "http://example.org", "value": C}}
CONTACT = {"contact": [{"name": {"text": "a name"}, "gender": "male"}]}
DONE = {
    "replace a primitive": ({"birthDate": "1920-01-01"}, operation("replace", "Patient.birthDate", value={"valueDate": "1930-01-01"}), {"birthDate": "1930-01-01"}),
    "delete a primitive": ({"birthDate": "1920-01-01"}, operation("delete", "Patient.birthDate"), {}),
    "delete what is not there": ({"active": True}, operation("delete", "Patient.birthDate"), {"active": True}),
    "add a primitive": ({}, operation("add", "Patient", name="birthDate", value={"valueDate": "1930-01-01"}), {"birthDate": "1930-01-01"}),
    "replace a boolean among equal ones": ({"active": True, "deceasedBoolean": True}, operation("replace", "Patient.deceased", value={"valueBoolean": False}), {"active": True, "deceasedBoolean": False}),
    "replace a nested primitive": (CONTACT, operation("replace", "Patient.contact[0].gender", value={"valueCode": "female"}), {"contact": [{"name": {"text": "a name"}, "gender": "female"}]}),
    "delete a nested primitive": (CONTACT, operation("delete", "Patient.contact[0].gender"), {"contact": [{"name": {"text": "a name"}}]}),
    "delete the only content of an element": (CONTACT, operation("delete", "Patient.contact[0].name.text"), {"contact": [{"gender": "male"}]}),
    "add a nested primitive": ({"contact": [{"name": {"text": "a name"}}]}, operation("add", "Patient.contact[0]", name="gender", value={"valueCode": "male"}), CONTACT),
    "add a complex element": ({}, operation("add", "Patient", name="maritalStatus", value={"valueCodeableConcept": {"text": "married"}}), {"maritalStatus": {"text": "married"}}),
    "replace a complex element": ({"maritalStatus": {"id": "1", "text": "x"}}, operation("replace", "Patient.maritalStatus", value={"valueCodeableConcept": {"id": "2", "text": "y"}}), {"maritalStatus": {"id": "2", "text": "y"}}),
    "add an anonymous element": ({}, operation("add", "Patient", name="contact", value={"part": [{"name": "name", "valueHumanName": {"text": "a name"}}]}), {"contact": [{"name": {"text": "a name"}}]}),
    "an anonymous element with lists": ({}, operation("add", "Patient", name="contact", value={"part": [{"name": "telecom", "valueContactPoint": {"value": "1"}}, {"name": "telecom", "valueContactPoint": {"value": "2"}}, {"name": "gender", "valueCode": "male"}]}), {"contact": [{"telecom": [{"value": "1"}, {"value": "2"}], "gender": "male"}]}),
    "delete an anonymous element": (CONTACT, operation("delete", "Patient.contact[0]"), {}),
    "add to a list": (identifiers(A, B), operation("add", "Patient", name="identifier", value=ONE), identifiers(A, B, C)),
    "insert at the end": (identifiers(A, B), operation("insert", "Patient.identifier", index=2, value=ONE), identifiers(A, B, C)),
    "insert in the middle": (identifiers(A, B), operation("insert", "Patient.identifier", index=1, value=ONE), identifiers(A, C, B)),
    "insert at the start": (identifiers(A, B), operation("insert", "Patient.identifier", index=0, value=ONE), identifiers(C, A, B)),
    "insert into an empty list": ({}, operation("insert", "Patient.identifier", index=0, value=ONE), identifiers(C)),
    "delete from a list": (identifiers(A, B, C), operation("delete", "Patient.identifier[1]"), identifiers(A, C)),
    "delete by a condition": (identifiers(A, B, C), operation("delete", "Patient.identifier.where(value = 'value 3')"), identifiers(A, B)),
    "move to the front": (identifiers(A, B, C, D), operation("move", "Patient.identifier", source=3, destination=1), identifiers(A, D, B, C)),
    "move to the end": (identifiers(A, B, C, D), operation("move", "Patient.identifier", source=0, destination=3), identifiers(B, C, D, A)),
    "a list of primitives": (texts("a", "b"), operation("insert", "Patient.name[0].given", index=1, value={"valueString": "x"}), texts("a", "x", "b")),
    "one of equal primitives": (texts("a", "a", "a"), operation("replace", "Patient.name[0].given[1]", value={"valueString": "x"}), texts("a", "x", "a")),
    "the last of equal primitives": (texts("a", "a"), operation("delete", "Patient.name[0].given.last()"), texts("a")),
    "a primitive into a missing list": ({"name": [{"family": "x"}]}, operation("insert", "Patient.name.given", index=0, value={"valueString": "y"}), {"name": [{"family": "x", "given": ["y"]}]}),
    "a choice takes the key of its type": ({}, operation("add", "Patient", name="deceased", value={"valueDateTime": "2020"}), {"deceasedDateTime": "2020"}),
    "a choice changes its key with its type": ({"deceasedBoolean": True}, operation("replace", "Patient.deceased", value={"valueDateTime": "2020"}), {"deceasedDateTime": "2020"}),
    "an extension by its URL": ({"extension": [{"url": "u", "valueString": "x"}]}, operation("replace", "Patient.extension('u').value", value={"valueString": "y"}), {"extension": [{"url": "u", "valueString": "y"}]}),
    "an extension's value changes its type": ({"extension": [{"url": "u", "valueString": "x"}]}, operation("replace", "Patient.extension('u').value", value={"valueBoolean": True}), {"extension": [{"url": "u", "valueBoolean": True}]}),
    "an extension on a primitive": ({"birthDate": "1950"}, operation("add", "Patient.birthDate", name="extension", value={"valueExtension": {"url": "u", "valueCode": "c"}}), {"birthDate": "1950", "_birthDate": {"extension": [{"url": "u", "valueCode": "c"}]}}),
    "a value that brings an extension": ({}, operation("add", "Patient", name="birthDate", value={"valueDate": "1950", "_valueDate": {"id": "b"}}), {"birthDate": "1950", "_birthDate": {"id": "b"}}),
    "a deleted primitive takes its extensions along": ({"birthDate": "1950", "_birthDate": {"id": "b"}, "active": True}, operation("delete", "Patient.birthDate"), {"active": True}),
    "extensions move with their primitives": ({"name": [{"given": ["a", "b"], "_given": [None, {"id": "x"}]}]}, operation("move", "Patient.name[0].given", source=1, destination=0), {"name": [{"given": ["b", "a"], "_given": [{"id": "x"}, None]}]}),
    "a contained resource": ({}, operation("add", "Patient", name="contained", value={"resource": {"resourceType": "Organization", "id": "o"}}), {"contained": [{"resourceType": "Organization", "id": "o"}]}),
}  # fmt: skip


@pytest.mark.parametrize("case", DONE.values(), ids=DONE)
def test_what_an_operation_makes(case):
    resource, given, expected = case
    assert patched(resource, given) == {"resourceType": "Patient", **expected}


def test_operations_see_what_those_before_them_made():
    made = patched(
        {},
        operation("add", "Patient", name="contact", value={"part": [{"name": "gender", "valueCode": "male"}]}),
        operation("add", "Patient.contact[0]", name="name", value={"valueHumanName": {"text": "x"}}),
        operation("replace", "Patient.contact[0].gender", value={"valueCode": "female"}),
    )
    assert made == {"resourceType": "Patient", "contact": [{"gender": "female", "name": {"text": "x"}}]}


def test_no_operations_change_nothing():
    assert patched({"birthDate": "1920-01-01"}) == {"resourceType": "Patient", "birthDate": "1920-01-01"}


END = {"valueDateTime": "2021-12-01"}
REFUSED = {
    "add where nothing is": (identifiers(A), operation("add", "Patient.identifier[0].period", name="end", value=END), 422, "patch.not-single"),
    "add to several": (identifiers(A, B), operation("add", "Patient.identifier", name="use", value={"valueCode": "usual"}), 422, "patch.not-single"),
    "add what is there": ({"birthDate": "1950"}, operation("add", "Patient", name="birthDate", value={"valueDate": "1951"}), 422, "patch.already-there"),
    "add another type of a choice that is there": ({"deceasedBoolean": True}, operation("add", "Patient", name="deceased", value={"valueDateTime": "2020"}), 422, "patch.already-there"),
    "add an unknown element": ({}, operation("add", "Patient", name="birthday", value={"valueDate": "1951"}), 400, "patch.element-unknown"),
    "replace nothing": ({}, operation("replace", "Patient.birthDate", value={"valueDate": "1951"}), 422, "patch.not-single"),
    "replace several": (identifiers(A, B), operation("replace", "Patient.identifier.value", value={"valueString": "x"}), 422, "patch.not-single"),
    "replace the resource": ({}, operation("replace", "Patient", value={"valueString": "x"}), 400, "patch.root"),
    "delete several": (identifiers(A, B), operation("delete", "Patient.identifier"), 422, "patch.not-single"),
    "delete the resource": ({}, operation("delete", "Patient"), 400, "patch.root"),
    "insert beyond the end": (identifiers(A), operation("insert", "Patient.identifier", index=2, value=ONE), 422, "patch.index"),
    "insert before the start": (identifiers(A), operation("insert", "Patient.identifier", index=-1, value=ONE), 422, "patch.index"),
    "insert into what does not repeat": ({"birthDate": "1950"}, operation("insert", "Patient.birthDate", index=0, value={"valueDate": "1951"}), 422, "patch.not-a-collection"),
    "insert into two lists": ({"name": [{"given": ["a"]}, {"given": ["b"]}]}, operation("insert", "Patient.name.given", index=0, value={"valueString": "x"}), 422, "patch.not-a-collection"),
    "move from beyond the end": (identifiers(A, B), operation("move", "Patient.identifier", source=2, destination=0), 422, "patch.index"),
    "a computed value": ({"birthDate": "1950"}, operation("delete", "Patient.birthDate.toString()"), 422, "patch.not-an-element"),
    "no FHIRPath": ({}, operation("delete", "Patient.where("), 400, "fhirpath.syntax"),
    "an unknown operation": ({}, operation("upsert", "Patient.active"), 400, "patch.operation-unknown"),
    "no value": ({}, operation("add", "Patient", name="active"), 400, "patch.member-missing"),
    "an empty value": ({}, operation("add", "Patient", name="active", value={}), 400, "patch.value-missing"),
    "no index": ({}, operation("insert", "Patient.identifier", value=ONE), 400, "patch.member-missing"),
    "an index that is no number": ({}, operation("insert", "Patient.identifier", value=ONE, index="1"), 400, "patch.number-needed"),
    "an unknown part": ({}, operation("delete", "Patient.active", reason="x"), 400, "patch.part-unknown"),
    "no operation": ({}, {"name": "op"}, 400, "patch.parameters"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(case):
    resource, given, status, key = case
    with pytest.raises(FhirError) as refused:
        patched(resource, given)
    (found,) = refused.value.issues
    assert (refused.value.status, found.path) == (status, "Parameters.parameter[0]")
    assert found.key == key or found.key.startswith("fhirpath.") == key.startswith("fhirpath.")


def test_a_path_without_end_is_stopped():
    path = "Patient.name.repeat($this | $this.given).where(" + "('a' & $this).matches('(a+)+b') or " * 40 + "true)"
    with pytest.raises(FhirError) as refused:
        fhirpath_patch(
            {"resourceType": "Parameters", "parameter": [operation("delete", path)]}, r4_model(), limit_ms=1
        )({"resourceType": "Patient", **texts(*["a" * 30] * 500)})
    assert refused.value.status in (400, 422)
