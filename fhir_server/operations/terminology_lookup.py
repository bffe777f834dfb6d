"""`CodeSystem/$lookup` and `CodeSystem/$subsumes`.

See https://hl7.org/fhir/R4/codesystem-operation-lookup.html and https://hl7.org/fhir/R4/codesystem-operation-subsumes.html.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.errors import InvalidRequest, MissingElement, NotFound
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.terminology_input import Given, read_input
from fhir_server.operations.terminology_remote import answered
from fhir_server.operations.terminology_subject import Undecided, UnknownHere, by_url, check_type, subject
from fhir_server.terminology.code_system import CodeSystem, Concept, build_code_system
from fhir_server.terminology.grammars import GRAMMARS
from fhir_server.terminology.languages import preferences
from fhir_server.terminology.lookup import Details, details_of, grammar_details

LOOKUP = ("code", "system", "version", "coding", "displayLanguage", "property")
SUBSUMES = ("codeA", "codeB", "system", "version", "codingA", "codingB")


async def lookup(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns Parameters with what is known of a code: name, version, display, designations, properties.

    Raises:
        MissingElement: no code, or no system.
        NotFound: the system has no such code.
        UnknownHere: the system is not here, or not in this version.
        Undecided: the system is here in part, and this code is not in that part.
    """
    check_type(request, target, "CodeSystem")
    given = read_input(parts, request, "CodeSystem-lookup", LOOKUP)
    system, code, version = _coding(given, "code", "coding")
    if system is None:
        raise MissingElement.of("terminology.code-missing", "system", ways="code + system, coding.system")

    async def locally() -> JsonObject:
        languages = preferences(given.one("displayLanguage") or request.header("accept-language"))
        grammar = GRAMMARS.get(system)
        if grammar is not None:
            if not grammar.is_code(code):
                raise NotFound.of("terminology.code-unknown", "code", code=code, system=system)
            return _parameters(_shown(grammar_details(grammar, code, languages=languages)))
        known = _system(parts, system, version)
        concept = concept_of(known, code)
        return _parameters(_shown(details_of(known, concept, languages=languages, wanted=given.all("property"))))

    return FhirResponse(200, encode(await answered(parts, request, target, given, locally)))


async def subsumes(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns Parameters with the `outcome`: equivalent, subsumes, subsumed-by or not-subsumed.

    Raises:
        MissingElement: a code is missing, or the system.
        InvalidRequest: the two codings are of different systems.
        NotFound: the system has no such code.
        UnknownHere, Undecided: as for lookup.
    """
    check_type(request, target, "CodeSystem")
    given = read_input(parts, request, "CodeSystem-subsumes", SUBSUMES)
    a, b = _coding(given, "codeA", "codingA"), _coding(given, "codeB", "codingB")
    if a[0] != b[0]:
        raise InvalidRequest.of("terminology.system-differs", "codingB.system", found=b[0], expected=a[0])

    async def locally() -> JsonObject:
        outcome = await _outcome(parts, given, target, (a, b))
        return _parameters([{"name": "outcome", "valueCode": outcome}])

    return FhirResponse(200, encode(await answered(parts, request, target, given, locally)))


_Coding = tuple[str | None, str, str | None]
"""System, code, version."""


def _coding(given: Given, code: str, coding: str) -> _Coding:
    """Returns the code that is given plainly or as a Coding.

    Raises:
        MissingElement: neither is.
        InvalidRequest: both are.
    """
    if given.one(code) is not None and given.one(coding) is not None:
        raise InvalidRequest.of("terminology.subject-twice", code, found=f"{code}, {coding}")
    if given.one(code) is not None:
        return given.one("system"), given.one(code), given.one("version")
    own: Mapping[str, Any] = given.one(coding) or {}
    system, found, version = (
        one if isinstance(one, str) else None for one in (own.get("system"), own.get("code"), own.get("version"))
    )
    if found is None:
        raise MissingElement.of("terminology.code-missing", code, ways=f"{code} + system, {coding}")
    return system, found, version


def _system(parts: Parts, url: str, version: str | None) -> CodeSystem:
    resource = by_url(parts, "CodeSystem", url, version, name="system")
    found = parts.terminology.system(f"{url}|{version}" if version else url)
    if found is None or not (found.concepts or found.is_complete):
        raise UnknownHere.of("terminology.system-unknown", "system", system=resource["url"])
    return found


def concept_of(system: CodeSystem, code: str) -> Concept:
    """Returns a concept.

    Raises:
        NotFound: the system has no such code.
        Undecided: it is here in part, and the code is not in that part.
    """
    found = system.find(code)
    if found is not None:
        return found
    if system.is_complete:
        raise NotFound.of("terminology.code-unknown", "code", code=code, system=system.url)
    content = system.facts.get("content")
    raise Undecided.of("terminology.system-incomplete", "code", system=system.url, content=content)


def _shown(details: Details) -> Iterator[JsonObject]:
    yield {"name": "name", "valueString": details.name}
    if details.version is not None:
        yield {"name": "version", "valueString": details.version}
    yield {"name": "display", "valueString": details.display}
    for one in details.designations:
        values = {"language": "valueCode", "use": "valueCoding", "value": "valueString"}
        parts = [{"name": name, key: one[name]} for name, key in values.items() if name in one]
        yield {"name": "designation", "part": parts}
    for known in details.properties:
        yield {"name": "property", "part": list(_property(known))}


def _property(known: Mapping[str, Any]) -> Iterator[JsonObject]:
    yield {"name": "code", "valueCode": known["code"]}
    for key, value in known.items():
        if key.startswith("value"):
            yield {"name": "value", key: value}
    if "description" in known:
        yield {"name": "description", "valueString": known["description"]}


def _parameters(parameters: Any) -> JsonObject:
    return {"resourceType": "Parameters", "parameter": list(parameters)}


async def _outcome(parts: Parts, given: Given, target: Target, pair: tuple[_Coding, _Coding]) -> str:
    (url, a, version), (_, b, _) = pair
    if target.id is not None:
        resource = await subject(parts, given, target, inline="codeSystem")
        system = build_code_system({"url": "", **resource})
    elif url is None:
        raise MissingElement.of("terminology.code-missing", "system", ways="codeA + codeB + system, codingA.system")
    elif url in GRAMMARS:
        raise Undecided.of("terminology.no-hierarchy", "system", system=url)
    else:
        system = _system(parts, url, version)
    x, y = concept_of(system, a), concept_of(system, b)
    if not system.subsumes:
        raise Undecided.of("terminology.no-hierarchy", "system", system=system.url)
    if x.code == y.code:
        return "equivalent"
    if y.code in system.descendants(x.code):
        return "subsumes"
    return "subsumed-by" if x.code in system.descendants(y.code) else "not-subsumed"
