"""JSON -> XML -> JSON changes nothing: random resources of every R4 type, our examples, and all files of the suites."""

import random
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.errors import BadStructure, NotAcceptable
from fhir_server.fhir import json_codec
from fhir_server.fhir.xml_codec import decode, encode, read
from fhir_server.fhirpath.model import r4_model

ROOT = Path(__file__).parents[2]
MODEL = r4_model()
TEXTS = ("a", "张三", " b ", "q\"'<&>", "two\nlines\t", "\r\n", "\u2028", "𠮷", "]]>", "&amp;", "")
NUMBERS = (0, -5, 2**31 - 1, 10**30, Decimal("1.00"), Decimal("-0.5"), Decimal("0.000001"))
SPELLED = tuple(map(json_codec.SpelledDecimal, ("1e3", "1E-22", "0.0000000000001", "-1.50e+10")))
DIVS = tuple(
    f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'
    for inner in (
        "x",
        "<p>a</p> <br />\n",
        "<!-- c -->&#169;&lt;",
        '<table border="1"><tr><td>张</td></tr></table>\r\n',
    )
)
PRIMITIVES = {
    "boolean": (True, False),
    "decimal": NUMBERS + SPELLED,
    "xhtml": DIVS,
    **dict.fromkeys(("integer", "positiveInt", "unsignedInt"), (0, 7, -5)),
}


class Maker:
    """Makes resources out of what the definitions allow; what is no matter of structure may be nonsense."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def resource(self, depth=0):
        type_ = self.random.choice(sorted(MODEL.resources))
        return {"resourceType": type_, **self.object(type_, depth)}

    def object(self, type_, depth):
        properties = MODEL.properties[type_]
        made, choices = {}, set()
        for name in sorted(self.random.sample(sorted(properties), min(len(properties), 6 - depth))):
            property_ = properties[name]
            if property_.choice is None or property_.choice not in choices:
                choices.add(property_.choice)
                self.put(made, name, property_, depth, is_attribute=name in self.attributes(type_))
        return dict(self.random.sample(sorted(made.items()), len(made)))

    def attributes(self, type_):
        return () if type_ in MODEL.resources else ("id", "url") if type_ == "Extension" else ("id",)

    def put(self, made, name, property_, depth, *, is_attribute):
        count = self.random.randint(1, 3) if property_.is_array else 1
        if property_.type not in MODEL.primitives:
            if depth < 4:
                items = [self.complex(property_.type, depth + 1) for _ in range(count)]
                made[name] = items if property_.is_array else items[0]
            return
        plain = is_attribute or property_.type == "xhtml"
        pairs = [self.primitive(property_.type, depth, plain=plain) for _ in range(count)]
        for key, column in ((name, [v for v, _ in pairs]), ("_" + name, [s for _, s in pairs])):
            if any(item is not None for item in column):
                made[key] = column if property_.is_array else column[0]

    def complex(self, type_, depth):
        return self.resource(depth) if type_ == "Resource" else self.object(type_, depth)

    def primitive(self, type_, depth, *, plain):
        value = self.random.choice(PRIMITIVES.get(type_, TEXTS))
        if plain or depth > 3 or self.random.random() < 0.8:
            return value, None
        sibling = self.object("Element", depth + 1) or {"id": "e"}
        return (value if self.random.random() < 0.5 else None), sibling


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_a_random_resource_comes_back_as_it_went(seed, pretty):
    resource = Maker(seed).resource()
    data = encode(resource, MODEL, pretty=pretty)
    again = decode(data, MODEL)
    assert again == resource
    assert numbers_in(again) == numbers_in(resource)
    assert encode(again, MODEL, pretty=pretty) == data


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.data())
def test_a_spoiled_document_is_read_or_refused_and_never_fails_otherwise(seed, data):
    text = bytearray(encode(Maker(seed).resource(), MODEL))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text[start:end] = data.draw(
            st.sampled_from([b"", b"<", b">", b"<a>", b"</", b"\xff", b"&", b'"', b"x", b"<id/>"])
        )
    try:
        resource, issues = read(bytes(text), MODEL)
    except BadStructure as error:
        resource, issues = {}, error.issues
    assert issues or resource["resourceType"] in MODEL.resources
    assert [i for i in issues if not (i.line and i.column)] == []


def numbers_in(value):
    """The spelling of every number, in the order of the paths."""
    if isinstance(value, dict):
        return [n for key in sorted(value) for n in numbers_in(value[key])]
    if isinstance(value, list):
        return [n for item in value for n in numbers_in(item)]
    return [json_codec.encode(value)] if isinstance(value, int | Decimal) else []


def files(kind):
    folders = ("profiles", "conformance/suites")
    return {p.name: p for folder in folders for p in sorted((ROOT / folder).rglob(f"*.{kind}"))}


def json_resources():
    for name, file in files("json").items():
        try:
            resource = json_codec.decode(file.read_bytes())
        except BadStructure:
            continue
        if resource.get("resourceType") in MODEL.resources:
            yield name, resource


def fate_of(resource):
    try:
        data = encode(resource, MODEL)
    except NotAcceptable:
        return "not writable"
    return "same" if read(data, MODEL) == (resource, ()) else "different"


def test_every_json_file_of_ours_and_of_the_suites_comes_back_as_it_went():
    fates = {name: fate_of(resource) for name, resource in json_resources()}
    assert len(fates) > 300
    odd = {name: fate for name, fate in fates.items() if fate != "same"}
    assert odd == EXPECTED


EXPECTED = {
    # Not what the definitions say, so that XML has no place for it: unknown elements, comments as properties
    **dict.fromkeys(
        [
            "Observation-ex-pain.json",
            "ai3.json",
            "json-comments.json",
            "open-choice-invalid-type-qr.json",
            "patient-unknown-element.json",
            "toplevel-maxvalueduration-profile.json",
            "toplevel-minvalueduration-profile.json",
        ],
        "not writable",
    ),
    "xml-bad-entities.json": "not writable",  # its narrative has &nbsp;, which XML does not know
    "cs-order-prop.json": "different",  # decimals as strings
    "opdef-out-profile.json": "different",  # a string as number
    "empty-array.json": "different",
    "patient-name-extensions.json": "different",  # an array of siblings shorter than that of the values
}


@pytest.mark.parametrize("pretty", [True, False])
def test_every_xml_file_of_the_suites_comes_back_as_it_went(pretty):
    faulty, count = set(), 0
    for name, file in files("xml").items():
        try:
            resource = decode(file.read_bytes(), MODEL)
        except BadStructure as error:
            faulty |= {(name, i.key) for i in error.issues}
            continue
        count += 1
        assert json_codec.encode(decode(encode(resource, MODEL, pretty=pretty), MODEL)) == json_codec.encode(resource)
    assert count > 100
    assert faulty == FAULTY


FAULTY = {
    ("Observation-ex-pain.xml", "xml.attribute-unknown"),
    ("Observation-ex-pain.xml", "xml.element-unknown"),
    ("Observation-ex-pain.xml", "xml.value-missing"),
    ("q-enablewhen-2.xml", "xml.order"),
    ("xml-bad-entities.xml", "xml.malformed"),
}
