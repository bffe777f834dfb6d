"""`$explain`: how a search goes through the indexes, and how long each step takes, https://hl7.org/fhir/R4/search.html.

`GET [base]/$explain?query=Observation?code=x` or `GET [base]/Observation/$explain?code=x`.
"""

from urllib.parse import parse_qsl

from fhir_server.errors import MissingElement
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.search import queries_of
from fhir_server.interactions.search_asked import Wanted, asked_of
from fhir_server.search.query import Query
from fhir_server.store.contract import Step


async def explain(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Runs a search and returns Parameters: what was asked, each step with its plan and time, and all of it as text.

    Raises:
        MissingElement: no search is given.
        SearchParameterUnknown: a name that cannot be used.
    """
    type_, pairs = _search_of(request, target)
    asked = asked_of(parts, request, Wanted((parts.support(type_).type,)), pairs)
    query = queries_of(parts, asked)[0]
    async with parts.store.snapshot() as snapshot:
        steps = await snapshot.explain(query)
    return FhirResponse(200, encode(_parameters(query, steps)))


def _search_of(request: FhirRequest, target: Target) -> tuple[str, list[tuple[str, str]]]:
    if target.type is not None:
        return target.type, list(request.query)
    first, *more = request.query or (("", ""),)
    type_, _, query = first[1].partition("?")
    if first[0] != "query" or not type_:
        raise MissingElement.of("search.explain-missing", "query")
    # An unescaped `&` ends the value of `query`; what follows it belongs to the search all the same.
    return type_.lstrip("/"), [*parse_qsl(query, keep_blank_values=True), *more]


def _parameters(query: Query, steps: tuple[Step, ...]) -> JsonObject:
    spent = sum(step.microseconds for step in steps)
    text = "\n".join([f"{query.type}: {len(steps)} statements, {spent} us", *map(_text, steps)])
    head: list[JsonObject] = [
        {"name": "type", "valueCode": query.type},
        {"name": "clauses", "valueString": "; ".join(map(repr, query.where)) or "none"},
        {"name": "sort", "valueString": "; ".join(map(repr, query.sort)) or "id"},
        {"name": "microseconds", "valueInteger": spent},
        {"name": "text", "valueString": text},
    ]
    return {"resourceType": "Parameters", "parameter": [*head, *map(_step, steps)]}


def _text(step: Step) -> str:
    return "\n".join([f"{step.microseconds:>8} us  {step.statement}", *(f"             {line}" for line in step.plan)])


def _step(step: Step) -> JsonObject:
    parts: list[JsonObject] = [
        {"name": "statement", "valueString": step.statement},
        {"name": "microseconds", "valueInteger": step.microseconds},
    ]
    return {"name": "step", "part": [*parts, *({"name": "plan", "valueString": line} for line in step.plan)]}
