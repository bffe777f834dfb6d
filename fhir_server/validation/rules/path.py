"""Where a discriminator's path leads within a value: the restricted FHIRPath of discriminators.

See https://hl7.org/fhir/R4/profiling.html#discriminator.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from fhir_server.fhir.type_model import TypeModel
from fhir_server.validation.rules.reference import resolve
from fhir_server.validation.site import Scope

Steps: TypeAlias = Sequence[tuple[str, str]]
"""(name, "") for an element, (function, argument) for `resolve()`, `ofType(T)` and `extension('url')`."""
Walk: TypeAlias = Callable[[Any, Scope], list[Any]]
"""Finds the values at a path, none when there are none."""

_STEP = re.compile(r"(?P<call>resolve|ofType|extension)\((?P<argument>[^)]*)\)|(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\[x\])?")
_PART = re.compile(r"(?:[^.(]|\([^)]*\))+")


def parse_steps(path: str) -> Steps | None:
    """Returns a path as (name or function, argument) steps; `$this` is no step."""
    text = path.removeprefix("$this").removeprefix(".")
    steps = []
    for part in _PART.findall(text):
        found = _STEP.fullmatch(part)
        if found is None:
            return None
        steps.append((found["call"] or found["name"], (found["argument"] or "").strip("'\"")))
    return steps


def type_at(type_: str, steps: Steps, model: TypeModel) -> str | None:
    """Returns the type at the end of a path that starts at `type_`; None after a choice or `resolve()`."""
    current: str | None = type_
    for name, argument in steps:
        current = _type_after(current, name, argument, model)
    return current


def _type_after(type_: str | None, name: str, argument: str, model: TypeModel) -> str | None:
    if name in ("ofType", "extension", "resolve"):
        return {"ofType": argument, "extension": "Extension"}.get(name)
    known = model.properties.get(type_ or "", {}).get(name)
    return known.type if known else None


def build_walk(type_: str, steps: Steps, model: TypeModel) -> Walk:
    """Returns the function that finds the values at a path from a value of `type_`; a choice is tried by all its keys."""
    moves: list[Walk] = []
    current: str | None = type_
    for name, argument in steps:
        moves.append(_move(name, argument, current, model))
        current = _type_after(current, name, argument, model)
    return moves[0] if len(moves) == 1 else _chained(moves)


def _move(name: str, argument: str, type_: str | None, model: TypeModel) -> Walk:
    if name == "resolve":
        return _resolved
    if name == "ofType":
        return lambda value, _: [value]
    if name == "extension":
        return lambda value, _: [one for one in _extensions(value) if one.get("url") == argument]
    return _member(model.choice_keys(type_ or "", name) or (name,))


def _member(keys: Sequence[str]) -> Walk:
    if len(keys) == 1:
        key = keys[0]
        return lambda value, _: _listed(value, key)
    return lambda value, _: [one for key in keys for one in _listed(value, key)]


def _extensions(value: Any) -> list[Any]:
    return [one for one in _listed(value, "extension") if isinstance(one, dict)]


def _listed(value: Any, key: str) -> list[Any]:
    found = value.get(key) if type(value) is dict else None
    if type(found) is list:
        return found
    return [] if found is None else [found]


def _resolved(value: Any, scope: Scope) -> list[Any]:
    text = value.get("reference") if isinstance(value, dict) else None
    target = resolve(text, scope) if isinstance(text, str) else None
    return [] if target is None else [target]


def _chained(moves: Sequence[Walk]) -> Walk:
    def walk(value: Any, scope: Scope) -> list[Any]:
        current = [value]
        for move in moves:
            current = [after for one in current for after in move(one, scope)]
        return current

    return walk
