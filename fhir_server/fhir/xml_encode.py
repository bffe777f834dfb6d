"""A resource as JSON has it -> XML text, in the order of the definitions, https://hl7.org/fhir/R4/xml.html."""

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple

from fhir_server.errors import NotAcceptable
from fhir_server.fhir import json_codec
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import Property, TypeModel
from fhir_server.fhir.xml_narrative import stands_alone
from fhir_server.fhir.xml_tree import FHIR

_SPECIAL = re.compile('[&<"\x00-\x1f\ud800-\udfff\ufffe\uffff]')
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;", "\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"})
_WORDS = {True: "true", False: "false"}


@dataclass(frozen=True, slots=True)
class Writing:
    """One document being written: its pieces so far."""

    model: TypeModel
    pieces: list[str]
    is_pretty: bool

    def line(self, text: str, level: int) -> None:
        """Adds a tag, on a line of its own where the text is to be pretty."""
        self.pieces.append(f"\n{'  ' * level}{text}" if self.is_pretty and self.pieces else text)


class Spot(NamedTuple):
    """Where something is written: its FHIRPath, and how deep it stands."""

    path: str
    level: int

    def below(self, segment: str) -> "Spot":
        """Returns the spot one level down."""
        return Spot(f"{self.path}.{segment}", self.level + 1)


def write_resource(writing: Writing, resource: Any, spot: Spot | None = None) -> None:
    """Writes a resource element; the outermost one, which has no spot, declares the namespace.

    Raises:
        NotAcceptable: something in it is not what its definition says, and has no form in XML.
    """
    type_ = resource.get("resourceType") if type(resource) is dict else None
    if not isinstance(type_, str) or type_ not in writing.model.resources:
        raise _unwritable("" if spot is None else spot.path, "a resource with a known resourceType is expected")
    head = type_ if spot else f'{type_} xmlns="{FHIR}"'
    content = {key: value for key, value in resource.items() if key != "resourceType"}
    _write_content(writing, (head, type_), content, spot or Spot(type_, 0))


def _write_element(writing: Writing, tag: tuple[str, str], value: Any, spot: Spot) -> None:
    if type(value) is not dict:
        raise _unwritable(spot.path, "an object is expected")
    (head, type_), content = tag, value
    for attribute in ("id", "url") if type_ == "Extension" else ("id",):
        if "_" + attribute in content:
            raise _unwritable(spot.path, f"{attribute!r} is an attribute there and has no extensions")
        if attribute in content:
            head += f' {attribute}="{_text_of(content[attribute], spot.path)}"'
            content = {key: item for key, item in content.items() if key != attribute}
    _write_content(writing, (head, type_), content, spot)


def _write_content(writing: Writing, tag: tuple[str, str], content: JsonObject, spot: Spot) -> None:
    """Writes an element; `tag` is its name with the attributes, and its type."""
    head, type_ = tag
    properties = writing.model.properties[type_]
    names = {key.removeprefix("_") for key in content}
    if not names <= properties.keys():
        raise _unwritable(spot.path, f"{type_} has no element {min(names - properties.keys())!r}")
    writing.line(f"<{head}>", spot.level)
    mark = len(writing.pieces)
    for name in properties if names else ():
        if name in names:
            _write_member(writing, (name, properties[name]), content, spot)
    if len(writing.pieces) == mark:
        writing.pieces[-1] = writing.pieces[-1][:-1] + "/>"
    else:
        writing.line(f"</{head.partition(' ')[0]}>", spot.level)


def _write_member(writing: Writing, member: tuple[str, Property], owner: JsonObject, spot: Spot) -> None:
    name, property_ = member
    values, siblings = owner.get(name), owner.get("_" + name)
    if not property_.is_array:
        _write_item(writing, member, (values, siblings), spot.below(name))
        return
    if not isinstance(values, list | None) or not isinstance(siblings, list | None):
        raise _unwritable(f"{spot.path}.{name}", "an array is expected")
    for index, pair in enumerate(zip_longest(values or (), siblings or ())):
        _write_item(writing, member, pair, spot.below(f"{name}[{index}]"))


def _write_item(writing: Writing, member: tuple[str, Property], pair: tuple[Any, Any], spot: Spot) -> None:
    """Writes one element from its value and its sibling; either may be missing where it is a primitive."""
    (name, property_), (value, sibling) = member, pair
    if property_.type == "xhtml":
        writing.line(_narrative(value, spot.path), spot.level)
    elif property_.type in writing.model.primitives:
        _write_primitive(writing, name, pair, spot)
    elif sibling is not None:
        raise _unwritable(spot.path, f"'_{name}' is for primitive types")
    elif property_.type == "Resource":
        writing.line(f"<{name}>", spot.level)
        write_resource(writing, value, Spot(spot.path, spot.level + 1))
        writing.line(f"</{name}>", spot.level)
    else:
        _write_element(writing, (name, property_.type), value, spot)


def _write_primitive(writing: Writing, name: str, pair: tuple[Any, Any], spot: Spot) -> None:
    value, sibling = pair
    head = name if value is None else f'{name} value="{_text_of(value, spot.path)}"'
    if sibling is None:
        writing.line(f"<{head}/>", spot.level)
    else:
        _write_element(writing, (head, "Element"), sibling, spot)


def _text_of(value: Any, path: str) -> str:
    if isinstance(value, str):
        return _escaped(value, path)
    if isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int | Decimal):
        return json_codec.encode(value).decode()
    raise _unwritable(path, "a primitive value is expected")


def _escaped(text: str, path: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise _unwritable(path, f"XML has no character U+{ord(forbidden[0]):04X}")
    return text.translate(_ESCAPES)


def _narrative(value: Any, path: str) -> str:
    if not isinstance(value, str) or not stands_alone(value):
        raise _unwritable(path, "the narrative is no well-formed XHTML div")
    return value


def _unwritable(path: str, reason: str) -> NotAcceptable:
    return NotAcceptable.of("xml.not-writable", path, reason=f"{path}: {reason}")
