"""`$meta`, `$meta-add` and `$meta-delete`: profiles, tags and security labels, https://hl7.org/fhir/R4/resource-operations.html."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from fhir_server.errors import BadValue, PreconditionFailed, TooCostly
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse, etag_of
from fhir_server.interactions.update import update
from fhir_server.interactions.write_plan import TRIES
from fhir_server.operations.call import key_of, present, read_given, resource_in
from fhir_server.search.offered import find_offered
from fhir_server.search.query import AnyOf, KeyStarts, Query, SortBy, SortKey
from fhir_server.store.contract import Cursor, Snapshot

STRETCH = 500
"""Resources that are read at a time."""
MOST_READ = 20_000
"""Labelled resources whose labels are put together; the store has no list of labels."""

CODINGS = ("security", "tag")
LABELS = ("profile", *CODINGS)
Change = Callable[[JsonObject, JsonObject], JsonObject]


async def meta(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns the meta of a resource, or every profile, tag and label that a type, or all that is stored, has.

    Raises:
        NotFound, Gone: there is no such resource.
        TooCostly: too many resources have labels.
    """
    read_given(request, ())
    if target.id is not None:
        stored = await present(parts.store, key_of(target))
        return _answer(resource_in(stored).get("meta") or {})
    types = [target.type] if target.type is not None else sorted(parts.definitions.resources)
    return _answer(await _gathered(parts, types))


async def meta_add(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Adds the profiles, tags and labels of the parameter `meta`, as a new version if that changes anything.

    Raises:
        MissingElement: no `meta`.
        NotFound, Gone: there is no such resource.
        PreconditionFailed: If-Match names another version.
        ResourceInvalid: the resource does not conform to an added profile.
    """
    return await _change(parts, request, target, added)


async def meta_delete(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Removes the profiles, tags and labels of the parameter `meta`; those that are not there are ignored.

    Raises:
        FhirError: as `meta_add`.
    """
    return await _change(parts, request, target, removed)


def added(meta: JsonObject, more: JsonObject) -> JsonObject:
    """Returns a meta with the labels of another, each once; codings are the same by system and code."""
    return _with(meta, {name: _once(name, [*_listed(meta, name), *_listed(more, name)]) for name in LABELS})


def removed(meta: JsonObject, less: JsonObject) -> JsonObject:
    """Returns a meta without the labels of another."""
    gone = {name: {_identity(name, one) for one in _listed(less, name)} for name in LABELS}
    kept = {name: [one for one in _listed(meta, name) if _identity(name, one) not in gone[name]] for name in LABELS}
    return _with(meta, kept)


def _with(meta: JsonObject, labels: JsonObject) -> JsonObject:
    return {k: v for k, v in {**meta, **labels}.items() if v != []}


def _listed(meta: JsonObject, name: str) -> list[Any]:
    found = meta.get(name)
    return found if isinstance(found, list) else []


def _identity(name: str, one: Any) -> object:
    return (one.get("system"), one.get("code")) if name in CODINGS and isinstance(one, dict) else one


def _once(name: str, labels: Iterable[Any]) -> list[Any]:
    found: dict[object, Any] = {}
    for one in labels:
        found.setdefault(_identity(name, one), one)
    return list(found.values())


def _checked(given: JsonObject) -> JsonObject:
    """Accepts a Meta that has only what these operations change.

    Raises:
        BadValue: other elements, or labels of another shape.
    """
    for name, labels in given.items():
        kind = dict if name in CODINGS else str
        if name not in LABELS or not isinstance(labels, list) or not all(isinstance(one, kind) for one in labels):
            raise BadValue.of("meta.element", f"meta.{name}", name=name)
    return given


async def _change(parts: Parts, request: FhirRequest, target: Target, change: Change) -> FhirResponse:
    given = _checked(read_given(request, ("meta",)).object("meta"))
    key = key_of(target)
    for left in reversed(range(TRIES)):
        current = await present(parts.store, key)
        resource = resource_in(current)
        resource["meta"] = change(resource["meta"], given)
        match = {"if-match": request.header("if-match") or etag_of(current.version)}
        changed = request._replace(
            method="PUT",
            path=(key.type, key.id),
            headers={**_language(request), **match},
            body=encode(resource),
            source=b"",
        )
        try:
            await update(parts, changed, key.type, key.id)
            break
        except PreconditionFailed:
            if request.header("if-match") is not None or not left:
                raise
    stored = await present(parts.store, key)
    return _answer(resource_in(stored)["meta"])._replace(version=stored.version, updated_at=stored.updated_at)


def _language(request: FhirRequest) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name == "accept-language"}


async def _gathered(parts: Parts, types: Iterable[ResourceType]) -> JsonObject:
    found: JsonObject = {}
    left = MOST_READ
    async with parts.store.snapshot() as snapshot:
        for type_ in types:
            found, left = await _of_type(parts, snapshot, type_, found, left)
    return {name: sorted(found[name], key=encode) for name in LABELS if found.get(name)}


async def _of_type(
    parts: Parts, snapshot: Snapshot, type_: ResourceType, found: JsonObject, left: int
) -> tuple[JsonObject, int]:
    """Returns the labels with those of a type, and how many more resources may be read."""
    offered = [c for c in ("_profile", "_security", "_tag") if find_offered(c, parts.support(type_))]
    query = Query(type_, (AnyOf(tuple(KeyStarts(c, "") for c in offered)),), (SortKey(SortBy.ID),), count=STRETCH)
    cursor: Cursor | None = None
    while True:
        page = await snapshot.search(query, cursor)
        left -= len(page.matches)
        if left < 0:
            raise TooCostly.of("meta.too-many", most=MOST_READ)
        for version in page.matches:
            found = added(found, resource_in(version)["meta"])
        if page.next is None:
            return found, left
        cursor = page.next
        await asyncio.sleep(0)  # reading a stretch takes 20 ms; others want to be served


def _answer(meta: JsonObject) -> FhirResponse:
    return FhirResponse(
        200, encode({"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": meta}]})
    )
