"""From a place in a produced resource back to the form's fields. See docs/decisions/0002-mapping-language.md, Findings."""

import re
from collections.abc import Sequence

from fhir_server.mapping.nodes import Node
from fhir_server.mapping.plan import Plan
from fhir_server.mapping.record import FormRecord, without_number
from fhir_server.mapping.resource_plan import Made

_NUMBER = re.compile(r"\[(\d+)\]")
_INDEX = re.compile(r"\[\d+\]|\.ofType\(\w+\)|\.where\([^)]*\)")


def places_of(plan: Plan, made: Made, path: str) -> tuple[str, ...]:
    """Returns the record's places (`sbp`, `drugs[1].name`) that feed a FHIRPath place of a produced resource.

    The deepest part of the template on the way that reads any field decides; array indexes are not told apart.
    """
    resource = next(r for r in plan.resources if r.name == made.name)
    steps = _INDEX.sub("", path).split(".")[1:]
    fields = _fields(resource.body, steps) or resource.body.fields
    line = resource.each.path if resource.each is not None else ""
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


def _fields(node: Node, steps: list[str]) -> frozenset[str]:
    """What the deepest node along the steps reads; empty when not even the first step leads anywhere."""
    if not steps or (node.children is None and not node.items):
        return node.fields
    found = [_fields(item, steps) for item in node.items]
    for key, child in (node.children or {}).items():
        is_choice = key.startswith(steps[0]) and key[len(steps[0]) : len(steps[0]) + 1].isupper()
        if key == steps[0] or is_choice:
            found.append(_fields(child, steps[1:]) or child.fields)
    return frozenset[str]().union(*found)
