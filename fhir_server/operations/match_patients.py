"""`Patient/$match`: who of the stored patients this may be, https://hl7.org/fhir/R4/patient-operation-match.html."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from fhir_server.errors import BadValue, MissingElement, SearchValueInvalid
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.call import check_type, read_given, refused, resource_in
from fhir_server.operations.match_patients_scoring import (
    forms_of,
    grade_of,
    id_cards,
    identifiers,
    names,
    phones,
    points_of,
    score_of,
    swapped_birth,
)
from fhir_server.operations.terminology_input import check_resource
from fhir_server.search.offered import find_offered
from fhir_server.search.parse import parse_query
from fhir_server.search.query import SortBy, SortKey
from fhir_server.store.contract import Key, StoredVersion

GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
MOST_FOUND = 50
"""Candidates that one search may bring; several searches are made."""
MOST_SEARCHES = 20
Pairs = tuple[tuple[str, str], ...]


async def match_patients(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns the patients that may be the one in the parameter `resource`, the likeliest first, graded and scored.

    Candidates share an identifier, a phone number, or name (or its reading) and date of birth; nothing else is looked
    at. Who certainly is somebody else comes only with a shared identifier, which somebody should then look into. With
    `onlyCertainMatches` there is one certain match or none.

    Raises:
        MissingElement: no `resource`, or nothing in it by which patients can be found.
        BadValue: it is no Patient.
        ResourceInvalid: it has not the shape of one.
    """
    check_type(target, "match", "Patient")
    given = read_given(request, ("resource", "onlyCertainMatches", "count"), resource="resource")
    wanted = given.object("resource")
    if wanted.get("resourceType") != "Patient":
        raise refused("resource", str(wanted.get("resourceType")), "operation.expected-resource", type="Patient")
    check_resource(parts, wanted)
    only_certain = given.flag("onlyCertainMatches")
    count = given.number("count", parts.settings.max_count, parts.settings.max_count)
    graded = _graded(wanted, await _candidates(parts, request, wanted))
    if only_certain:
        graded = [one for one in graded if grade_of(one[0]) == "certain"]
        graded = graded if len(graded) == 1 else []
    bundle: JsonObject = {"resourceType": "Bundle", "type": "searchset", "total": len(graded)}
    entries = [_entry(request.base, *one) for one in graded[:count]]
    return FhirResponse(200, encode({**bundle, **({"entry": entries} if entries else {})}))


def _graded(wanted: JsonObject, found: list[JsonObject]) -> list[tuple[int, JsonObject]]:
    """Returns points and patient, the most points first, then by id."""
    ours = set(identifiers(wanted)) | {("", card.number) for card in id_cards(wanted)}
    graded = []
    for patient in found:
        points = points_of(wanted, patient)
        theirs = set(identifiers(patient)) | {("", card.number) for card in id_cards(patient)}
        if grade_of(points) != "certainly-not" or ours & theirs:
            graded.append((points, patient))
    return sorted(graded, key=lambda one: (-one[0], str(one[1]["id"])))


def _entry(base: str, points: int, patient: JsonObject) -> JsonObject:
    grade = {"url": GRADE, "valueCode": grade_of(points)}
    search = {"extension": [grade], "mode": "match", "score": score_of(points)}
    return {"fullUrl": f"{base}/Patient/{patient['id']}", "resource": patient, "search": search}


async def _candidates(parts: Parts, request: FhirRequest, wanted: JsonObject) -> list[JsonObject]:
    searches = list(dict.fromkeys(_searches(parts, wanted)))
    if not searches:
        raise MissingElement.of("match.nothing-to-find", "resource")
    if len(searches) > MOST_SEARCHES:
        raise BadValue.of("match.too-many-traits", "resource", found=len(searches), most=MOST_SEARCHES)
    found: dict[Key, StoredVersion] = {}
    async with parts.store.snapshot() as snapshot:
        for pairs in searches:
            try:
                parsed = parse_query(ResourceType("Patient"), pairs, parts.search_context(request.base))
            except SearchValueInvalid:
                continue  # a name of blanks finds nobody
            page = await snapshot.search(replace(parsed.query, sort=(SortKey(SortBy.ID),), count=MOST_FOUND))
            found.update((version.key, version) for version in page.matches)
    return [resource_in(version) for version in found.values()]


def _searches(parts: Parts, wanted: JsonObject) -> Iterator[Pairs]:
    """Yields the searches that find candidates, each answered by an index."""
    for system, value in identifiers(wanted):
        yield (("identifier", f"{_escaped(system)}|{_escaped(value)}" if system else _escaped(value)),)
    for card in id_cards(wanted):
        yield (("identifier", card.number),)
        if card.number[6:8] == "19" and len(card.number) == 18:
            yield (("identifier", card.number[:6] + card.number[8:17]),)
    for phone in phones(wanted):
        yield (("phone", ",".join(map(_escaped, forms_of(phone)))),)
    numbers = (card.birth_date for card in id_cards(wanted) if not card.problem)
    birth = str(wanted.get("birthDate") or next(numbers, ""))
    reads = find_offered("phonetic", parts.support("Patient")) is not None
    for name in names(wanted) if birth else ():
        for day in filter(None, (birth, swapped_birth(birth))):
            yield (("name", _escaped(name)), *_born(day))
            if reads:
                yield (("phonetic", _escaped(name)), *_born(day))


def _born(birth: str) -> Pairs:
    """Returns the conditions of a date of birth that agrees as far as it is known: 1955-03 agrees with 1955-03-01."""
    if len(birth) == 10 and birth < "9999":
        return ("birthdate", f"ge{birth}"), ("birthdate", f"lt{date.fromisoformat(birth) + timedelta(days=1)}")
    return ("birthdate", f"ge{birth}"), ("birthdate", f"le{birth}")


def _escaped(text: str) -> str:
    for mark in "\\,|$":
        text = text.replace(mark, f"\\{mark}")
    return text
