"""Random resources of any type and random searches for them, out of small pools, so that they meet often."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random
from typing import Any

from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.registry import SearchParameter
from fhir_server.fhir.shapes import JsonObject
from fhir_server.search.offered import offered

DEFINITIONS = load_definitions()
MODEL = DEFINITIONS.model

IDS = ["1", "2", "3", "a"]
CODES = ["a", "b", "Ab", "final"]
SYSTEMS = ["urn:s", "http://s.example/x", "http://unitsofmeasure.org"]
TEXTS = ["王小明", "小明", "Wang Li", "li", "a,b", "x|y$z", "MÜLLER"]
URIS = ["http://s.example/x", "http://s.example/x/y", "http://s.example", "urn:oid:1.2", "http://s.example/x/"]
CANONICALS = ["http://s.example/v|1", "http://s.example/v|1.2", "http://s.example/v|1.2.3", "http://s.example/v"]
DATES = ["2024", "2024-02", "2024-02-29", "2024-03-01"]
INSTANTS = ["2024-02-29T08:00:00+08:00", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00.5+08:00"]
NUMBERS = [Decimal(n) for n in ("5", "5.0", "0.5", "50", "-5", "500")]
UNITS = ["mg", "g", "mg/dL", "g/L", "[pH]", "Cel", "K", "毫克"]
SEARCHED_TYPES = ["Patient", "Organization", "Location", "Observation", "Practitioner", "Condition", "List"]
"""What references point at, and what most searches are for."""

_LEFT_OUT = frozenset({"extension", "modifierExtension", "contained", "id"})
_OF_ALL = frozenset({"text", "implicitRules", "language", "meta"})
"""Elements of every resource; `some_resource` adds what is searched of them."""


def some_value(rng: Random, type_: str, depth: int) -> Any:
    """Returns a random value of a FHIR type or backbone path; None where it would be too deep."""
    if type_ in _PRIMITIVES:
        return _PRIMITIVES[type_](rng)
    if type_ in _COMPLEX:
        return _COMPLEX[type_](rng)
    if type_ in MODEL.primitives:
        return rng.choice(TEXTS)
    return some_object(rng, type_, depth) if depth and type_ in MODEL.properties else None


def some_object(rng: Random, type_: str, depth: int, share: float = 0.5) -> JsonObject:
    """Returns a random object; `share` of its elements are there, and one key of a choice."""
    names: dict[str, list[str]] = {}
    for key, each in MODEL.properties[type_].items():
        if key not in _LEFT_OUT and not key.startswith("_") and not (type_ in MODEL.resources and key in _OF_ALL):
            names.setdefault(each.choice or key, []).append(key)
    chosen = [rng.choice(keys) for keys in names.values() if rng.random() < share]
    found = {key: _element(rng, MODEL.properties[type_][key], depth - 1) for key in chosen}
    return {key: value for key, value in found.items() if value not in (None, [], {})}


def _element(rng: Random, each: Any, depth: int) -> Any:
    if not each.is_array:
        return some_value(rng, each.type, depth)
    found = [some_value(rng, each.type, depth) for _ in range(rng.choice([1, 1, 2]))]
    return [value for value in found if value not in (None, {})]


def some_resource(rng: Random, type_: str, id_: str, share: float = 0.4) -> JsonObject:
    """Returns a random resource; it need not be valid, and every element has the shape that R4 gives it."""
    meta = {
        "tag": [_coding(rng)],
        "security": [_coding(rng)],
        "profile": [rng.choice(CANONICALS)],
        "source": rng.choice(URIS),
    }
    body = some_object(rng, type_, 6, share)
    return {"resourceType": type_, "id": id_, **({"meta": meta} if rng.random() < share else {}), **body}


def doubled(value: Any) -> Any:
    """Returns a copy in which every list has its elements twice."""
    if isinstance(value, dict):
        return {key: doubled(one) for key, one in value.items()}
    return [doubled(one) for _ in range(2) for one in value] if isinstance(value, list) else value


def some_doubled(rng: Random, type_: str, id_: str) -> JsonObject:
    """Returns a random resource with two equal resources of a few types inside, and references to them."""
    resource = some_resource(rng, type_, id_)
    if rng.random() < 0.6:
        inner = [some_resource(rng, rng.choice(SEARCHED_TYPES), f"c{n}") for n in range(rng.choice([1, 2]))]
        resource["contained"] = [{k: v for k, v in one.items() if k != "meta"} for one in inner]
        _refer(rng, resource)
    return doubled(resource)


def _refer(rng: Random, value: Any) -> None:
    """Turns some references into such to what is contained."""
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refer(rng, one)
    if isinstance(value, dict) and str(value.get("reference", "")).count("/") == 1 and rng.random() < 0.3:
        value["reference"] = "#c0"


def _coding(rng: Random) -> JsonObject:
    found = {"system": rng.choice(SYSTEMS), "code": rng.choice(CODES), "display": rng.choice(TEXTS)}
    return {key: value for key, value in found.items() if rng.random() < 0.8}


def _concept(rng: Random) -> JsonObject:
    return {"coding": [_coding(rng) for _ in range(rng.randrange(3))], "text": rng.choice(TEXTS)}


def _identifier(rng: Random) -> JsonObject:
    typed = {"type": _concept(rng)} if rng.random() < 0.5 else {}
    return {**typed, "system": rng.choice(SYSTEMS), "value": rng.choice(CODES)}


def _reference(rng: Random) -> JsonObject:
    logical = {"identifier": _identifier(rng)} if rng.random() < 0.2 else {}
    return {"reference": f"{rng.choice(SEARCHED_TYPES)}/{rng.choice(IDS)}", **logical}


def _quantity(rng: Random) -> JsonObject:
    unit = rng.choice(UNITS)
    found: JsonObject = {"value": rng.choice(NUMBERS), "unit": rng.choice([unit, "mg"])}
    if rng.random() < 0.7:
        found |= {"system": rng.choice(["http://unitsofmeasure.org", "urn:s"]), "code": unit}
    return {**found, **({"comparator": rng.choice(["<", "<=", ">", ">="])} if rng.random() < 0.2 else {})}


def _contact_point(rng: Random) -> JsonObject:
    return {"system": rng.choice(["phone", "email", "fax"]), "value": rng.choice(CODES), "use": "home"}


def _related_artifact(rng: Random) -> JsonObject:
    kinds = ["depends-on", "composed-of", "derived-from", "predecessor", "successor"]
    return {"type": rng.choice(kinds), "resource": rng.choice(CANONICALS)}


def _period(rng: Random) -> JsonObject:
    found = {"start": rng.choice(DATES[:2]), "end": rng.choice(DATES[2:])}
    return {key: value for key, value in found.items() if rng.random() < 0.7}


def _range(rng: Random) -> JsonObject:
    low = _quantity(rng)
    low.pop("comparator", None)
    return {"low": low, "high": {**low, "value": low["value"] + 5}}


_PRIMITIVES: Mapping[str, Callable[[Random], Any]] = {
    "code": lambda rng: rng.choice(CODES),
    "boolean": lambda rng: rng.random() < 0.5,
    "date": lambda rng: rng.choice(DATES),
    "dateTime": lambda rng: rng.choice(DATES + INSTANTS),
    "instant": lambda rng: rng.choice(INSTANTS),
    "decimal": lambda rng: rng.choice(NUMBERS),
    "integer": lambda rng: rng.randrange(-5, 6),
    "positiveInt": lambda rng: rng.randrange(1, 6),
    "unsignedInt": lambda rng: rng.randrange(6),
    "uri": lambda rng: rng.choice(URIS),
    "url": lambda rng: rng.choice(URIS),
    "canonical": lambda rng: rng.choice(CANONICALS),
}
_COMPLEX: Mapping[str, Callable[[Random], Any]] = {
    "Coding": _coding,
    "CodeableConcept": _concept,
    "Identifier": _identifier,
    "Reference": _reference,
    "ContactPoint": _contact_point,
    "RelatedArtifact": _related_artifact,
    "Period": _period,
    "Range": _range,
    "Location.position": lambda rng: {"latitude": rng.choice(NUMBERS[:4]), "longitude": rng.choice(NUMBERS[:4])},
    "Resource": lambda rng: {"resourceType": rng.choice(["Composition", "MessageHeader"]), "id": rng.choice(IDS)},
    "Money": lambda rng: {"value": rng.choice(NUMBERS), "currency": "CNY"},
    **dict.fromkeys(["Quantity", "Age", "Duration", "Distance", "Count", "SimpleQuantity"], _quantity),
}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(",", "\\,").replace("|", "\\|").replace("$", "\\$")


def _prefix(rng: Random) -> str:
    return rng.choice(["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])


def _token_text(rng: Random) -> str:
    code, system = rng.choice([*CODES, "A", "true", "male"]), rng.choice(SYSTEMS)
    return rng.choice([code, f"{system}|{code}", f"|{code}", f"{system}|"])


def _quantity_text(rng: Random) -> str:
    unit, number = rng.choice(UNITS), f"{_prefix(rng)}{rng.choice(NUMBERS)}"
    return rng.choice(
        [number, f"{number}||{unit}", f"{number}|http://unitsofmeasure.org|{unit}", f"{number}|urn:s|{unit}"]
    )


def _reference_text(rng: Random) -> str:
    type_, id_ = rng.choice(SEARCHED_TYPES), rng.choice(IDS)
    return rng.choice([id_, f"{type_}/{id_}", f"https://fhir.example/r4/{type_}/{id_}"])


def _near_text(rng: Random) -> str:
    return f"{rng.choice(NUMBERS[:5])}|{rng.choice(NUMBERS[:5])}|{rng.choice(['1', '600', '5000'])}|{rng.choice(['km', 'm', ''])}"


_TEXT_OF: Mapping[str, Callable[[Random], str]] = {
    "string": lambda rng: _escaped(rng.choice([*TEXTS, "小", "w", "mull"])),
    "token": _token_text,
    "reference": _reference_text,
    "uri": lambda rng: rng.choice(URIS + CANONICALS),
    "date": lambda rng: _prefix(rng) + rng.choice(DATES + INSTANTS),
    "number": lambda rng: f"{_prefix(rng)}{rng.choice(NUMBERS)}",
    "quantity": _quantity_text,
    "special": _near_text,
}
_VALUE_SETS = [
    "http://hl7.org/fhir/ValueSet/observation-status",
    "http://hl7.org/fhir/ValueSet/administrative-gender",
    "ValueSet/condition-clinical",
]
_CONCEPTS = [f"http://hl7.org/fhir/observation-status|{code}" for code in ("final", "amended", "corrected")]
_MODIFIED: Mapping[str, Mapping[str, Callable[[Random], str]]] = {
    "string": dict.fromkeys(("exact", "contains"), _TEXT_OF["string"]),
    "token": {
        "not": _token_text,
        "text": _TEXT_OF["string"],
        "in": lambda rng: rng.choice(_VALUE_SETS),
        "not-in": lambda rng: rng.choice(_VALUE_SETS),
        "below": lambda rng: rng.choice(_CONCEPTS),
        "above": lambda rng: rng.choice(_CONCEPTS),
        "of-type": lambda rng: f"{rng.choice(SYSTEMS)}|{rng.choice(CODES)}|{rng.choice(CODES)}",
    },
    "reference": {
        "identifier": _token_text,
        "below": lambda rng: f"{rng.choice(['Organization', 'Location'])}/{rng.choice(IDS)}",
        "above": lambda rng: f"{rng.choice(['Organization', 'Location'])}/{rng.choice(IDS)}",
    },
    "uri": {"below": lambda rng: rng.choice(URIS[:3]), "above": lambda rng: rng.choice(URIS[:3])},
}


def some_text(rng: Random, parameter: SearchParameter) -> str:
    """Returns a random value of a parameter, sometimes two."""
    if parameter.kind == "composite":
        by_url = {str(p.url): p for s in DEFINITIONS.resources.values() for p in s.search.values()}
        found = "$".join(_TEXT_OF[by_url[str(url)].kind](rng) for url, _ in parameter.components)
    else:
        found = _TEXT_OF[parameter.kind](rng)
    return (
        found
        if rng.random() < 0.85
        else f"{found},{_TEXT_OF[parameter.kind](rng) if parameter.kind in _TEXT_OF else found}"
    )


def some_pair(rng: Random, type_: str, depth: int = 2) -> tuple[str, str]:
    """Returns a random name and value of a search of a type, chains, `_has`, `_filter` and `_list` among them."""
    known = offered(DEFINITIONS.resources[type_])
    dice = rng.random()
    if depth and dice < 0.12:
        return _some_chain(rng, type_, depth)
    if depth and dice < 0.2:
        return _some_has(rng, type_, depth)
    if dice < 0.26:
        return "_filter", some_filter(rng, type_)
    if dice < 0.28:
        return "_list", rng.choice(IDS)
    return _some_own(rng, known[rng.choice(sorted(known))])


def _some_own(rng: Random, parameter: SearchParameter) -> tuple[str, str]:
    if rng.random() < 0.1:
        return f"{parameter.code}:missing", rng.choice(["true", "false"])
    modified = _MODIFIED.get(parameter.kind, {}) if parameter.code not in ("_id", "_lastUpdated") else {}
    if modified and rng.random() < 0.4:
        modifier = rng.choice(sorted(modified))
        return f"{parameter.code}:{modifier}", modified[modifier](rng)
    return parameter.code, some_text(rng, parameter)


def _some_chain(rng: Random, type_: str, depth: int) -> tuple[str, str]:
    known = offered(DEFINITIONS.resources[type_]).values()
    ways = [(p.code, t) for p in known if p.kind == "reference" for t in p.targets if t in SEARCHED_TYPES]
    if not ways:
        return some_pair(rng, type_, 0)
    code, target = rng.choice(ways)
    name, value = some_pair(rng, target, depth - 1)
    return f"{code}:{target}.{name}", value


def _some_has(rng: Random, type_: str, depth: int) -> tuple[str, str]:
    source = rng.choice(SEARCHED_TYPES)
    known = offered(DEFINITIONS.resources[source]).values()
    codes = [p.code for p in known if p.kind == "reference" and type_ in p.targets]
    if not codes:
        return some_pair(rng, type_, 0)
    name, value = some_pair(rng, source, depth - 1)
    return f"_has:{source}:{rng.choice(codes)}:{name}", value


def some_sort(rng: Random, type_: str) -> tuple[str, str]:
    """Returns a random `_sort`; not every name in it can be sorted by."""
    names = [_some_sort_name(rng, type_) for _ in range(rng.choice([1, 1, 2]))]
    return "_sort", ",".join(rng.choice(["", "-"]) + name for name in names)


def _some_sort_name(rng: Random, type_: str) -> str:
    known = offered(DEFINITIONS.resources[type_])
    ways = [
        (p.code, t) for p in known.values() for t in sorted({*p.targets} & {*SEARCHED_TYPES}) if p.kind == "reference"
    ]
    if not ways or rng.random() < 0.6:
        return rng.choice(sorted(known))
    code, target = rng.choice(ways)
    return f"{code}:{target}.{rng.choice(sorted(offered(DEFINITIONS.resources[target])))}"


_OPERATIONS = {
    "string": ["eq", "ne", "co", "sw", "ew"],
    "token": ["eq", "ne", "sw"],
    "date": ["eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb", "po"],
    "number": ["eq", "gt", "le"],
    "quantity": ["eq", "gt", "le"],
    "uri": ["eq", "ne", "sw", "ew"],
    "reference": ["eq", "re"],
}
_FILTERED = {
    "string": lambda rng: f'"{rng.choice(TEXTS)}"',
    "date": lambda rng: rng.choice(DATES),
    "number": lambda rng: str(rng.choice(NUMBERS)),
    "quantity": lambda rng: f'"{rng.choice(NUMBERS)}||{rng.choice(UNITS)}"',  # a token may not carry `]`
    "token": _token_text,
    "uri": lambda rng: rng.choice(URIS),
    "reference": lambda rng: f"{rng.choice(SEARCHED_TYPES)}/{rng.choice(IDS)}",
}


def some_filter(rng: Random, type_: str, depth: int = 2) -> str:
    """Returns a random `_filter`."""
    if depth and rng.random() < 0.4:
        left, right = some_filter(rng, type_, depth - 1), some_filter(rng, type_, depth - 1)
        return rng.choice([f"{left} and {right}", f"{left} or {right}", f"({left} or {right}) and not ({left})"])
    known = [p for p in offered(DEFINITIONS.resources[type_]).values() if p.kind in _OPERATIONS and p.code != "_id"]
    parameter = rng.choice(known)
    if rng.random() < 0.1:
        return f"{parameter.code} pr {rng.choice(['true', 'false'])}"
    return f"{parameter.code} {rng.choice(_OPERATIONS[parameter.kind])} {_FILTERED[parameter.kind](rng)}"
