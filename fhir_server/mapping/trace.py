"""From a place in a produced resource back to the form's fields. See docs/decisions/0002-mapping-language.md, Findings."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.nodes import Node
from fhir_server.mapping.plan import Plan
from fhir_server.mapping.record import FormRecord, without_number
from fhir_server.mapping.resource_plan import Made

_NUMBER = re.compile(r"\[(\d+)\]")
_FUNCTION = re.compile(r"\.ofType\(\w+\)|\.where\([^)]*\)")


class _Step(NamedTuple):
    """An element on the way to a place, and the extension's URL that tells it from those beside it ("" for others)."""

    name: str
    url: str


def places_of(plan: Plan, made: Made, path: str, *, resource: JsonObject) -> tuple[str, ...]:
    """Returns the record's places (`sbp`, `drugs[1].name`) that feed a FHIRPath place of the produced `resource`.

    The deepest part of the template on the way that reads any field decides; extensions are told apart by their URLs,
    other items of an array are not.
    """
    template = next(r for r in plan.resources if r.name == made.name)
    fields = _fields(template.body, _steps(path, resource), "") or template.body.fields
    line = template.each.path if template.each is not None else ""
    return tuple(sorted(_place(f, line, made.line) for f in fields))


def place_of(record: FormRecord, places: Sequence[str], path: str) -> str:
    """Returns the one of some places that a finding is told at: a filled one, in the line that the path points to if it can.

    A finding about a whole resource (`Patient`) is about no place: "".
    """
    if "." not in path or not places:
        return ""
    filled = [p for p in places if p in record.origins]
    if filled:
        return filled[0]
    lines = [p for p in record.origins if without_number(p) in places]
    number = next(reversed(_NUMBER.findall(path)), "0")
    return next((p for p in lines if f"[{int(number) + 1}]." in p), next(iter(lines), places[0]))


def _place(field: str, line: str, number: int) -> str:
    """A field inside a group, at the line that the resource was made of."""
    group, point, name = field.partition(".")
    return f"{group}[{number}].{name}" if point and group == line and number else field


def _steps(path: str, resource: JsonObject) -> list[_Step]:
    found: list[_Step] = []
    value: Any = resource
    for part in _FUNCTION.sub("", path).split(".")[1:]:
        name, number = part.partition("[")[0], _NUMBER.search(part)
        value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, list):
            value = value[int(number[1]) if number else 0]
        found.append(_Step(name, str(value.get("url", "")) if isinstance(value, dict) else ""))
    return found


def _fields(node: Node, steps: Sequence[_Step], url: str) -> frozenset[str]:
    """What the deepest node along the steps reads; empty when it is of another URL, or not even the first step leads anywhere."""
    own = (node.children or {}).get("url")
    if own is not None and url and own.constant != url:
        return frozenset()
    if not steps or (node.children is None and not node.items):
        return node.fields
    found = [_fields(item, steps, url) for item in node.items]
    step, *rest = steps
    for key, child in (node.children or {}).items():
        is_choice = key.startswith(step.name) and key[len(step.name) : len(step.name) + 1].isupper()
        if key == step.name or is_choice:
            found.append(_fields(child, rest, step.url) or child.fields)
    return frozenset[str]().union(*found) or (node.fields if own is not None else frozenset())
