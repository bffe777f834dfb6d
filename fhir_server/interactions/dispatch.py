"""The one door: every request enters here, from HTTP, from a batch entry, from a test.

What each type offers is `interactions` of `conformance/resources/<Type>/type.toml`; the CapabilityStatement tells the same.
"""

from collections.abc import Awaitable, Callable, Mapping

from fhir_server.errors import FhirError, MethodNotAllowed, NotFound
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.fhir.positions import located
from fhir_server.interactions.batch import batch
from fhir_server.interactions.body import resource_of
from fhir_server.interactions.capabilities import capabilities
from fhir_server.interactions.context import OperationPlace, Parts, Target
from fhir_server.interactions.create import create
from fhir_server.interactions.delete import conditional_delete, delete
from fhir_server.interactions.entries import check_bundle
from fhir_server.interactions.history import history, history_of_system, history_of_type
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.own_operations import at_their_place
from fhir_server.interactions.patch import conditional_patch, patch
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.interactions.read import read
from fhir_server.interactions.search import search, search_by_post
from fhir_server.interactions.search_system import (
    search_compartment,
    search_compartment_by_post,
    search_system,
    search_system_by_post,
)
from fhir_server.interactions.transaction import transaction
from fhir_server.interactions.update import conditional_update, update
from fhir_server.interactions.vread import vread

Run = Callable[..., Awaitable[FhirResponse]]
Verbs = Mapping[str, tuple[str, Run]]

ON_TYPE: Verbs = {
    "GET": ("search-type", search),
    "POST": ("create", create),
    "PUT": ("update", conditional_update),
    "PATCH": ("patch", conditional_patch),
    "DELETE": ("delete", conditional_delete),
}
ON_SEARCH: Verbs = {"GET": ("search-type", search_by_post), "POST": ("search-type", search_by_post)}
ON_INSTANCE: Verbs = {
    "GET": ("read", read),
    "PUT": ("update", update),
    "PATCH": ("patch", patch),
    "DELETE": ("delete", delete),
}
ON_HISTORY: Verbs = {"GET": ("history-instance", history)}
ON_TYPE_HISTORY: Verbs = {"GET": ("history-type", history_of_type)}
ON_COMPARTMENT: Verbs = {"GET": ("search-type", search_compartment)}
ON_COMPARTMENT_SEARCH: Verbs = {
    "GET": ("search-type", search_compartment_by_post),
    "POST": ("search-type", search_compartment_by_post),
}
ON_VERSION: Verbs = {"GET": ("vread", vread)}


async def dispatch(parts: Parts, request: FhirRequest) -> FhirResponse:
    """Answers any request; a failure becomes its status and an OperationOutcome in the client's language."""
    try:
        await parts.rules.catch_up()
        return await route(parts, request)
    except FhirError as error:
        return refusal(request, error)


def refusal(request: FhirRequest, error: FhirError) -> FhirResponse:
    """Turns an error into the response that tells it, with places in the text that the client sent."""
    # A patch's findings are about the resource that it makes, which nobody sent
    told_in_text = request.source and request.method != "PATCH"
    issues = located(error.issues, request.source) if told_in_text else error.issues
    outcome = operation_outcome(issues, language_of(request.header("accept-language")))
    told = error.issues[0].params if error.issues else {}
    return FhirResponse(
        error.status,
        encode(outcome),
        version=told.get("version") if error.status == 410 else None,
        updated_at=told.get("updated_at") if error.status == 410 else None,
        retry_after_s=error.retry_after_s,
        allow=_allowed(str(told["valid"])) if error.status == 405 else None,
    )


def _allowed(verbs: str) -> str:
    """Returns the value of the Allow header: whatever can be read can be asked for its head as well."""
    return ", ".join("GET, HEAD" if verb == "GET" else verb for verb in verbs.split(", "))


