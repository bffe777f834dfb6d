"""A tree of XML elements -> a resource as JSON has it, and what XML alone can get wrong, https://hl7.org/fhir/R4/xml.html.

A value that its type cannot be (`abc` for an integer) stays the text that it is, and validation refuses it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fhir_server.errors import Issue, issue
from fhir_server.fhir.json_codec import read_number
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import Property, TypeModel
from fhir_server.fhir.xml_narrative import narrative_text
from fhir_server.fhir.xml_tree import FHIR, XHTML, Node

MAX_FINDINGS = 100
"""Most findings of one document; whoever sends something else than FHIR learns so from the first ones."""

INTEGERS = frozenset({"integer", "positiveInt", "unsignedInt"})
_INTEGER = re.compile(r"0|[-+]?[1-9][0-9]{0,18}")
_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance "
_BOOLEANS = {"true": True, "false": False}
_IN_ELEMENT: tuple[str, ...] = ("id",)
_IN_PRIMITIVE = ("id", "value")
_IN_EXTENSION = ("id", "url")


class TooManyFindings(Exception):
    """Reading on would tell nothing new."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One document being read."""

    model: TypeModel
    issues: list[Issue]

    def report(self, found: Issue, node: Node) -> None:
        """Files a finding at the place of an element.

        Raises:
            TooManyFindings: there are as many as a client can use.
        """
        self.issues.append(replace(found, line=node.line, column=node.column))
        if len(self.issues) >= MAX_FINDINGS:
            self.issues.append(issue("xml.too-many-findings", limit=MAX_FINDINGS))
            raise TooManyFindings


def read_resource(reading: Reading, node: Node, path: str = "", around: str = FHIR) -> JsonObject:
    """Returns the resource that an element is; `path` and `around` are the place and the namespace that it stands in."""
    _check_space(reading, node, path or node.name, around)
    if node.name not in reading.model.resources:
        reading.report(issue("xml.resource-unknown", path, name=node.name), node)
        return {"resourceType": node.name}
    made: JsonObject = {"resourceType": node.name}
    _read_attributes(reading, node, path or node.name, (), made)
    _read_children(reading, node, node.name, path or node.name, made)
    return made


def _read_element(reading: Reading, node: Node, type_: str, path: str) -> JsonObject:
    made: JsonObject = {}
    _read_attributes(reading, node, path, _IN_EXTENSION if type_ == "Extension" else _IN_ELEMENT, made)
    _read_children(reading, node, type_, path, made)
    return made


def _read_attributes(reading: Reading, node: Node, path: str, known: tuple[str, ...], made: JsonObject) -> None:
    for name, text in node.attributes.items():
        if name in known:
            made[name] = text
        elif not name.startswith(_SCHEMA_INSTANCE):  # hints for schema tools; R4 says to ignore them
            valid = ", ".join(known) or "none"
            reading.report(issue("xml.attribute-unknown", path, name=name, element=node.name, valid=valid), node)


def _read_children(reading: Reading, node: Node, type_: str, path: str, made: JsonObject) -> None:
    properties = reading.model.properties[type_]
    attributes = () if "resourceType" in made else _IN_EXTENSION if type_ == "Extension" else _IN_ELEMENT
    last, following, has_siblings = "", iter(properties), False
    for child in node.content:
        if isinstance(child, str):
            reading.report(issue("xml.text", path, text=child.strip()[:40]), node)
            continue
        name = child.name
        property_ = properties.get(name)
        if property_ is None or name in attributes:
            _report_unknown(reading, child, type_, path)
        elif not property_.is_array and (name in made or "_" + name in made):
            reading.report(issue("xml.repeated", f"{path}.{_segment(name, property_)}", name=name, type=type_), child)
        else:
            if name != last and name not in following:
                _check_order(reading, child, path, (type_, last))
                following = _after(properties, last)
            else:
                last = name
            place = _place(path, name, property_, made)
            _check_space(reading, child, place, node.space, XHTML if property_.type == "xhtml" else FHIR)
            has_siblings |= _read_member(reading, child, property_, place, made)
    if has_siblings:
        _align(made)


def _report_unknown(reading: Reading, child: Node, type_: str, path: str) -> None:
    properties = reading.model.properties[type_]
    if child.name in properties:
        reading.report(issue("xml.element-is-attribute", path, name=child.name, type=type_), child)
    else:
        valid = ", ".join(name for name in properties if not properties[name].choice)
        choices = "".join(f", {c}[x]" for c in dict.fromkeys(p.choice for p in properties.values() if p.choice))
        found = issue("xml.element-unknown", path, name=child.name, type=type_, valid=valid + choices)
        reading.report(found, child)


