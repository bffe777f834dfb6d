"""JSON Patch and JSON Pointer, https://datatracker.ietf.org/doc/html/rfc6902 and https://datatracker.ietf.org/doc/html/rfc6901.

Own code, because decimals must keep their spelling (`1.00`, `1e3`) and `true` is not `1`, which the libraries do not promise.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from fhir_server.errors import BadStructure, Conflict, InvalidRequest, Issue, ResourceInvalid
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject

JSON_PATCH = "application/json-patch+json"

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_WRAPPED = b'{"patch":'
Pointer = tuple[str, ...]


class Step(NamedTuple):
    """One operation of a patch. `place` names it in messages: `[2]`."""

    place: str
    op: str
    path: Pointer
    source: Pointer = ()
    value: Any = None


@dataclass(slots=True)
class _Document:
    """A resource while it is patched. `emptied` are the containers that lost their last member."""

    root: Any
    emptied: list[Any] = field(default_factory=list)


def json_patch(body: bytes) -> Callable[[JsonObject], JsonObject]:
    """Reads a JSON Patch and returns what applies it; what removals leave empty goes too, as FHIR has nothing empty.

    The returned function raises ResourceInvalid where a path leads nowhere, Conflict where a `test` fails.

    Raises:
        BadStructure: not JSON.
        InvalidRequest: not a JSON Patch; the issue names the operation.
    """
    steps = [_step_of(f"[{index}]", raw) for index, raw in enumerate(_operations(body))]

    def apply(resource: JsonObject) -> JsonObject:
        document = _Document(resource)
        for step in steps:
            _RUN[step.op](document, step)
        result = _without_empty(document.root, {id(one) for one in document.emptied})
        if not isinstance(result, dict):
            raise InvalidRequest.of("patch.not-a-resource")
        return result

    return apply


def _operations(body: bytes) -> list[Any]:
    try:
        found = decode(_WRAPPED + body + b"}")["patch"]
    except BadStructure as error:
        raise BadStructure(*[_moved(i) for i in error.issues]) from None
    if not isinstance(found, list):
        raise InvalidRequest.of("patch.not-a-list")
    return found


def _moved(issue: Issue) -> Issue:
    """Gives a finding the column that it has without the wrapping."""
    if issue.line != 1:
        return issue
    column = max(issue.column - len(_WRAPPED), 1)
    return replace(issue, column=column, params={**issue.params, "column": column})


def _step_of(place: str, raw: Any) -> Step:
    op = raw.get("op") if isinstance(raw, dict) else raw
    if not isinstance(raw, dict) or not isinstance(op, str) or op not in _RUN:
        raise InvalidRequest.of("patch.operation-unknown", place, found=op, valid=", ".join(_RUN))
    if op in ("add", "replace", "test") and "value" not in raw:
        raise InvalidRequest.of("patch.member-missing", place, name="value", op=op)
    source = _pointer_of(place, raw, "from") if op in ("move", "copy") else ()
    return Step(place, op, _pointer_of(place, raw, "path"), source, raw.get("value"))


def _pointer_of(place: str, raw: JsonObject, name: str) -> Pointer:
    text = raw.get(name)
    if not isinstance(text, str):
        raise InvalidRequest.of("patch.member-missing", place, name=name, op=raw["op"])
    if text and (not text.startswith("/") or re.search("~(?![01])", text)):
        raise InvalidRequest.of("patch.pointer-malformed", place, found=text)
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def _nowhere(step: Step, path: Pointer) -> ResourceInvalid:
    return ResourceInvalid.of("patch.path-nowhere", step.place, path="/" + "/".join(path))


def _find(document: _Document, step: Step, path: Pointer) -> Any:
    value = document.root
    for token in path:
        try:
            value = value[_member(value, token)]
        except LookupError:
            raise _nowhere(step, path) from None
    return value


def _member(container: Any, token: str) -> Any:
    """Returns the key or index that a token is in a container.

    Raises:
        LookupError: it is none.
    """
    if isinstance(container, dict):
        return token
    if isinstance(container, list) and _INDEX.fullmatch(token):
        return int(token)
    raise LookupError(token)


def _add(document: _Document, step: Step) -> None:
    _put(document, step, _copied(step.value))


def _put(document: _Document, step: Step, value: Any) -> None:
    if not step.path:
        document.root = value
        return
    parent, token = _find(document, step, step.path[:-1]), step.path[-1]
    if isinstance(parent, dict):
        parent[token] = value
        return
    index = len(parent) if token == "-" and isinstance(parent, list) else None  # noqa: S105 - RFC 6901's word
    try:
        index = _member(parent, token) if index is None else index
    except LookupError:
        raise _nowhere(step, step.path) from None
    if index > len(parent):
        raise _nowhere(step, step.path)
    parent.insert(index, value)


def _take(document: _Document, step: Step, path: Pointer) -> Any:
    if not path:
        raise _nowhere(step, path)
    value = _find(document, step, path)
    parent = _find(document, step, path[:-1])
    del parent[_member(parent, path[-1])]
    if not parent:
        document.emptied.append(parent)
    return value


def _remove(document: _Document, step: Step) -> None:
    _take(document, step, step.path)


def _replace(document: _Document, step: Step) -> None:
    _find(document, step, step.path)
    if not step.path:
        document.root = _copied(step.value)
        return
    parent = _find(document, step, step.path[:-1])
    parent[_member(parent, step.path[-1])] = _copied(step.value)


def _move(document: _Document, step: Step) -> None:
    if step.path[: len(step.source)] == step.source and step.path != step.source:
        raise ResourceInvalid.of("patch.move-inside", step.place)
    _find(document, step, step.source)
    if step.path != step.source:
        _put(document, step, _take(document, step, step.source))


def _copy(document: _Document, step: Step) -> None:
    _put(document, step, _copied(_find(document, step, step.source)))


def _test(document: _Document, step: Step) -> None:
    found = _find(document, step, step.path)
    if not _is_same(found, step.value):
        raise Conflict.of("patch.test-failed", step.place, path="/" + "/".join(step.path))


_RUN: Mapping[str, Callable[[_Document, Step], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(child) for key, child in value.items()}
    return [_copied(child) for child in value] if isinstance(value, list) else value


def _is_same(one: Any, other: Any) -> bool:
    """Compares as RFC 6902 wants: numbers by value, everything else by kind and content."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return _kind(one) is _kind(other) and bool(one == other)


def _kind(value: Any) -> type:
    return Decimal if isinstance(value, int | Decimal) and not isinstance(value, bool) else type(value)


def _without_empty(value: Any, emptied: set[int]) -> Any:
    """Returns the value without containers that lost their last member, and without those that this leaves empty."""
    if not emptied or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [child for item in value if not _is_gone(child := _without_empty(item, emptied), item, emptied)]
    kept = {key: (_without_empty(item, emptied), item) for key, item in value.items()}
    return {key: child for key, (child, item) in kept.items() if not _is_gone(child, item, emptied)}


def _is_gone(child: Any, before: Any, emptied: set[int]) -> bool:
    return child in ({}, []) and (bool(before) or id(before) in emptied)
