"""`$diff`: what changed from one version, or resource, to another, as a FHIRPath Patch.

R4 has no such operation; the answer is the input of its PATCH, https://hl7.org/fhir/R4/fhirpatch.html, and tells old values.
"""

import re
from typing import Any

from fhir_server.errors import NotFound
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.references import parse_reference
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType, VersionId
from fhir_server.fhir.type_model import TypeModel
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.call import key_of, present, read_given, refused, resource_in
from fhir_server.operations.diff_changes import Change, Item, changes_between
from fhir_server.store.contract import Key, Snapshot, StoredVersion

_VERSION = re.compile(r"[1-9][0-9]{0,8}")


async def diff(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns Parameters with one `operation` per change from `from` to `to`: type, path, value, and the previous value.

    Both are versions of this resource, or other resources of its type. Without `to` it is the current version, without
    `from` the one before `to`; a first version is compared with nothing but itself and gives no operations.

    Raises:
        NotFound, Gone: no such resource or version.
        BadValue: `from` or `to` is neither a version nor a resource of this type.
    """
    given = read_given(request, ("from", "to"))
    key = key_of(target)
    async with parts.store.snapshot(searching=False) as snapshot:
        current = await present(snapshot, key)
        to = await _named(snapshot, request, key, "to", given.text("to") or str(current.version))
        from_ = given.text("from") or (str(max(1, to.version - 1)) if to.key == key else str(current.version))
        before = await _named(snapshot, request, key, "from", from_)
    model = parts.definitions.model
    ours, theirs = resource_in(before), resource_in(to)
    if before.key != to.key:
        ours, theirs = ({k: v for k, v in one.items() if k != "id"} for one in (ours, theirs))
    found = [_operation(change, model) for change in changes_between(ours, theirs, model)]
    return FhirResponse(200, encode({"resourceType": "Parameters", **({"parameter": found} if found else {})}))


async def _named(snapshot: Snapshot, request: FhirRequest, key: Key, name: str, text: str) -> StoredVersion:
    version = text
    if not _VERSION.fullmatch(text):
        parsed = parse_reference(text, request.base)
        if parsed.type != key.type or not parsed.id or not _VERSION.fullmatch(parsed.version or "1"):
            raise refused(name, text, "operation.expected-version", type=key.type)
        key, version = Key(ResourceType(parsed.type), ResourceId(parsed.id)), parsed.version
    if not version:
        return await present(snapshot, key)
    stored = await snapshot.read(key, VersionId(int(version)))
    if stored is None or stored.body is None:
        raise NotFound.of("rest.version-not-found", key=str(key), version=version)
    return stored


def _operation(change: Change, model: TypeModel) -> JsonObject:
    parts: list[JsonObject] = [
        {"name": "type", "valueCode": change.kind},
        {"name": "path", "valueString": change.path},
    ]
    if change.name:
        parts.append({"name": "name", "valueString": change.name})
    if change.kind == "insert":
        parts.append({"name": "index", "valueInteger": change.at})
    if change.new is not None:
        parts.append(_part("value", change.new, change.type, model))
    if change.old is not None:
        parts.append(_part("previousValue", change.old, change.type, model))
    return {"name": "operation", "part": parts}


def _part(name: str, item: Item, type_: str, model: TypeModel) -> JsonObject:
    """Returns a part with an element: its `value[x]` if a parameter can have one, else a part for each of its elements."""
    if isinstance(item.value, dict) and "resourceType" in item.value:
        return {"name": name, "resource": item.value}
    key = "value" + type_[:1].upper() + type_[1:]
    if type_ in model.primitives or key in model.properties["Parameters.parameter"]:
        key = key if key in model.properties["Parameters.parameter"] else "valueString"
        both = {key: item.value, f"_{key}": item.more}
        return {"name": name, **{k: v for k, v in both.items() if v is not None}}
    return {"name": name, "part": list(_parts(item.value, type_, model))}


def _parts(value: Any, type_: str, model: TypeModel) -> list[JsonObject]:
    found = []
    for key, property_ in model.properties.get(type_, {}).items():
        own, more = value.get(key), value.get(f"_{key}")
        if own is None and more is None:
            continue
        owns, mores = (own, more) if property_.is_array else ([own], [more])
        for n in range(max(len(owns or ()), len(mores or ()))):
            item = Item(*((listed[n] if listed and n < len(listed) else None) for listed in (owns, mores)))
            found.append(_part(property_.choice or key, item, property_.type, model))
    return found