async def route(parts: Parts, request: FhirRequest) -> FhirResponse:
    """Finds what a request asks for and runs it.

    Raises:
        FhirError: whatever stops the request.
    """
    path = request.path
    if not path:
        return await _on_base(parts, request)
    if path == ("metadata",):
        _verb(request, {"GET": "capabilities"})
        return await capabilities(parts, request)
    if path == ("_history",):
        _verb(request, {"GET": "history-system"})
        return await history_of_system(parts, request)
    if path == ("_search",):
        _verb(request, {"GET": "search-system", "POST": "search-system"})
        return await search_system_by_post(parts, request)
    if path[-1].startswith("$") and len(path) < 4:
        return await _operate(parts, request, path[-1].removeprefix("$"))
    return await _interact(parts, request, *_place_of(path))


def _place_of(path: tuple[str, ...]) -> tuple[Verbs, list[str]]:
    """Returns what can be done at a path below a type, and the names in it.

    Raises:
        NotFound: R4 has no such path.
    """
    match path:
        case (type_,):
            return ON_TYPE, [type_]
        case (type_, "_search"):
            return ON_SEARCH, [type_]
        case (type_, "_history"):
            return ON_TYPE_HISTORY, [type_]
        case (type_, id_):
            return ON_INSTANCE, [type_, id_]
    return _place_below(path)


def _place_below(path: tuple[str, ...]) -> tuple[Verbs, list[str]]:
    """Returns what can be done at a path below a resource: its versions, and what is in its compartment.

    Raises:
        NotFound: R4 has no such path.
    """
    match path:
        case (type_, id_, "_history"):
            return ON_HISTORY, [type_, id_]
        case (type_, id_, "_history", version):
            return ON_VERSION, [type_, id_, version]
        case (type_, id_, member) if member == "*" or member[:1].isupper():
            return ON_COMPARTMENT, [type_, id_, member]
        case (type_, id_, member, "_search"):
            return ON_COMPARTMENT_SEARCH, [type_, id_, member]
    raise NotFound.of("rest.route-unknown", path="/" + "/".join(path))


async def _interact(parts: Parts, request: FhirRequest, verbs: Verbs, names: list[str]) -> FhirResponse:
    offered = parts.support(names[0]).interactions
    name, run = verbs.get("GET" if request.method == "HEAD" else request.method, ("", None))
    if run is None or name not in offered:
        _verb(request, {verb: run for verb, (name, run) in verbs.items() if name in offered})
    assert run is not None
    return await run(at_their_place(parts, names[0]), request, *names)


async def _on_base(parts: Parts, request: FhirRequest) -> FhirResponse:
    if _verb(request, {"POST": "transaction", "GET": "search-system"}) == "GET":
        return await search_system(parts, request)
    refuse_unknown(request, ())
    bundle = resource_of(request, "Bundle")
    run = transaction if check_bundle(parts, bundle) == "transaction" else batch
    return await run(parts, request, bundle)


async def _operate(parts: Parts, request: FhirRequest, name: str) -> FhirResponse:
    before = request.path[:-1]
    target = Target(parts.support(before[0]).type if before else None, before[1] if len(before) > 1 else None)
    place = parts.operations.get(name)
    if place is None or not _is_at(place, target):
        valid = ", ".join(f"${n}" for n, p in sorted(parts.operations.items()) if _is_at(p, target)) or "none"
        raise NotFound.of("rest.operation-unknown", name=name, valid=valid)
    _verb(request, dict.fromkeys(place.verbs))
    return await place.run(at_their_place(parts, before[0]) if before else parts, request, target)


def _is_at(place: OperationPlace, target: Target) -> bool:
    if target.type is None:
        return place.on_system
    return place.on_type if target.id is None else place.on_instance


def _verb(request: FhirRequest, possible: Mapping[str, object]) -> str:
    """Returns the request's verb, HEAD being a GET without its body.

    Raises:
        MethodNotAllowed: it is not possible here; the issue lists those that are.
    """
    verb = "GET" if request.method == "HEAD" else request.method
    if verb not in possible:
        path = "/" + "/".join(request.path)
        raise MethodNotAllowed.of("rest.method-not-allowed", method=verb, path=path, valid=", ".join(possible))
    return verb
