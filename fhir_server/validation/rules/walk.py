"""Every element of a resource with its type and its place, for rules that look at whole resources.

It costs as much as validation itself, so that it is for what few resources have. See https://hl7.org/fhir/R4/element.html.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import Property, TypeModel
from fhir_server.validation.report import Findings, Segment, at

WHOLE = frozenset({"Resource", "DomainResource"})
"""Types of properties that hold a resource of its own; a walk does not enter them."""


@dataclass(frozen=True, slots=True)
class Spot:
    """An element: its JSON value, its type or backbone path, its JSON name, its way from the root, and what it stands in.

    For what stands beside a primitive (`_birthDate`) `value` is that object, `type` the primitive's and `name` without `_`.
    `choice` is the name of the choice element (`value` of `valueQuantity`), None for any other. `way` has the outermost
    segment first; that of the resource is empty.
    """

    value: Any
    type: str
    name: str
    choice: str | None
    way: tuple[Segment, ...]
    owner: "Spot | None"


def spots(resource: JsonObject, model: TypeModel) -> Iterator[Spot]:
    """Yields every element of a resource, itself first, each before what it holds; resources within are left out."""
    waiting = [Spot(resource, str(resource.get("resourceType")), "", None, (), None)]
    while waiting:
        spot = waiting.pop()
        yield spot
        if type(spot.value) is dict:
            waiting.extend(reversed(list(_inner(spot, model))))


def placed(findings: Findings, spot: Spot) -> Findings:
    """Puts findings at the place of an element and returns them."""
    return at(findings, *reversed(spot.way))


def _inner(spot: Spot, model: TypeModel) -> Iterator[Spot]:
    is_primitive = spot.type in model.primitives
    properties = model.properties.get("Element" if is_primitive else spot.type, {})
    for key, value in spot.value.items():
        name = key.removeprefix("_")
        known = properties.get(name)
        if known is not None and known.type not in WHOLE:
            yield from _items(spot, name, known, value)


def _items(owner: Spot, name: str, known: Property, value: Any) -> Iterator[Spot]:
    segment = f"{known.choice}.ofType({known.type})" if known.choice else name
    if type(value) is not list:
        yield Spot(value, known.type, name, known.choice, (*owner.way, segment), owner)
        return
    for index, item in enumerate(value):
        if item is not None:
            yield Spot(item, known.type, name, known.choice, (*owner.way, segment, index), owner)
