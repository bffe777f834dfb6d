"""Typed values <-> parameters of a Parameters resource, https://hl7.org/fhir/R4/parameters.html."""

import re
from typing import Any

from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath.nodes import Node, fhir_type, plain

JSON_VALUE = "http://fhir.forms-lab.com/StructureDefinition/json-value"
"""Extension that holds the JSON of a value which no `value[x]` of a parameter can hold."""

# A DateTime of FHIRPath may end at the hour or have no offset; R4's has neither freedom.
_DATE_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?")
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?")


def as_parameter(node: Node, model: TypeModel) -> JsonObject:
    """Returns a parameter named by the type of an item, with its `value[x]`, `resource`, or its JSON in an extension."""
    type_, value = fhir_type(node) or "object", plain(node)
    if type(value) is dict and "resourceType" in value:
        return {"name": type_, "resource": value}
    if value == "":
        return {"name": "empty-string"}
    key = "value" + type_[:1].upper() + type_[1:]
    if key not in model.properties["Parameters.parameter"] or not _is_fhir(type_, value):
        return {"name": type_.replace(".", "#"), "extension": [_as_json(value)]}
    found: JsonObject = {"name": type_}
    if value is not None:
        found[key] = value
    if node.sibling is not None:
        found["_" + key] = node.sibling
    return found


def _is_fhir(type_: str, value: Any) -> bool:
    if type_ == "dateTime" and value is not None:
        return _DATE_TIME.fullmatch(value) is not None
    return type_ != "time" or value is None or _TIME.fullmatch(value) is not None


def _as_json(value: Any) -> JsonObject:
    return {"url": JSON_VALUE, "valueString": encode(value).decode()}


def as_node(parameter: JsonObject, model: TypeModel) -> Node | None:
    """Returns the typed value of a parameter; None when it has none."""
    resource = parameter.get("resource")
    if isinstance(resource, dict):
        return Node(resource, str(resource.get("resourceType", "")))
    for key, property_ in model.properties["Parameters.parameter"].items():
        if property_.choice == "value" and key in parameter:
            sibling = parameter.get("_" + key)
            return Node(parameter[key], property_.type, sibling if isinstance(sibling, dict) else None)
    return None
