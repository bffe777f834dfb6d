"""`ConceptMap/$translate`, https://hl7.org/fhir/R4/conceptmap-operation-translate.html."""

from collections.abc import Iterator, Sequence
from typing import Any

from fhir_server.errors import InvalidRequest, Issue, MissingElement, issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.terminology_input import Given, read_input
from fhir_server.operations.terminology_remote import answered
from fhir_server.operations.terminology_subject import UnknownHere, check_type, subject
from fhir_server.terminology.compose import Pair
from fhir_server.terminology.translation import NO_MATCH, Match, Question, maps_between, translate

SUPPORTED = (
    "url", "conceptMap", "conceptMapVersion", "code", "system", "source", "coding", "codeableConcept", "target",
    "targetsystem", "dependency", "reverse",
)  # fmt: skip
_WAYS = ("code", "coding", "codeableConcept")


async def translate_code(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns Parameters with `result`, `message` and a `match` for each counterpart.

    Without `url`, `conceptMap` and instance, all maps that have a group for the system (and `source`, `target`,
    `targetsystem`) are read. `result` is true when a match is neither unmatched nor disjoint.

    Raises:
        MissingElement: no code, or no system.
        UnknownHere: no such map, or none at all from this system.
    """
    check_type(request, target, "ConceptMap")
    given = read_input(parts, request, "ConceptMap-translate", SUPPORTED)
    questions = _questions(parts, given)

    async def locally() -> JsonObject:
        maps = await _maps(parts, given, target, questions)
        found = [
            match
            for question in questions
            for one in maps
            for match in translate(parts.terminology.sources, one, question)
        ]
        return _answer([_displayed(parts, one) for one in found], questions, request)

    return FhirResponse(200, encode(await answered(parts, request, target, given, locally)))


def _displayed(parts: Parts, match: Match) -> Match:
    """Adds the display of the code system where the map gives none."""
    system, code = match.concept.get("system"), match.concept.get("code")
    display = parts.terminology.display(system, code) if system and code else None
    return (
        match
        if display is None
        else match._replace(concept={**match.concept, "display": match.concept.get("display", display)})
    )


def _questions(parts: Parts, given: Given) -> Sequence[Question]:
    """Returns a question for each coding, its code as its system writes it: case may not count.

    Raises:
        MissingElement: no code, or no system.
        InvalidRequest: codes are given in several ways.
    """
    ways = [name for name in _WAYS if given.one(name) is not None]
    if len(ways) > 1:
        raise InvalidRequest.of("terminology.subject-twice", ways[0], found=", ".join(ways))
    found = [one for one in _pairs(given) if isinstance(one[0], str) and isinstance(one[1], str)]
    concepts = [parts.terminology.concept(*one) for one in found]
    pairs = [
        Pair(system, concept.code if concept else code) for (system, code), concept in zip(found, concepts, strict=True)
    ]
    if not pairs:
        raise MissingElement.of("terminology.code-missing", "code", ways="code + system, coding, codeableConcept")
    dependencies = frozenset(_dependencies(given.all("dependency")))
    reverse, system = given.flag("reverse"), given.one("targetsystem")
    return [Question(pair, system, reverse, dependencies) for pair in pairs]


def _pairs(given: Given) -> Iterator[tuple[Any, Any]]:
    if given.one("code") is not None:
        yield given.one("system"), given.one("code")
    concept = given.one("codeableConcept") or {}
    for coding in (given.one("coding"), *_list(concept.get("coding"))):
        if isinstance(coding, dict):
            yield coding.get("system"), coding.get("code")


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _dependencies(given: Sequence[JsonObject]) -> Iterator[tuple[str, str | None, str]]:
    """Yields (element, system, code) of the dependencies: each has the parts `element` and `concept`.

    Raises:
        InvalidRequest: one of the parts is missing or of another type.
    """
    for one in given:
        parts = {str(part.get("name")): part for part in one["part"] if isinstance(part, dict)}
        element = parts.get("element", {}).get("valueUri")
        concept = parts.get("concept", {}).get("valueCodeableConcept")
        if not isinstance(element, str) or not isinstance(concept, dict):
            raise InvalidRequest.of("terminology.dependency-parts", "dependency")
        for coding in _list(concept.get("coding")):
            if isinstance(coding, dict) and isinstance(coding.get("code"), str):
                system = coding.get("system")
                yield element, system if isinstance(system, str) else None, coding["code"]


async def _maps(parts: Parts, given: Given, target: Target, questions: Sequence[Question]) -> Sequence[JsonObject]:
    if target.id is not None or given.one("url") is not None or given.one("conceptMap") is not None:
        return [await subject(parts, given, target, inline="conceptMap", version=given.one("conceptMapVersion"))]
    ends = {"source_set": given.one("source"), "target_set": given.one("target")}
    sources = parts.terminology.sources
    found = {id(one): one for question in questions for one in maps_between(sources, question, **ends)}
    if not found:
        systems = ", ".join(dict.fromkeys(question.pair.system for question in questions))
        raise UnknownHere.of("terminology.no-map", "system", system=systems, target=questions[0].target or "*")
    return list(found.values())


def _answer(found: Sequence[Match], questions: Sequence[Question], request: FhirRequest) -> JsonObject:
    result = any(one.equivalence not in NO_MATCH for one in found)
    parameters: list[JsonObject] = [{"name": "result", "valueBoolean": result}]
    if not result:
        language = language_of(request.header("accept-language"))
        text = " ".join(one.text(language) for one in _nothing(questions))
        parameters.append({"name": "message", "valueString": text})
    return {"resourceType": "Parameters", "parameter": [*parameters, *map(_match, found)]}


def _nothing(questions: Sequence[Question]) -> Iterator[Issue]:
    for question in questions:
        yield issue("terminology.no-match", code=question.pair.code, system=question.pair.system)


def _match(match: Match) -> JsonObject:
    parts: list[JsonObject] = [{"name": "equivalence", "valueCode": match.equivalence}]
    if match.concept.get("code"):
        parts.append({"name": "concept", "valueCoding": match.concept})
    parts += [{"name": "product", "part": list(_product(one))} for one in match.products]
    if match.source:
        parts.append({"name": "source", "valueUri": match.source})
    return {"name": "match", "part": parts}


def _product(one: JsonObject) -> Iterator[JsonObject]:
    yield {"name": "element", "valueUri": one["element"]}
    yield {"name": "concept", "valueCoding": one["concept"]}
