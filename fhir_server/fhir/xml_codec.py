"""FHIR XML bytes <-> resource dicts, driven by the definitions of the types, https://hl7.org/fhir/R4/xml.html.

The dict is the one that JSON gives: numbers keep their text, a narrative is a string, arrays are always lists.
"""

from typing import NamedTuple

from fhir_server.errors import BadStructure, Issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhir.xml_decode import Reading, TooManyFindings, read_resource
from fhir_server.fhir.xml_encode import Writing, write_resource
from fhir_server.fhir.xml_tree import read_tree

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


class Decoded(NamedTuple):
    """What XML says, as far as it can be told, and what is wrong with it: each issue an error with its place."""

    resource: JsonObject
    issues: tuple[Issue, ...]


def read(data: bytes, model: TypeModel) -> Decoded:
    """Reads a resource and everything in it that only XML can get wrong.

    Such are unknown elements and attributes, wrong order, elements that may not repeat, text between elements, wrong
    namespaces, missing values. What JSON could get wrong as well is left to validation.

    Raises:
        BadStructure: not well-formed XML, or dangerous, or its root is no R4 resource.
    """
    root = read_tree(data)
    reading = Reading(model, [])
    try:
        resource = read_resource(reading, root)
    except TooManyFindings:
        resource = {"resourceType": root.name}
    if root.name not in model.resources:
        raise BadStructure(*reading.issues)
    return Decoded(resource, tuple(reading.issues))


def decode(data: bytes, model: TypeModel) -> JsonObject:
    """Reads a resource.

    Raises:
        BadStructure: anything that `read` finds, all of it.
    """
    resource, issues = read(data, model)
    if issues:
        raise BadStructure(*issues)
    return resource


def encode(resource: JsonObject, model: TypeModel, *, pretty: bool = False) -> bytes:
    """Returns the XML of a resource, UTF-8; `pretty` puts each element on a line of its own.

    Raises:
        NotAcceptable: the resource has something that XML cannot carry: unknown elements, control characters, a
            narrative that is not well-formed.
    """
    writing = Writing(model, [], pretty)
    write_resource(writing, resource)
    return (_DECLARATION + ("\n" if pretty else "") + "".join(writing.pieces)).encode()
