"""fhirpath.checking: what an expression can be told before it runs."""

import pytest

from fhir_server.fhirpath import compile  # noqa: A004 - the room's own name

CORE = "http://hl7.org/fhir/StructureDefinition/"


@pytest.mark.parametrize(
    ("text", "type_", "faults"),
    [
        ("name.given1", "Patient", [("fhirpath.element-unknown", 5)]),
        ("Patient.nmae.given | name.fmaily", "Patient", [("fhirpath.element-unknown", 8), ("fhirpath.element-unknown", 26)]),
        ("Encounter.name.given", "Patient", [("fhirpath.type-differs", 0)]),
        ("name.where(usex = 'a')", "Patient", [("fhirpath.element-unknown", 11)]),
        ("name.select(given | familyx)", "Patient", [("fhirpath.element-unknown", 20)]),
        ("name.exists(given.first().x)", "Patient", [("fhirpath.element-unknown", 26)]),
        ("(value as Period).unit", "Observation", [("fhirpath.element-unknown", 18)]),
        ("valueQuantity.unit", "Observation", [("fhirpath.element-unknown", 0)]),
        ("name.given.length().x", "Patient", [("fhirpath.element-unknown", 20)]),
        ("name.iif(use = 'a', given, x)", "Patient", [("fhirpath.element-unknown", 27)]),
        ("children().skip(1)", "Patient", [("fhirpath.order-undefined", 11)]),
        ("descendants()[0]", "Patient", [("fhirpath.order-undefined", 13)]),
        ("%resource.nmae", "Patient", [("fhirpath.element-unknown", 10)]),
        ("contact.name.x", "Patient", [("fhirpath.element-unknown", 13)]),
        ("x", "HumanName", [("fhirpath.element-unknown", 0)]),
    ],
)  # fmt: skip
def test_a_fault_has_its_place(text, type_, faults):
    assert [(e.key, e.position) for e in compile(text, type_).faults()] == faults


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("Patient.name.given.extension.value", "Patient"),
        ("DomainResource.contained.anything", "Patient"),
        ("Resource.id", "Patient"),
        ("birthDate.id", "Patient"),
        ("birthDate.extension('x').value.ofType(dateTime)", "Patient"),
        ("value.unit", "Observation"),
        ("value.ofType(Quantity).unit", "Observation"),
        ("generalPractitioner.resolve().name", "Patient"),
        ("entry.resource.whatever", "Bundle"),
        ("Observation.component.value as Quantity", "Observation"),
        ("descendants().where(foo = 1)", "Patient"),
        ("repeat(item).linkId", "Questionnaire"),
        ("%mine.x", "Patient"),
        ("name.given.trace('x').first()", "Patient"),
        ("name.type().name", "Patient"),
        ("name.coalesce(given, text).length()", "Patient"),
        ("x.y.z", ""),
    ],
)
def test_nothing_is_held_against_what_may_be_right(text, type_):
    assert compile(text, type_ or None).faults() == []


def test_every_invariant_of_r4_is_without_fault_but_for_known_ones():
    from fhir_server.definitions.packages import load_definitions

    definitions = load_definitions()
    faulty = set()
    for type_ in ("Patient", "Observation", "Bundle", "Questionnaire", "CarePlan", "ValueSet", "StructureDefinition"):
        structure = definitions.structure(CORE + type_)
        for element in structure.elements:
            for constraint in element.constraints:
                if element.path in definitions.model.properties and constraint.expression:
                    faults = compile(constraint.expression, element.path).faults()
                    faulty |= {(constraint.key, str(f)) for f in faults}
    assert faulty == set()
