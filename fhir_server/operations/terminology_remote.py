"""Questions that this server cannot answer go to another terminology server, where one is configured.

See https://hl7.org/fhir/R4/terminology-service.html. Offline is the default: without a URL nothing leaves this machine.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fhir_server.errors import Severity, issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest
from fhir_server.operations.terminology_input import Given
from fhir_server.operations.terminology_subject import Undecided, UnknownHere

if TYPE_CHECKING:
    from fhir_server.terminology.remote import RemoteTerminology

_CODINGS = frozenset({"system", "version", "code", "display"})
_URIS = frozenset({"url", "system", "source", "target", "targetsystem"})
_CODES = frozenset({"code", "codeA", "codeB", "displayLanguage", "property"})
_CANONICALS = frozenset({"exclude-system", "system-version", "check-system-version", "force-system-version"})


@lru_cache(maxsize=4)
def remote_of(url: str, limit_ms: int) -> "RemoteTerminology":
    """Returns the client of a terminology server: one for each, because it remembers answers and failures."""
    from fhir_server.terminology.remote import RemoteTerminology  # the HTTP client is loaded when it is needed

    return RemoteTerminology(url, limit_s=limit_ms / 1000)


async def answered(
    parts: Parts,
    request: FhirRequest,
    target: Target,
    given: Given,
    locally: Callable[[], Awaitable[JsonObject]],
) -> JsonObject:
    """Returns the answer of `locally`, or where that does not know, of the configured terminology server.

    Raises:
        UnknownHere, Undecided: nobody knows; an issue tells when the other server did not answer.
    """
    try:
        return await locally()
    except (UnknownHere, Undecided) as error:
        settings = parts.settings
        if not settings.terminology_server or target.id is not None:
            raise
        found = await _asked(
            remote_of(settings.terminology_server, settings.terminology_limit_ms), request, given, error
        )
        if found is None:
            raise
        return found


async def _asked(
    remote: "RemoteTerminology", request: FhirRequest, given: Given, error: UnknownHere | Undecided
) -> JsonObject | None:
    from fhir_server.terminology.remote import RemoteSilent

    parameters = {"resourceType": "Parameters", "parameter": [_out(n, v) for n, vs in given.values.items() for v in vs]}
    language = request.header("accept-language") or ""
    try:
        return await remote.ask("/".join(request.path), parameters, language=language)
    except RemoteSilent:
        silent = issue("terminology.server-silent", severity=Severity.WARNING)
        raise type(error)(*error.issues, silent) from None


def _out(name: str, value: Any) -> JsonObject:
    """Returns a parameter for the other server: codes only, never the free text beside them."""
    if isinstance(value, dict):
        return _out_object(name, value)
    key = "valueBoolean" if isinstance(value, bool) else "valueInteger" if isinstance(value, int) else _key(name)
    return {"name": name, key: value}


def _out_object(name: str, value: JsonObject) -> JsonObject:
    if "resourceType" in value:
        return {"name": name, "resource": value}
    if "part" in value:
        return value
    codings = value.get("coding")
    if isinstance(codings, list):
        return {"name": name, "valueCodeableConcept": {"coding": [_coding(one) for one in codings]}}
    return {"name": name, "valueCoding": _coding(value)}


def _key(name: str) -> str:
    if name in _URIS:
        return "valueUri"
    if name in _CANONICALS:
        return "valueCanonical"
    return "valueCode" if name in _CODES else "valueString"


def _coding(value: Any) -> JsonObject:
    return {k: v for k, v in value.items() if k in _CODINGS} if isinstance(value, dict) else {}
