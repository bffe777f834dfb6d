"""What there is to tell of each type: its interactions, search parameters, operations and an example.

All of it comes from the declarations that dispatch obeys, see https://hl7.org/fhir/R4/http.html.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from fhir_server.data_files import data_folder
from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.capabilities import operation_of, operations_of
from fhir_server.interactions.context import OperationPlace, Parts
from fhir_server.interactions.own_operations import own_operations
from fhir_server.search.kinds import KINDS
from fhir_server.search.offered import offered
from fhir_server.web.guide.meanings import Meanings

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
ORDERED = frozenset({"date", "number", "quantity"})
"""Kinds whose values may have a prefix."""
_SAMPLES = {
    "string": "王",
    "token": "http://system.example|code",
    "reference": "{target}/123",
    "uri": "http://example.org/one",
    "date": "ge2026-01-01",
    "number": "gt100",
    "quantity": "gt5.4|http://unitsofmeasure.org|mmol/L",
    "composite": "",
    "special": "39.9|116.4|5|km",
}
_FIRST_CODE = re.compile(r"([a-z][a-z-]*) \| [a-z]")


class Parameter(NamedTuple):
    """A search parameter: `sample` is a value of its form, `modifiers` go behind a colon."""

    code: str
    kind: str
    meaning: str
    expression: str
    targets: tuple[str, ...]
    modifiers: tuple[str, ...]
    sample: str


class Input(NamedTuple):
    """A parameter of an operation that goes in."""

    name: str
    type: str
    cardinality: str
    meaning: str


class Operation(NamedTuple):
    """An operation with the places below the type, or below the base, where it may be called."""

    name: str
    title: str
    definition: str
    place: OperationPlace
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class TypeContent:
    """All that is told of one type."""

    name: str
    meaning: str
    interactions: tuple[str, ...]
    profiles: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    operations: tuple[Operation, ...]
    example: JsonObject | None


def type_content(parts: Parts, support: ResourceSupport, meanings: Meanings) -> TypeContent:
    """Returns what there is to tell of a type."""
    parameters = [_parameter(p, support, meanings) for _, p in sorted(offered(support).items())]
    return TypeContent(
        support.type,
        meanings.of_type(support.type),
        support.interactions,
        support.profiles,
        tuple(parameters),
        tuple(_operation(parts, one["name"], one["definition"]) for one in operations_of(parts, support.type)),
        _examples().get(support.type),
    )


def system_operations(parts: Parts) -> tuple[Operation, ...]:
    """Returns the operations that are called on the base."""
    names = sorted(name for name, place in parts.operations.items() if place.on_system)
    return tuple(_operation(parts, name, operation_of(parts, "", name)["definition"]) for name in names)


def _parameter(parameter: SearchParameter, support: ResourceSupport, meanings: Meanings) -> Parameter:
    kind = KINDS.get(parameter.kind)
    meaning = meanings.of_parameter(parameter, support)
    return Parameter(
        parameter.code,
        parameter.kind,
        meaning,
        parameter.expression,
        parameter.targets,
        ("missing", *sorted(kind.modifiers)) if kind else (),
        _sample(parameter, support, meaning),
    )


def _sample(parameter: SearchParameter, support: ResourceSupport, meaning: str) -> str:
    """Returns a value of a parameter's form; that of a composite is those of its parts.

    R4 begins the short text of an element with few codes by listing them (`male | female`), that of a boolean by Whether.
    """
    if parameter.kind == "token" and (code := _FIRST_CODE.match(meaning)):
        return code[1]
    if parameter.kind == "token" and (parameter.code == "_id" or meaning.startswith("Whether")):
        return "123" if parameter.code == "_id" else "true"
    by_url = {p.url: p for p in support.search.values()}
    parts = [_SAMPLES[by_url[url].kind] for url, _ in parameter.components if url in by_url]
    form = "$".join(parts) or _SAMPLES[parameter.kind]
    return form.format(target=parameter.targets[0] if parameter.targets else "Patient")


def _operation(parts: Parts, name: str, definition: str) -> Operation:
    told = own_operations(parts.definitions.base).get(name) or parts.definitions.operation(definition) or {}
    title = told.get("description") or told.get("name", name)
    return Operation(name, title, definition, parts.operations[name], tuple(_inputs(told)))


def _inputs(definition: JsonObject) -> Iterator[Input]:
    for one in definition.get("parameter", ()):
        if one["use"] == "in":
            cardinality = f"{one['min']}..{one['max']}"
            yield Input(one["name"], one.get("type", ""), cardinality, one.get("documentation", ""))


@cache
def _examples() -> Mapping[str, JsonObject]:
    """Returns one example of a type where our own profiles have one, the first by name."""
    files = sorted(data_folder("profiles").glob("*/examples/valid/*.json"), reverse=True)
    return {one["resourceType"]: one for one in (decode(file.read_bytes()) for file in files)}
