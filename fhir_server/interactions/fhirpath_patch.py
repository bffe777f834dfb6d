"""FHIRPath Patch: Parameters whose operations name elements by FHIRPath, https://hl7.org/fhir/R4/fhirpatch.html."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from fhir_server.errors import InvalidRequest, ResourceInvalid, TooCostly
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import Property, TypeModel
from fhir_server.fhirpath import EvaluationError, FhirPathError, budget_of, compile_once
from fhir_server.fhirpath.nodes import Node
from fhir_server.interactions.patch_document import Document, Place
from fhir_server.interactions.patch_values import Value, value_of

_PARTS = frozenset({"type", "path", "name", "value", "index", "source", "destination", "previousValue"})
"""`previousValue` is what `$diff` and its kin tell beside; it changes nothing."""
_LAST = re.compile(r"(?P<parent>.+)\.(?P<name>[A-Za-z]\w*)", re.DOTALL)


class Operation(NamedTuple):
    """One operation; `place` names it in messages, `parts` are its parts by name."""

    place: str
    type: str
    path: str
    parts: Mapping[str, JsonObject]


class _Target(NamedTuple):
    """What a path leads to: where in the document, and of which FHIR type."""

    place: Place
    type: str


class _Run(NamedTuple):
    """A patch at work: the document, the types, and what an evaluation may cost."""

    document: Document
    model: TypeModel
    limit_ms: int


def fhirpath_patch(parameters: JsonObject, model: TypeModel, *, limit_ms: int) -> Callable[[JsonObject], JsonObject]:
    """Reads a patch and returns what applies it; elements that lose their last content go too.

    `limit_ms` is the processor time that one path may take.

    The returned function raises InvalidRequest for an expression that is not FHIRPath or a value that fits no element,
    ResourceInvalid where a path leads to nothing or to too much.

    Raises:
        InvalidRequest: the Parameters are no patch; the issue names the part.
    """
    raw = parameters.get("parameter", [])
    if not isinstance(raw, list):
        raise InvalidRequest.of("patch.parameters", "Parameters.parameter")
    operations = [_operation_of(f"Parameters.parameter[{index}]", one) for index, one in enumerate(raw)]

    def apply(resource: JsonObject) -> JsonObject:
        run = _Run(Document(resource), model, limit_ms)
        for operation in operations:
            _RUN[operation.type](run, operation)
        return run.document.root

    return apply


def _operation_of(place: str, raw: Any) -> Operation:
    listed = raw.get("part") if isinstance(raw, dict) and raw.get("name") == "operation" else None
    if not isinstance(listed, list) or not all(isinstance(part, dict) for part in listed):
        raise InvalidRequest.of("patch.parameters", place)
    named = {str(part.get("name")): part for part in listed}
    if len(named) < len(listed) or not named.keys() <= _PARTS:
        raise InvalidRequest.of("patch.part-unknown", place, found=", ".join(named), valid=", ".join(sorted(_PARTS)))
    type_ = _text(place, named, "type")
    if type_ not in _RUN:
        raise InvalidRequest.of("patch.operation-unknown", place, found=type_, valid=", ".join(_RUN))
    operation = Operation(place, type_, _text(place, named, "path"), named)
    missing = [name for name in _NEEDED[type_] if name not in named]
    if missing:
        raise InvalidRequest.of("patch.member-missing", place, name=", ".join(missing), op=type_)
    return operation


def _text(place: str, parts: Mapping[str, JsonObject], name: str) -> str:
    part = parts.get(name, {})
    found = next((part[key] for key in ("valueCode", "valueString") if isinstance(part.get(key), str)), None)
    if found is None:
        raise InvalidRequest.of("patch.member-missing", place, name=name, op="operation")
    return str(found)


def _number(operation: Operation, name: str) -> int:
    part = operation.parts[name]
    keys = ("valueInteger", "valueUnsignedInt", "valuePositiveInt")
    found = next((part[key] for key in keys if type(part.get(key)) is int), None)
    if found is None:
        raise InvalidRequest.of("patch.number-needed", operation.place, name=name)
    return int(found)


def _targets(run: _Run, operation: Operation, path: str) -> list[_Target]:
    """Returns what a path leads to, in document order."""
    shadow, places = run.document.shadow()
    try:
        expression = compile_once(path, str(run.document.root["resourceType"]))
        found = expression.collection(shadow, budget=budget_of(run.limit_ms))
    except FhirPathError as error:
        raise InvalidRequest(error.issue(operation.place)) from None
    except EvaluationError as error:
        kind = TooCostly if error.key == "fhirpath.too-costly" else ResourceInvalid
        raise kind(error.issue(operation.place)) from None
    return [_target(operation, node, places) for node in found]


def _target(operation: Operation, node: Node, places: Mapping[int, Place]) -> _Target:
    place = places.get(id(node.value), places.get(id(node.sibling)))
    if place is None:
        raise ResourceInvalid.of("patch.not-an-element", operation.place, path=operation.path)
    return _Target(place, node.type)


def _single(run: _Run, operation: Operation, path: str) -> _Target:
    found = _targets(run, operation, path)
    if len(found) != 1:
        raise ResourceInvalid.of("patch.not-single", operation.place, path=path, count=len(found))
    return found[0]


def _add(run: _Run, operation: Operation) -> None:
    target = _single(run, operation, operation.path)
    name = _text(operation.place, operation.parts, "name")
    key, property_ = _property(run, operation, target.type, name)
    value = _value(run, operation, property_, name)
    place = (*run.document.container(target.place), _choice_key(property_, key, value))
    if property_.is_array:
        run.document.insert(place, run.document.length(place), value)
        return
    taken = run.model.choice_keys(target.type, property_.choice) if property_.choice else (key,)
    if any(run.document.has((*place[:-1], one)) for one in taken):
        raise ResourceInvalid.of("patch.already-there", operation.place, path=operation.path, name=name)
    run.document.set(place, value)


def _insert(run: _Run, operation: Operation) -> None:
    place, property_ = _collection(run, operation)
    index, length = _number(operation, "index"), run.document.length(place)
    _check_index(operation, "index", index, length)
    run.document.insert(place, index, _value(run, operation, property_, str(place[-1])))


def _delete(run: _Run, operation: Operation) -> None:
    found = _targets(run, operation, operation.path)
    if len(found) > 1:
        raise ResourceInvalid.of("patch.not-single", operation.place, path=operation.path, count=len(found))
    for target in found:
        _refuse_root(operation, target.place)
        run.document.remove(target.place)


def _replace(run: _Run, operation: Operation) -> None:
    target = _single(run, operation, operation.path)
    _refuse_root(operation, target.place)
    holder, key = _holder(target.place)
    property_ = _declared(run, holder, key)
    value = _value(run, operation, property_, key)
    wanted = _choice_key(property_, key, value)
    if wanted == key:
        run.document.set(target.place, value)
    else:
        run.document.rename((*holder, key), wanted)
        run.document.set((*holder, wanted), value)


def _move(run: _Run, operation: Operation) -> None:
    place, _ = _collection(run, operation)
    source, destination = _number(operation, "source"), _number(operation, "destination")
    for name, index in (("source", source), ("destination", destination)):
        _check_index(operation, name, index, run.document.length(place) - 1)
    run.document.move(place, source, destination)


_RUN: Mapping[str, Callable[[_Run, Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
_NEEDED: Mapping[str, Sequence[str]] = {
    "add": ("name", "value"),
    "insert": ("value", "index"),
    "delete": (),
    "replace": ("value",),
    "move": ("source", "destination"),
}
"""Parts that an operation needs besides type and path."""


def _collection(run: _Run, operation: Operation) -> tuple[Place, Property]:
    """Returns the place and declaration of the list that a path means, which may be empty so far."""
    found = _targets(run, operation, operation.path)
    if found:
        lists = {target.place[:-1] for target in found}
        if len(lists) > 1 or not isinstance(found[0].place[-1], int):
            raise ResourceInvalid.of("patch.not-a-collection", operation.place, path=operation.path)
        place = lists.pop()
        return place, _declared(run, place[:-1], str(place[-1]))
    split = _LAST.fullmatch(operation.path)
    if split is None:
        raise ResourceInvalid.of("patch.not-a-collection", operation.place, path=operation.path)
    parent = _single(run, operation, split["parent"])
    key, property_ = _property(run, operation, parent.type, split["name"])
    if not property_.is_array:
        raise ResourceInvalid.of("patch.not-a-collection", operation.place, path=operation.path)
    return (*run.document.container(parent.place), key), property_


def _check_index(operation: Operation, name: str, index: int, last: int) -> None:
    if last < 0:
        raise ResourceInvalid.of("patch.empty-list", operation.place, path=operation.path)
    if not 0 <= index <= last:
        raise ResourceInvalid.of("patch.index", operation.place, name=name, index=index, last=last)


def _refuse_root(operation: Operation, place: Place) -> None:
    if not place:
        raise InvalidRequest.of("patch.root", operation.place)


def _property(run: _Run, operation: Operation, type_: str, name: str) -> tuple[str, Property]:
    """Returns the JSON key and declaration of an element by its FHIRPath name; of a choice, any of its keys."""
    known = run.model.properties.get(type_) or run.model.properties["Element"]
    keys = run.model.choice_keys(type_, name.removesuffix("[x]")) or ((name,) if name in known else ())
    if not keys:
        valid = ", ".join(sorted({p.choice or key for key, p in known.items()}))
        raise InvalidRequest.of("patch.element-unknown", operation.place, type=type_, name=name, valid=valid)
    return keys[0], known[keys[0]]


def _holder(place: Place) -> tuple[Place, str]:
    """Returns the place of the object that an element belongs to, and the element's key there."""
    return (place[:-2], str(place[-2])) if isinstance(place[-1], int) else (place[:-1], str(place[-1]))


def _declared(run: _Run, holder: Place, key: str) -> Property:
    """Returns the declaration of a key of the object at a place, found by walking the types down to it."""
    type_, value = "", cast("Any", run.document.root)
    for step in (*holder, key):
        if isinstance(step, int):
            value = value[step]
            continue
        type_ = value.get("resourceType", type_) if isinstance(value, dict) else type_
        found = run.model.properties.get("Element" if type_ in run.model.primitives else type_, {}).get(
            step.removeprefix("_")
        )
        property_ = found or Property("", is_array=isinstance(value.get(step), list), choice=None)
        type_, value = property_.type, value.get(step)
    return property_


def _value(run: _Run, operation: Operation, property_: Property, name: str) -> Value:
    value = value_of(operation.parts["value"], property_.type, run.model)
    if value is None:
        raise InvalidRequest.of("patch.value-missing", operation.place, name=name)
    return value


def _choice_key(property_: Property, key: str, value: Value) -> str:
    """Returns the key that a value goes to: of a choice, the one that its type makes."""
    return key if property_.choice is None else property_.choice + value.type[:1].upper() + value.type[1:]
