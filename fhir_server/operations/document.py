"""`Composition/$document`: a composition and all that it refers to, https://hl7.org/fhir/R4/composition-operation-document.html."""

from dataclasses import dataclass, field

from fhir_server.errors import Issue, MissingElement, NotSupported, ResourceInvalid, TooCostly, issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import KEY_SYSTEM
from fhir_server.fhir.references import local_key
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.interactions.bundle_references import references_in
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.create import create
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.write_plan import write_instant
from fhir_server.operations.call import Given, check_type, present, read_given, refused, resource_in
from fhir_server.store.contract import Key, Snapshot

MISSING = "document.target-missing"


async def document(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns a document Bundle: the Composition, then everything that it and what it refers to refer to, each once.

    What the Composition itself refers to must be there. What others refer to and is not there is named in `meta.tag`.
    References to other servers stay as they are. `persist` stores the Bundle as well.

    Raises:
        MissingElement: neither an instance nor `id`.
        NotFound, Gone: there is no such Composition.
        ResourceInvalid: something that it refers to is missing; each is named.
        NotSupported: `graph`, or a composition on another server.
        TooCostly: it refers to more than `max_included` resources.
    """
    check_type(target, "document", "Composition")
    given = read_given(request, ("id", "persist", "graph") if target.id is None else ("persist", "graph"))
    persist = given.flag("persist")
    if given.text("graph") is not None:
        raise NotSupported.of("document.graph", "graph")
    async with parts.store.snapshot() as snapshot:
        composition = (await present(snapshot, _wanted(request, target, given))).key
        found = await _collected(parts, snapshot, composition, request.base)
    bundle = _bundle(parts, found, request.base)
    if not persist:
        return FhirResponse(200, encode(bundle))
    made = request._replace(method="POST", path=("Bundle",), query=(), body=encode(bundle), source=b"")
    return (await create(parts, made, "Bundle"))._replace(status=200)


def _wanted(request: FhirRequest, target: Target, given: Given) -> Key:
    text = target.id or given.text("id")
    if text is None:
        raise MissingElement.of("operation.parameter-missing", "id", name="id")
    name = local_key(text if "/" in text else f"Composition/{text}", request.base)
    if name is None:
        raise NotSupported.of("document.elsewhere", "id", id=text[:80])
    if name[0] != "Composition":
        raise refused("id", text, "operation.expected-composition")
    return Key(ResourceType("Composition"), ResourceId(name[1]))


@dataclass(slots=True)
class _Collected:
    """Resources by key in the order in which they are met, and who refers to what is not there."""

    resources: dict[Key, JsonObject] = field(default_factory=dict)
    missing: dict[Key, tuple[Key, str]] = field(default_factory=dict)


async def _collected(parts: Parts, snapshot: Snapshot, first: Key, base: str) -> _Collected:
    found = _Collected()
    wanted: dict[Key, tuple[Key, str]] = {first: (first, "")}
    while wanted:
        stored = {v.key: v for v in await snapshot.read_many(list(wanted)) if v.body is not None}
        found.missing |= {key: by for key, by in wanted.items() if key not in stored}
        fresh = {key: resource_in(stored[key]) for key in wanted if key in stored}
        found.resources |= fresh
        if len(found.resources) > parts.settings.max_included:
            raise TooCostly.of("document.too-large", key=str(first), most=parts.settings.max_included)
        _refuse_incomplete(first, found)
        wanted = _named(fresh, base)
        wanted = {k: by for k, by in wanted.items() if k not in found.resources and k not in found.missing}
    return found


def _named(resources: dict[Key, JsonObject], base: str) -> dict[Key, tuple[Key, str]]:
    """Returns the keys that resources refer to, each with the first that does so and where."""
    found: dict[Key, tuple[Key, str]] = {}
    for key, resource in resources.items():
        for place, text in references_in(resource, key.type):
            name = local_key(text, base)
            if name is not None:
                found.setdefault(Key(ResourceType(name[0]), ResourceId(name[1])), (key, place))
    return found


def _refuse_incomplete(first: Key, found: _Collected) -> None:
    own: list[Issue] = [
        issue(MISSING, place, target=str(target), by=str(by))
        for target, (by, place) in found.missing.items()
        if by == first
    ]
    if own:
        raise ResourceInvalid(*own)


def _bundle(parts: Parts, found: _Collected, base: str) -> JsonObject:
    at = write_instant(parts).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    tags = [
        {"system": KEY_SYSTEM, "code": MISSING, "display": issue(MISSING, target=str(target), by=str(by)).text()}
        for target, (by, _) in found.missing.items()
    ]
    return {
        "resourceType": "Bundle",
        **({"meta": {"tag": tags}} if tags else {}),
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{parts.ids.fresh()}"},
        "type": "document",
        "timestamp": at,
        "entry": [{"fullUrl": f"{base}/{key}", "resource": one} for key, one in found.resources.items()],
    }
