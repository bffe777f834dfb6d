"""The value set, code system or concept map that an operation is about: stored, inline, or by its canonical URL.

See https://hl7.org/fhir/R4/operations.html#executing.
"""

from fhir_server.errors import FhirError, InvalidRequest, MissingElement, NotFound, issue
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceId
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest
from fhir_server.operations.terminology_input import Given, check_resource
from fhir_server.store.contract import Key
from fhir_server.terminology.compose import Gap


class UnknownHere(NotFound):
    """404: a value set, code system or concept map that is not loaded here; another server may know it."""


class Undecided(FhirError):
    """422: the question makes sense, and what is loaded here is not enough to answer it."""

    status, code = 422, "not-found"


def check_type(request: FhirRequest, target: Target, *types: str) -> None:
    """Accepts calls on these types; an operation is known by its name alone, and R4 defines ours on some types only.

    Raises:
        NotFound: another type.
    """
    if target.type not in types:
        name = request.path[-1].removeprefix("$")
        raise NotFound.of("rest.operation-unknown", name=name, valid=", ".join(f"{t}/${name}" for t in types))


def undecided(gap: Gap) -> Undecided:
    """Returns the error that tells a gap."""
    return Undecided(issue(gap.key, **gap.params))


async def subject(parts: Parts, given: Given, target: Target, *, inline: str, version: str | None = None) -> JsonObject:
    """Returns the resource that an operation was called on: `inline` is the parameter that may carry it.

    Exactly one of the instance, `inline` and `url` has to be given; `version` must be that of what `url` names.

    Raises:
        MissingElement: none of them.
        InvalidRequest: several of them.
        NotFound: it is not stored.
        UnknownHere: no such URL, or not in this version.
    """
    type_ = target.type or ""
    named = [name for name in (inline, "url") if given.one(name) is not None]
    if target.id is not None:
        named.append(f"{type_}/{target.id}")
    if len(named) > 1:
        raise InvalidRequest.of("terminology.subject-twice", named[0], found=", ".join(named))
    if target.id is not None:
        return await _stored(parts, type_, target.id)
    if given.one(inline) is not None:
        found: JsonObject = given.one(inline)
        return found
    if not named:
        raise MissingElement.of("terminology.subject-missing", "url", inline=inline, type=type_)
    return by_url(parts, type_, given.one("url"), version)


async def _stored(parts: Parts, type_: str, id_: str) -> JsonObject:
    support = parts.support(type_)
    key = Key(support.type, ResourceId(id_))
    stored = await parts.store.read(key)
    if stored is not None and stored.body is not None:
        resource = decode(stored.body)
        check_resource(parts, resource)
        return resource
    loaded = parts.definitions.conformance_resource(type_, id_)
    if loaded is None:
        raise NotFound.of("rest.not-found", key=str(key))
    return loaded


def by_url(parts: Parts, type_: str, url: str, version: str | None = None, *, name: str = "url") -> JsonObject:
    """Returns a loaded resource by its URL, with `|version` or `version` in exactly that version.

    `name` is the parameter that the URL came in.

    Raises:
        UnknownHere: there is none.
    """
    sources = parts.terminology.sources
    find = {"ValueSet": sources.value_set, "CodeSystem": sources.code_system, "ConceptMap": sources.concept_map}[type_]
    plain, _, asked = url.partition("|")
    wanted = version or asked or None
    found = find(f"{plain}|{wanted}" if wanted else plain)
    if found is None:
        raise UnknownHere.of("terminology.url-unknown", name, type=type_, url=url)
    if wanted and found.get("version") != wanted and found.get("url") != f"{plain}|{wanted}":
        has = found.get("version") or "-"
        raise UnknownHere.of("terminology.version-unknown", name, type=type_, url=plain, version=wanted, found=has)
    return found
