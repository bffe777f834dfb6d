"""Expressions that only walk down elements, as the JSON keys that they walk, http://hl7.org/fhirpath/N1/#path-selection.

Most search parameters are such: `Patient.name.family`, `(Observation.value as Quantity)`, `Observation.effective`.
"""

from typing import NamedTuple

from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import Expression
from fhir_server.fhirpath.syntax import Member, Node, TypeTest

_CASTS = frozenset({"as", "ofType"})


class Step(NamedTuple):
    """One step down: the JSON key, whether an array stands there, and the FHIR type of its values."""

    key: str
    is_array: bool
    type: str


Path = tuple[Step, ...]


class _Name(NamedTuple):
    """An element as the expression names it, and the type that its values must have."""

    element: str
    cast: str | None = None


def find_paths(expression: Expression, type_: str) -> tuple[Path, ...] | None:
    """Returns the ways through the JSON of a `type_` to all that the expression finds, one for each type of a choice.

    None: it does more than walk, or its way depends on the values.
    """
    names = _names(expression.tree, type_, expression.model)
    if not names:
        return None
    paths: tuple[Path, ...] = ((),)
    for name in names:
        steps = [_steps(path[-1].type if path else type_, name, expression.model) for path in paths]
        if not all(steps):
            return None
        paths = tuple((*path, step) for path, found in zip(paths, steps, strict=True) for step in found)
    return paths


def _names(node: Node | None, type_: str, model: TypeModel) -> list[_Name] | None:
    """Returns the elements that are named, from the resource down; its own type and its ancestors' stand for itself."""
    if node is None:
        return []
    if isinstance(node, TypeTest) and node.operator in _CASTS:
        names = _names(node.operand, type_, model)
        return [*names[:-1], names[-1]._replace(cast=node.type)] if names and names[-1].cast is None else None
    if not isinstance(node, Member):
        return None
    if node.source is None and node.name[0].isupper():
        return [] if model.is_a(type_, node.name) else None
    names = _names(node.source, type_, model)
    return None if names is None else [*names, _Name(node.name)]


def _steps(owner: str, name: _Name, model: TypeModel) -> tuple[Step, ...]:
    """Returns the keys that an element may stand at; none where the values themselves tell their types."""
    known = model.properties.get(owner, {})
    keys = (name.element,) if name.element in known else model.choice_keys(owner, name.element)
    found = [Step(key, known[key].is_array, known[key].type) for key in keys]
    if name.cast is not None:
        found = [step for step in found if model.is_a(step.type, name.cast)]
    is_plain = all(step.type not in model.resources and name.cast in (None, step.type) for step in found)
    return tuple(found) if is_plain and all(step.type != "Resource" for step in found) else ()
