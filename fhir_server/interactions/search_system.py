"""search-system and compartment searches, https://hl7.org/fhir/R4/http.html#search.

`GET [base]?_type=A,B&...`, `GET [base]/Patient/1/Observation?...` and `GET [base]/Patient/1/*?...`, each also by POST.
"""

from fhir_server.errors import SearchValueInvalid
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.body import check_id
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.search import answer, as_get
from fhir_server.interactions.search_asked import Wanted, compartment_types
from fhir_server.store.contract import Key


async def search_system(parts: Parts, request: FhirRequest) -> FhirResponse:
    """Searches the types of `_type`, or all; every parameter must be one of each of them.

    Raises:
        NotFound: a type that the server does not have.
        SearchParameterUnknown: a name that one of the types cannot be searched by.
    """
    searched = [t for t, s in sorted(parts.definitions.resources.items()) if "search-type" in s.interactions]
    request, types = _typed(parts, request, tuple(searched))
    return await answer(parts, request, Wanted(types, is_named=True))


async def search_system_by_post(parts: Parts, request: FhirRequest) -> FhirResponse:
    """Searches by the form fields of the body, added to those of the URL.

    Raises:
        UnsupportedMedia: the body is no `application/x-www-form-urlencoded`.
    """
    return await search_system(parts, as_get(request))


async def search_compartment(parts: Parts, request: FhirRequest, type_: str, id_: str, member: str) -> FhirResponse:
    """Searches the resources of one type, or with `*` of every type, that are in the compartment of a resource.

    Raises:
        NotFound: there is no such compartment, or the type is never in it.
    """
    check_id(id_)
    focus = Key(ResourceType(type_), ResourceId(id_))
    request, types = _typed(parts, request, compartment_types(parts, focus, member))
    return await answer(parts, request, Wanted(types, focus, is_named=member == "*"))


async def search_compartment_by_post(
    parts: Parts, request: FhirRequest, type_: str, id_: str, member: str
) -> FhirResponse:
    """Searches by the form fields of the body, added to those of the URL.

    Raises:
        UnsupportedMedia: the body is no `application/x-www-form-urlencoded`.
    """
    return await search_compartment(parts, as_get(request), type_, id_, member)


def _typed(parts: Parts, request: FhirRequest, possible: tuple[str, ...]) -> tuple[FhirRequest, tuple[str, ...]]:
    """Returns the request without `_type`, and the types that are left of the possible ones, in their order.

    Raises:
        NotFound: the server has no such type.
        SearchValueInvalid: `_type` names none of the possible ones.
    """
    wanted = [t for name, raw in request.query if name == "_type" for t in raw.split(",") if t]
    if not wanted:
        return request, possible
    for type_ in wanted:
        parts.support(type_)
    types = tuple(sorted(set(wanted) & set(possible)))
    if not types:
        raise SearchValueInvalid.of("search.type-elsewhere", "_type", value=",".join(wanted), valid=", ".join(possible))
    return request._replace(query=tuple(p for p in request.query if p[0] != "_type")), types
