"""Profiles on an element within a profile, https://hl7.org/fhir/R4/extension-elementdefinition-profile-element.html."""

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.parts import named_part

PART = "http://hl7.org/fhir/StructureDefinition/elementdefinition-profile-element"


def profiled(type_, url, id_):
    """An ElementDefinition.type whose profile is the element `id_` within the profile `url`."""
    return {"code": type_, "profile": [url], "_profile": [{"extension": [{"url": PART, "valueString": id_}]}]}


def form(*items: object):
    return {"resourceType": "Questionnaire", "status": "draft", "item": list(items)}


def question(**more: object):
    return {"linkId": "q", "type": "string", **more}


def group(*items: object, **more: object):
    return {"linkId": "g", "type": "group", "item": list(items), **more}


@pytest.fixture
def items_with_text(profile):
    """A profile whose items, and the items in them, need a text."""
    url = "http://jtys.test/StructureDefinition/p"
    return profile(
        "Questionnaire",
        {"id": "Questionnaire.item", "type": [{"code": "BackboneElement"}]},
        {"id": "Questionnaire.item.text", "min": 1, "max": "1", "type": [{"code": "string"}]},
        {"id": "Questionnaire.item.item", "type": [profiled("BackboneElement", url, "Questionnaire.item")]},
    )


def test_an_element_meets_the_element_of_a_profile_that_its_type_names(check_profile, items_with_text):
    check = check_profile(items_with_text)
    deep = group(group(question(text="c"), text="b", linkId="h"), text="a")
    assert "validation.cardinality-min" not in {key for _, key, _ in check(form(deep))}
    missing = form(group(group(question(), text="b", linkId="h"), text="a"))
    found = {(key, path) for severity, key, path in check(missing) if severity == "error"}
    assert found == {("validation.cardinality-min", "Questionnaire.item[0].item[0].item[0]")}


def test_a_part_of_another_profile_may_be_a_slice_or_a_data_type(check_profile, profile):
    other = profile(
        "Observation",
        {"id": "Observation.code.coding", "slicing": {"discriminator": [], "rules": "open"}},
        {"id": "Observation.code.coding:own", "sliceName": "own", "type": [{"code": "Coding"}]},
        {"id": "Observation.code.coding:own.display", "min": 1, "max": "1", "type": [{"code": "string"}]},
        name="other",
    )
    type_ = profiled("Coding", other["url"], "Observation.code.coding:own")
    check = check_profile(profile("Encounter", {"id": "Encounter.class", "type": [type_]}), other)
    encounter = {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}}
    errors = {(key, path) for severity, key, path in check(encounter) if severity == "error"}
    assert errors == {("validation.cardinality-min", "Encounter.class")}


def test_a_part_is_a_profile_on_the_type_of_its_element():
    definitions = load_definitions()
    url = "http://hl7.org/fhir/StructureDefinition/Questionnaire"
    part = definitions.structure(named_part(f"{url}|4.0.1", "Questionnaire.item"))
    assert part is not None
    assert (part.url, part.type) == (f"{url}#Questionnaire.item", "Questionnaire.item")
    assert [e.id for e in part.elements[:2]] == ["Questionnaire.item", "Questionnaire.item.id"]
    text = definitions.structure(f"{url}#Questionnaire.item.text")
    assert text is not None
    assert (text.type, [e.id for e in text.elements]) == ("string", ["string"])
    assert definitions.structure(f"{url}#Questionnaire.nothing") is None
    assert definitions.structure("http://nowhere.test/p#Questionnaire.item") is None


def test_an_element_that_the_profile_does_not_have_is_a_broken_definition(validator_of, profile):
    url = "http://hl7.org/fhir/StructureDefinition/Questionnaire"
    broken = profiled("BackboneElement", url, "Questionnaire.nothing")
    validator = validator_of(profile("Questionnaire", {"id": "Questionnaire.item", "type": [broken]}))
    with pytest.raises(ValueError, match=r"unknown profile .*#Questionnaire\.nothing"):
        validator.compile_all()
