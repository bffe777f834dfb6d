"""The type model is what R4 publishes, https://hl7.org/fhir/R4/resourcelist.html."""

from fhir_server.fhir.type_model import Property
from fhir_server.fhirpath.model import r4_model


def test_146_resource_types_can_be_instantiated():
    model = r4_model()
    assert len(model.resources) == 146
    assert not {"Resource", "DomainResource", "MetadataResource"} & model.resources


def test_primitives_are_the_twenty_of_the_specification():
    words = """base64Binary boolean canonical code date dateTime decimal id instant integer markdown oid positiveInt
               string time unsignedInt uri url uuid xhtml"""
    assert r4_model().primitives == set(words.split())


def test_primitives_list_no_properties():
    model = r4_model()
    assert not model.properties.keys() & model.primitives


def test_a_property_tells_type_and_repetition():
    patient = r4_model().properties["Patient"]
    assert patient["birthDate"] == Property("date", is_array=False, choice=None)
    assert patient["name"] == Property("HumanName", is_array=True, choice=None)


def test_a_choice_has_one_key_for_each_type_in_the_order_of_the_definition():
    model = r4_model()
    assert model.choice_keys("Patient", "deceased") == ("deceasedBoolean", "deceasedDateTime")
    assert model.properties["Patient"]["deceasedDateTime"] == Property("dateTime", is_array=False, choice="deceased")
    assert len(model.choice_keys("Extension", "value")) == 50


def test_a_backbone_element_is_its_own_path():
    model = r4_model()
    assert model.properties["Patient"]["contact"].type == "Patient.contact"
    assert model.properties["Patient.contact"]["name"].type == "HumanName"
    assert model.parents["Patient.contact"] == "BackboneElement"
    assert model.parents["Timing.repeat"] == "Element"


def test_a_content_reference_points_back_at_its_element():
    item = r4_model().properties["Questionnaire.item"]["item"]
    assert item == Property("Questionnaire.item", is_array=True, choice=None)


def test_inherited_properties_come_first_as_xml_wants_them():
    keys = list(r4_model().properties["Patient"])
    assert keys[:10] == [
        "id",
        "meta",
        "implicitRules",
        "language",
        "text",
        "contained",
        "extension",
        "modifierExtension",
        "identifier",
        "active",
    ]


def test_the_id_of_a_resource_is_an_id_and_that_of_an_element_a_string():
    properties = r4_model().properties
    assert (properties["Patient"]["id"].type, properties["Bundle"]["id"].type) == ("id", "id")
    assert (properties["Patient.contact"]["id"].type, properties["HumanName"]["id"].type) == ("string", "string")


def test_types_know_their_ancestors():
    model = r4_model()
    assert model.is_a("Patient", "DomainResource")
    assert model.is_a("Bundle", "Resource")
    assert not model.is_a("Bundle", "DomainResource")
    assert model.is_a("Age", "Quantity")
    assert model.is_a("code", "string")


def test_every_type_named_by_a_property_is_known():
    model = r4_model()
    named = {p.type for keys in model.properties.values() for p in keys.values()}
    assert named - model.properties.keys() - model.primitives == set()