def _check_order(reading: Reading, child: Node, path: str, after: tuple[str, str]) -> None:
    """Reports an element that comes too late; two types of one choice have no order, and are another finding."""
    type_, last = after
    properties = reading.model.properties[type_]
    choice = properties[child.name].choice
    if choice is None or properties[last].choice != choice:
        place = f"{path}.{_segment(child.name, properties[child.name])}"
        reading.report(issue("xml.order", place, name=child.name, before=last, type=type_), child)


def _after(properties: Mapping[str, Property], last: str) -> Iterator[str]:
    """Returns what may follow a property."""
    following = iter(properties)
    assert last in following
    return following


def _segment(name: str, property_: Property) -> str:
    return f"{property_.choice}.ofType({property_.type})" if property_.choice else name


def _place(path: str, name: str, property_: Property, made: JsonObject) -> str:
    if property_.is_array:
        return f"{path}.{name}[{len(made.get(name, ()))}]"
    return f"{path}.{_segment(name, property_)}"


def _read_member(reading: Reading, child: Node, property_: Property, path: str, made: JsonObject) -> bool:
    """Adds an element to its owner and tells whether it has put something into an array of siblings."""
    name, type_ = child.name, property_.type
    if type_ == "xhtml":
        made[name] = narrative_text(child)
        return False
    if type_ in reading.model.primitives:
        return _add_primitive(reading, child, property_, path, made)
    value = _read_contained(reading, child, path) if type_ == "Resource" else _read_element(reading, child, type_, path)
    if property_.is_array:
        made.setdefault(name, []).append(value)
    else:
        made[name] = value
    return False


def _read_contained(reading: Reading, node: Node, path: str) -> JsonObject:
    _read_attributes(reading, node, path, (), {})
    resources = [c for c in node.content if isinstance(c, Node)]
    for text in (c for c in node.content if isinstance(c, str)):
        reading.report(issue("xml.text", path, text=text.strip()[:40]), node)
    if len(resources) != 1:
        reading.report(issue("xml.resource-container", path, name=node.name, found=len(resources)), node)
    return read_resource(reading, resources[0], path, node.space) if resources else {}


def _add_primitive(reading: Reading, node: Node, property_: Property, path: str, made: JsonObject) -> bool:
    name, attributes = node.name, node.attributes
    value = _value_of(property_.type, attributes["value"]) if "value" in attributes else None
    is_plain = value is not None and len(attributes) == 1 and not node.content
    sibling = None if is_plain else _read_sibling(reading, node, path)
    if value is None and not sibling:
        reading.report(issue("xml.value-missing", path, name=name), node)
        return False
    if not property_.is_array:
        made.update({name: value} if value is not None else {})
        made.update({"_" + name: sibling} if sibling else {})
        return False
    values = made.setdefault(name, [])
    values.append(value)
    if sibling:
        siblings = made.setdefault("_" + name, [])
        siblings += [None] * (len(values) - 1 - len(siblings)) + [sibling]
    return bool(sibling)


def _read_sibling(reading: Reading, node: Node, path: str) -> JsonObject:
    """Returns the id and extensions of a primitive."""
    made: JsonObject = {}
    _read_attributes(reading, node, path, _IN_PRIMITIVE, made)
    made.pop("value", None)
    _read_children(reading, node, "Element", path, made)
    return made


def _align(made: JsonObject) -> None:
    """Gives an array of siblings the length of its values, and drops values where there are only siblings."""
    for key in [k for k in made if k[0] == "_" and isinstance(made[k], list)]:
        values = made[key[1:]]
        made[key] += [None] * (len(values) - len(made[key]))
        if all(value is None for value in values):
            del made[key[1:]]


def _value_of(type_: str, text: str) -> Any:
    if type_ == "boolean":
        return _BOOLEANS.get(text, text)
    if type_ in INTEGERS:
        return int(text) if _INTEGER.fullmatch(text) else text
    if type_ == "decimal":
        number = read_number(text)
        return text if number is None else number
    return text


def _check_space(reading: Reading, node: Node, path: str, around: str, expected: str = FHIR) -> None:
    """Reports a wrong namespace where it begins, not on everything below."""
    if node.space != expected and (node.space != around or expected == XHTML):
        reading.report(issue("xml.namespace", path, name=node.name, found=node.space, expected=expected), node)
