"""Structure, told by two programs: our validator and a JSON Schema made from the same facts.

Resources are drawn from R4's types and then spoiled. What the schema rejects, validation rejects; what validation rejects
for its structure, the schema rejects.
"""

import re
from decimal import Decimal
from functools import cache

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from fhir_server.definitions.packages import load_definitions
from fhir_server.validation import Validator

TYPES = ("Patient", "Observation", "Encounter", "CareTeam", "EpisodeOfCare", "Organization", "Questionnaire")
DEPTH = 3
SAMPLES = {
    "boolean": (True, False),
    "integer": (0, -5, 2**31 - 1),
    "unsignedInt": (0, 7),
    "positiveInt": (1, 9),
    "decimal": (Decimal("1.00"), 3, Decimal("-0.5")),
    "string": ("a", "张三", " b "),
    "markdown": ("# x",),
    "code": ("final", "male", "a b"),
    "id": ("a-1", "B.2"),
    "oid": ("urn:oid:1.2.3",),
    "uuid": ("urn:uuid:c757873d-ec9a-4326-a141-556f43239520",),
    "uri": ("http://a.b/c", "urn:x:y"),
    "url": ("http://a.b/c",),
    "canonical": ("http://a.b/c|1",),
    "date": ("2020", "2020-02", "2020-02-29"),
    "dateTime": ("2020", "2020-02-29", "2020-01-01T00:00:00Z"),
    "instant": ("2020-01-01T00:00:00.5+08:00",),
    "time": ("10:00:00",),
    "base64Binary": ("QQ==",),
    "xhtml": ('<div xmlns="http://www.w3.org/1999/xhtml">x</div>',),
}
SPOILED = (None, "", 0, True, [], {}, [None], ["x"], {"foo": "bar"}, "\x00", Decimal("1.5"), 2**31, "2020-13", -1)
BOTH = frozenset({"unknown-element", "json-type", "empty-array", "empty-string", "number-range", "cardinality-min"})
"""Findings that the schema must share: it knows no bindings, invariants, references or narratives."""
STRUCTURAL = BOTH | {"null", "choice-many", "empty-object", "primitive-format", "string-control", "date-unknown"}


@cache
def definitions():
    return load_definitions()


@cache
def validator():
    return Validator(definitions())


def primitive_schema(type_):
    if type_ == "boolean":
        return {"type": "boolean"}
    if type_ == "decimal":
        return {"type": "number"}
    limits = {"integer": -(2**31), "unsignedInt": 0, "positiveInt": 1}
    if type_ in limits:
        return {"type": "integer", "minimum": limits[type_], "maximum": 2**31 - 1}
    patterns = {
        "id": r"^[A-Za-z0-9\-.]{1,64}$",
        "code": r"^[^\s]+(\s[^\s]+)*$",
        "date": r"^[0-9]{4}(-(0[1-9]|1[0-2])(-[0-9]{2})?)?$",
        "time": r"^[0-9]{2}:[0-9]{2}:[0-9]{2}",
        "uri": r"^\S+$",
    }
    return {"type": "string", "minLength": 1, **({"pattern": patterns[type_]} if type_ in patterns else {})}


def property_schema(property_, model):
    if property_.type in model.primitives:
        item = primitive_schema(property_.type)
        # Within an array a null may stand for a value that has extensions only
        item = {"anyOf": [item, {"type": "null"}]} if property_.is_array else item
    else:
        item = {"$ref": f"#/$defs/{property_.type}"} if property_.type in model.properties else {"type": "object"}
    return {"type": "array", "minItems": 1, "items": item} if property_.is_array else item


def object_schema(type_, model):
    properties = model.properties[type_]
    known = {key: property_schema(p, model) for key, p in properties.items()}
    for key, p in properties.items():
        if p.type in model.primitives:
            sibling = {"$ref": "#/$defs/Element"}
            nullable = {"anyOf": [sibling, {"type": "null"}]}
            known["_" + key] = {"type": "array", "minItems": 1, "items": nullable} if p.is_array else sibling
    elements = definitions().structure_of_type(type_.partition(".")[0]).elements
    needed = [e.path.rpartition(".")[2] for e in elements if e.path.rpartition(".")[0] == type_ and e.min > 0]
    every = [{"anyOf": [{"required": [key]} for key in keys_of(name, properties, model)]} for name in needed]
    known |= {"resourceType": {"const": type_}} if type_ in model.resources else {}
    return {"type": "object", "properties": known, "additionalProperties": False, **({"allOf": every} if every else {})}


