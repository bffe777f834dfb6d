"""Repairs reach exactly the faulty constraints of the published R4."""

from fhir_server.definitions import facts
from fhir_server.definitions.repairs import REPAIRS, repaired
from fhir_server.fhirpath.model import r4_model

PUBLISHED_NAME_RULE = "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')"
ANCHORED_NAME_RULE = "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')"


def r4_constraints():
    built = (facts.structure(url) for url in facts.structure_urls())
    return {c for structure in built for element in structure.elements for c in element.constraints}


def test_every_repair_applies_to_r4_as_published():
    found = {c.key: c.expression for c in r4_constraints() if c.key in REPAIRS}
    assert found == {key: repair.runs for key, repair in REPAIRS.items()}


def test_no_faulty_text_is_left():
    faulty = {(key, repair.published) for key, repair in REPAIRS.items()}
    found = {(c.key, c.expression) for c in r4_constraints()}
    assert not faulty & found
    assert PUBLISHED_NAME_RULE not in {text for _, text in found}


def test_the_naming_rule_is_anchored_wherever_the_type_has_a_name():
    keys = {c.key for c in r4_constraints() if c.expression == ANCHORED_NAME_RULE}
    assert len(keys) == 28
    assert {"sdf-0", "vsd-0", "que-0", "mea-0"} < keys


def test_the_naming_rule_is_void_where_the_type_has_no_name():
    properties = r4_model().properties
    assert "name" not in properties["ChargeItemDefinition"]
    assert "name" not in properties["Invoice"]
    assert {c.key for c in r4_constraints() if c.expression == "true"} == {"cid-0", "inv-0"}


def test_a_corrected_expression_is_left_alone():
    assert repaired("que-12", "enableWhen.count() > 1 implies enableBehavior.exists()") == (
        "enableWhen.count() > 1 implies enableBehavior.exists()"
    )


def test_only_the_constraint_of_that_key_is_repaired():
    assert repaired("txt-1", "htmlChecks()") == "htmlChecks()"
    assert repaired("txt-2", "htmlChecks()") == "htmlChecks2()"
