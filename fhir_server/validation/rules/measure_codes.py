"""Codes by which the parts of a Measure and of its reports are told apart, https://hl7.org/fhir/R4/measure.html."""

from collections.abc import Iterator

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.rules.objects import objects, text_of

POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
GROUP_SCORING = "http://hl7.org/fhir/uv/cqm/StructureDefinition/cqm-scoring"
"""How one group is scored, before R5 gave it an element of its own."""


def concepts_of(part: JsonObject) -> Iterator[JsonObject]:
    """Yields the codes of a group, population or stratifier; the last has several in a report."""
    code = part.get("code")
    for concept in code if type(code) is list else [code]:
        if type(concept) is dict:
            yield concept


def codes_of(part: JsonObject) -> Iterator[tuple[str, str]]:
    """Yields the (system, code) pairs of a group, population or stratifier; no system is the empty text."""
    for concept in concepts_of(part):
        for _, coding in objects(concept, "coding"):
            if text_of(coding, "code"):
                yield text_of(coding, "system"), coding["code"]


def is_same_code(part: JsonObject, other: JsonObject) -> bool:
    """Tells whether two parts share a code; where neither has any, whether they share a text."""
    codes, others = set(codes_of(part)), set(codes_of(other))
    if codes or others:
        return not codes.isdisjoint(others)
    texts = {text_of(concept, "text") for concept in concepts_of(part)} - {""}
    return any(text_of(concept, "text") in texts for concept in concepts_of(other))


def scoring_of(group: JsonObject, measure: JsonObject) -> str:
    """Returns how a group is scored (`proportion`), or the empty text."""
    own = [e.get("valueCodeableConcept") for _, e in objects(group, "extension") if e.get("url") == GROUP_SCORING]
    for concept in (*own, measure.get("scoring")):
        for _, coding in objects(concept, "coding") if type(concept) is dict else ():
            return text_of(coding, "code")
    return ""


def written(part: JsonObject) -> str:
    """Returns the code of a part as a sentence quotes it, `-` for none."""
    codes = [code for _, code in codes_of(part)]
    texts = [text_of(concept, "text") for concept in concepts_of(part)]
    return next((name for name in (*codes, *texts) if name), "-")