def keys_of(name, properties, model):
    choice = name.removesuffix("[x]")
    keys = [key for key, p in properties.items() if key == name or (choice != name and p.choice == choice)]
    return keys + ["_" + key for key in keys if properties[key].type in model.primitives]


@cache
def schema(type_):
    model = definitions().model
    own = {t: object_schema(t, model) for t in model.properties}
    is_number = Draft202012Validator.TYPE_CHECKER.redefine("number", lambda _, v: type(v) in (int, Decimal))
    checker = is_number.redefine("integer", lambda _, v: type(v) is int)
    from jsonschema.validators import extend

    return extend(Draft202012Validator, type_checker=checker)({"$ref": f"#/$defs/{type_}", "$defs": own})


@st.composite
def objects(draw, type_, depth=0):
    properties = definitions().model.properties[type_]
    leaves = [k for k, p in properties.items() if (p.type in SAMPLES or depth < DEPTH) and (k != "id" or not depth)]
    chosen = draw(st.lists(st.sampled_from(sorted(leaves)), max_size=5, unique=True)) if leaves else []
    simple = sorted(k for k in leaves if properties[k].type in SAMPLES)
    some = [draw(st.sampled_from(simple))] if depth and simple else []
    made = {}
    for key in [*required_keys(type_), *chosen, *some]:
        choice = properties[key].choice
        if key in made or key == "contained" or (choice and any(properties[k].choice == choice for k in made)):
            continue
        value = draw(values(properties[key].type, depth + 1))
        if value != {}:
            made[key] = [value] if properties[key].is_array else value
    return made


def required_keys(type_):
    properties = definitions().model.properties[type_]
    elements = definitions().structure_of_type(type_.partition(".")[0]).elements
    paths = [e.path for e in elements if e.path.rpartition(".")[0] == type_ and e.min > 0]
    names = [path.rpartition(".")[2].removesuffix("[x]") for path in paths]
    return [next(k for k, p in properties.items() if n in (k, p.choice)) for n in names]


def values(type_, depth):
    if type_ in SAMPLES:
        return st.sampled_from(SAMPLES[type_])
    return objects(type_, depth) if type_ in definitions().model.properties else st.just({})


@st.composite
def resources(draw):
    type_ = draw(st.sampled_from(TYPES))
    return {"resourceType": type_, **draw(objects(type_))}


@st.composite
def spoiled(draw):
    resource = draw(resources())
    places = list(places_in(resource))
    owner, key = draw(st.sampled_from(places))
    how = draw(st.sampled_from(("replace", "add", "remove")))
    if how == "remove":
        assume(key != "resourceType")
        del owner[key]
    elif how == "replace" or isinstance(owner, list):
        assume(key != "resourceType")
        owner[key] = draw(st.sampled_from(SPOILED))
    else:
        owner[draw(st.sampled_from(("foo", "_foo", "_" + str(key), "id")))] = draw(st.sampled_from(SPOILED))
    return resource


def places_in(value):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield value, key
        if isinstance(item, dict | list):
            yield from places_in(item)


def errors(resource):
    issues = validator().check(resource)
    return {i.key.removeprefix("validation.") for i in issues if i.severity == "error"}


FAST = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FAST
@given(resources())
def test_a_resource_of_known_properties_has_no_structural_finding(resource):
    assert schema(resource["resourceType"]).is_valid(resource)
    assert errors(resource) & STRUCTURAL == set()


@FAST
@given(spoiled())
def test_what_the_schema_rejects_is_rejected(resource):
    assume(not schema(resource["resourceType"]).is_valid(resource))
    assert errors(resource)


@FAST
@given(spoiled())
def test_what_is_rejected_for_its_structure_the_schema_rejects(resource):
    assume(errors(resource) & BOTH)
    assert not schema(resource["resourceType"]).is_valid(resource)


def test_the_schema_does_tell_right_from_wrong():
    checker = schema("Patient")
    assert checker.is_valid({"resourceType": "Patient", "name": [{"given": ["a", None]}]})
    wrong = (
        {"foo": 1},
        {"name": {}},
        {"active": "true"},
        {"birthDate": "2020-13"},
        {"communication": [{}]},
        {"name": []},
    )
    assert [content for content in wrong if checker.is_valid({"resourceType": "Patient", **content})] == []
    assert re.match(primitive_schema("code")["pattern"], "a b")
