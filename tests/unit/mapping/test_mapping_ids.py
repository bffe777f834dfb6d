"""Derived ids, and which types have identifiers."""

import json
import uuid

from fhir_server.data_files import data_folder
from fhir_server.mapping.ids import derived_id, namespace_of
from fhir_server.mapping.plan import WITHOUT_IDENTIFIER


def test_an_id_is_the_uuid5_of_source_entity_and_key():
    namespace = namespace_of("http://b", "town")
    assert uuid.UUID(bytes=namespace) == uuid.uuid5(uuid.NAMESPACE_URL, "http://b/sid/town")
    for number in range(200):
        name = f"patient\x1fR{number}\x1f测试"
        assert derived_id(namespace, "patient", (f"R{number}", "测试")) == str(
            uuid.uuid5(uuid.UUID(bytes=namespace), name)
        )


def test_entities_and_key_parts_are_told_apart():
    space = namespace_of("http://b", "town")
    made = {derived_id(space, *named) for named in (("a", ("b", "c")), ("a", ("bc",)), ("ab", ("c",)))}
    assert len(made) == 3


def test_types_without_a_list_of_identifiers_are_those_of_r4():
    table = json.loads((data_folder("conformance") / "r4" / "types.json").read_text("utf-8"))
    without = {t for t in table["resources"] if not table["types"][t].get("identifier", [None, False])[1]}
    assert without - {"Resource", "DomainResource"} == WITHOUT_IDENTIFIER
