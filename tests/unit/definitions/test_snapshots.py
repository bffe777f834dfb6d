"""A StructureDefinition with snapshot becomes a `StructureDefinition` value."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from fhir_server.definitions.shapes import Binding, Constraint, Slicing, TypeRef
from fhir_server.definitions.snapshots import ElementError, build_constraint, build_structure

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"


def structure_of(*elements: Any, **members: Any):
    resource = {
        "resourceType": "StructureDefinition",
        "url": "http://example.org/StructureDefinition/x",
        "name": "X",
        "type": "Patient",
        "kind": "resource",
        "abstract": False,
        "snapshot": {"element": list(elements)},
        **members,
    }
    return build_structure(resource, partial(build_constraint, sentences={}), source="x.json")


def element_of(**members: Any):
    json = {"id": "Patient.name", "path": "Patient.name", "min": 0, "max": "*", **members}
    return structure_of(json).elements[0]


def test_cardinality_star_is_none():
    assert (element_of(max="*").max, element_of(max="3").max, element_of(max="0").max) == (None, 3, 0)


def test_a_type_keeps_profiles_targets_and_aggregation():
    json = {"code": "Reference", "profile": ["p"], "targetProfile": ["t"], "aggregation": ["bundled"]}
    assert element_of(type=[json]).types == (TypeRef("Reference", ("p",), ("t",), ("bundled",)),)


def test_a_fhirpath_type_becomes_the_fhir_type_that_its_extension_names():
    json = {
        "code": "http://hl7.org/fhirpath/System.String",
        "extension": [{"url": EXTENSION + "structuredefinition-fhir-type", "valueUrl": "uri"}],
    }
    assert element_of(type=[json]).types == (TypeRef("uri"),)


def test_the_id_of_a_resource_is_an_id():
    json = {"code": "http://hl7.org/fhirpath/System.String"}
    assert element_of(id="Patient.id", path="Patient.id", type=[json]).types == (TypeRef("id"),)


def test_a_regex_extension_is_kept():
    json = {"code": "string", "extension": [{"url": EXTENSION + "regex", "valueString": "[0-9]{18}"}]}
    assert element_of(type=[json]).types == (TypeRef("string", regex="[0-9]{18}"),)


def test_a_binding_keeps_the_largest_value_set_allowed():
    extension = {"url": EXTENSION + "elementdefinition-maxValueSet", "valueCanonical": "all"}
    json = {"strength": "preferred", "valueSet": "some", "extension": [extension]}
    assert element_of(binding=json).binding == Binding("preferred", "some", "all")


def test_slicing_keeps_order_and_discriminators():
    json = {"discriminator": [{"type": "value", "path": "system"}], "ordered": True, "rules": "closed"}
    assert element_of(slicing=json).slicing == Slicing((("value", "system"),), ordered=True, rules="closed")


def test_values_carry_their_type_and_a_false_one_counts():
    element = element_of(fixedBoolean=False, patternCode="x", minValueInteger=0, maxValueDecimal=Decimal("1.00"))
    assert (element.fixed, element.pattern) == (("Boolean", False), ("Code", "x"))
    assert (element.min_value, str(element.max_value)) == (("Integer", 0), "('Decimal', Decimal('1.00'))")


def constraint_json(**members: Any):
    return {"key": "fd-1", "severity": "error", "human": "A rule", "expression": "name.exists()", **members}


def test_the_chinese_sentence_is_the_translation_of_human():
    parts = [{"url": "lang", "valueCode": "zh-CN"}, {"url": "content", "valueString": "规则"}]
    human = {"extension": [{"url": EXTENSION + "translation", "extension": parts}]}
    expected = Constraint("fd-1", "error", "A rule", "name.exists()", "规则")
    assert build_constraint(constraint_json(_human=human), {"fd-1": "别的"}) == expected


def test_a_translation_into_another_language_is_no_chinese_sentence():
    parts = [{"url": "lang", "valueCode": "de"}, {"url": "content", "valueString": "Regel"}]
    human = {"extension": [{"url": EXTENSION + "translation", "extension": parts}]}
    assert build_constraint(constraint_json(_human=human), {}).zh == ""


def test_the_chinese_sentence_may_come_from_the_file_of_the_package():
    assert build_constraint(constraint_json(), {"fd-1": "规则"}).zh == "规则"


def test_advice_is_marked_as_best_practice():
    extension = [{"url": EXTENSION + "elementdefinition-bestpractice", "valueBoolean": True}]
    assert build_constraint(constraint_json(extension=extension), {}).best_practice
    assert not build_constraint(constraint_json(), {}).best_practice


@pytest.mark.parametrize(
    ("broken", "path", "reason"),
    [
        ({"id": "Patient.x", "min": 0, "max": "1"}, "element[1] (Patient.x)", "path is missing"),
        (
            {"id": "Patient.x", "path": "Patient.x", "min": 0, "max": "many"},
            "element[1] (Patient.x)",
            "invalid literal for int() with base 10: 'many'",
        ),
        ({"path": "Patient.x", "min": 0, "max": "1"}, "element[1]", "id is missing"),
    ],
)
def test_a_broken_element_is_named_by_its_place(broken, path, reason):
    sound = {"id": "Patient", "path": "Patient", "min": 0, "max": "*"}
    with pytest.raises(ElementError) as caught:
        structure_of(sound, broken)
    assert (caught.value.path, str(caught.value)) == (f"StructureDefinition.snapshot.{path}", reason)


def test_an_extension_keeps_where_it_may_stand():
    context = [{"type": "element", "expression": "Patient"}]
    structure = structure_of(context=context, contextInvariant=["name.exists()"])
    assert (structure.context, structure.context_invariants) == ((("element", "Patient"),), ("name.exists()",))


def test_a_profile_on_an_element_of_a_profile_carries_the_id_of_that_element():
    part = {"extension": [{"url": EXTENSION + "elementdefinition-profile-element", "valueString": "Patient.contact"}]}
    json = {"code": "BackboneElement", "profile": ["p", "q|1"], "_profile": [None, part]}
    assert element_of(type=[json]).types == (TypeRef("BackboneElement", ("p", "q#Patient.contact|1")),)


@pytest.mark.parametrize(
    ("rules", "slices", "left"),
    [
        ("closed", ["Quantity", "string"], ["Quantity", "string"]),
        ("open", ["Quantity", "string"], ["Quantity", "string", "boolean"]),
        ("closed", ["Quantity", None], ["Quantity", "string", "boolean"]),
        ("closed", [], ["Quantity", "string", "boolean"]),
    ],
)
def test_a_choice_that_is_closed_to_slices_by_type_allows_their_types_alone(rules, slices, left):
    place = {"path": "Observation.value[x]", "min": 0, "max": "1"}
    slicing = {"discriminator": [{"type": "type", "path": "$this"}], "rules": rules}
    types = [{"code": code} for code in ("Quantity", "string", "boolean")]
    choice = {**place, "id": "Observation.value[x]", "type": types, "slicing": slicing}
    below = [
        {
            **place,
            "id": f"Observation.value[x]:{n}",
            "sliceName": str(n),
            **({"type": [{"code": code}]} if code else {}),
        }
        for n, code in enumerate(slices)
    ]
    elements = structure_of(choice, *below).elements
    assert [one.code for one in elements[0].types] == left
