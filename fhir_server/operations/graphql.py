"""`$graphql`: queries in GraphQL over everything or one resource, https://hl7.org/fhir/R4/graphql.html."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from fhir_server import fhirpath
from fhir_server.errors import (
    BadStructure,
    FhirError,
    InvalidRequest,
    Issue,
    MissingElement,
    SearchParameterUnknown,
    Severity,
    TooCostly,
    issue,
)
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.graphql_fields import QUERY, fields_under

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode

    from fhir_server.operations.graphql_work import Work

T = TypeVar("T")

MEDIA = "application/graphql"
_ABOUT_ITSELF = re.compile(r"\b__(schema|type)\b")
PARAMETERS = ("query", "variables", "operationName")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query in GraphQL with its variables, and which operation of it is meant."""

    query: str
    variables: JsonObject
    operation: str | None = None


async def graphql(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns `{"data": ...}`, or with status 4xx `{"data": null, "errors": [...]}`, each error with an OperationOutcome.

    The query is `query` of the URL, a body of type application/graphql, or a JSON body (`query`, `variables`,
    `operationName`). On an instance it starts at that resource. Nothing but reading is offered.
    """
    try:
        return await _answered(parts, request, target)
    except FhirError as error:
        return _refused(request, error)


async def _answered(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    from fhir_server.operations.graphql_document import fragments_of
    from fhir_server.operations.graphql_shaping import Shaping
    from fhir_server.operations.graphql_work import Work

    asked = _asked(request)
    document, operation = _parsed(asked)
    root_type = str(target.type or QUERY)
    # Questions about the schema take a second of processor time, as it has some thousand types
    schema = await _aside(asked, partial(_checked, parts, asked, document, root_type))
    async with parts.store.snapshot() as snapshot:
        work = Work(parts, snapshot, request.base, fhirpath.budget_of(parts.settings.fhirpath_limit_ms))
        root = await work.one(str(target.type), target.id) if target.id is not None else {}
        data = await _run(schema, document, asked, root, work)
        if "@" in asked.query:
            data = Shaping(fragments_of(document), work.slices).shaped((operation.selection_set,), data)
    return FhirResponse(200, encode({"data": data}))


async def _aside(asked: Asked, work: Callable[[], T]) -> T:
    """Returns what `work` returns, done in a thread if the query is about the schema."""
    return await asyncio.to_thread(work) if _ABOUT_ITSELF.search(asked.query) else work()


def _asked(request: FhirRequest) -> Asked:
    given: JsonObject = dict(request.query)
    media = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if request.body.strip():
        try:
            given |= {"query": request.body.decode()} if media == MEDIA else _of_json(decode(request.body))
        except UnicodeDecodeError:
            raise BadStructure.of("graphql.malformed", "query", reason="the body is no UTF-8", place="") from None
    for name in given:
        if name not in PARAMETERS:
            path, valid = "/".join(request.path), ", ".join(PARAMETERS)
            raise SearchParameterUnknown.of("rest.parameter-unknown", name, name=name, path=path, valid=valid)
    query, operation = given.get("query"), given.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise MissingElement.of("operation.parameter-missing", "query", name="query")
    return Asked(query, _variables(given.get("variables")), operation if isinstance(operation, str) else None)


def _of_json(body: JsonObject) -> JsonObject:
    if body.get("resourceType") != "Parameters":
        return {name: value for name, value in body.items() if name != "extensions"}
    listed = [p for p in body.get("parameter") or () if isinstance(p, dict)]
    return {str(p.get("name")): p.get("valueString") for p in listed}


def _variables(given: Any) -> JsonObject:
    if isinstance(given, str):
        given = decode(given.encode())
    if given is not None and not isinstance(given, dict):
        raise BadStructure.of("graphql.variables", "variables")
    return given or {}


def _parsed(asked: Asked) -> tuple["DocumentNode", "OperationDefinitionNode"]:
    """Returns the document and the operation that is meant.

    Raises:
        BadStructure: not GraphQL.
        TooCostly: too long, too deep or too wide.
        InvalidRequest: no such operation, several and none is named, or a mutation.
    """
    from graphql import GraphQLSyntaxError, OperationType, parse

    from fhir_server.operations.graphql_document import MOST_TOKENS, check_size, narrowed, operations_of

    try:
        document = narrowed(parse(asked.query, max_tokens=MOST_TOKENS))
    except (GraphQLSyntaxError, RecursionError) as error:
        if isinstance(error, RecursionError) or "tokens" in error.message:
            raise TooCostly.of("graphql.too-long", "query", most=MOST_TOKENS) from None
        at = error.locations[0] if error.locations else None
        place = f" ({at.line}:{at.column})" if at else ""
        found = issue("graphql.malformed", "query", reason=error.message, place=place)
        raise BadStructure(replace(found, line=at.line, column=at.column) if at else found) from None
    check_size(document)
    meant = [o for o in operations_of(document) if asked.operation in (None, o.name.value if o.name else None)]
    if len(meant) > 1 and asked.operation is None:
        raise MissingElement.of("graphql.operation-missing", "operationName", count=len(meant))
    if len(meant) != 1:
        raise InvalidRequest.of("graphql.operation", "operationName", name=asked.operation, count=len(meant))
    if meant[0].operation is not OperationType.QUERY:
        raise InvalidRequest.of("graphql.reads-only", "query", kind=meant[0].operation.value)
    return document, meant[0]


def _checked(parts: Parts, asked: Asked, document: "DocumentNode", root: str) -> "GraphQLSchema":
    """Returns the schema that the document needs, if it is valid by it.

    Raises:
        InvalidRequest: it is not; each finding with its line and column.
    """
    from graphql import VariablesInAllowedPositionRule, specified_rules, validate

    from fhir_server.operations.graphql_document import Used, fragments_of, operations_of
    from fhir_server.operations.graphql_resolving import resolvers_of
    from fhir_server.operations.graphql_schema import build_schema

    fields = fields_under(parts.definitions)
    used = Used(fields, fragments_of(document))
    for operation in operations_of(document):
        used.collect(operation.selection_set, root)
    known = set(parts.definitions.resources) | set(used.resources())
    if "contained" in asked.query:  # resources of types that are not stored by themselves
        known |= fields.definitions.model.resources
    about_itself = _ABOUT_ITSELF.search(asked.query)
    schema = build_schema(fields, root, resolvers_of(fields), None if about_itself else used.by_type, known)
    # Arguments take every kind of value, so a variable's declared type says nothing about where it fits
    rules = [rule for rule in specified_rules if rule is not VariablesInAllowedPositionRule]
    found = validate(schema, document, rules, max_errors=20, hide_suggestions=True)
    if found:
        raise InvalidRequest(*(_finding(error) for error in found))
    return schema


async def _run(
    schema: "GraphQLSchema", document: "DocumentNode", asked: Asked, root: JsonObject, work: "Work"
) -> JsonObject:
    """Returns the data of the answer; any failure takes the place of all of it, as FHIR wants.

    Raises:
        FhirError: the first of the kind that stopped a field, with all findings.
    """
    from graphql import ExecutionResult, execute

    running = await _aside(asked, partial(execute, schema, document, root, work, asked.variables, asked.operation))
    result = await running if isawaitable(running) else running
    assert isinstance(result, ExecutionResult)
    if result.errors:
        raise _failure(result.errors)
    return result.data or {}


def _failure(errors: "list[GraphQLError]") -> Exception:
    """Returns what the errors of a run amount to; what nobody foresaw is not told to clients."""
    causes = [error.original_error for error in errors]
    unforeseen = next((c for c in causes if c is not None and not _is_told(c)), None)
    if unforeseen is not None:
        return unforeseen
    ours = [cause for cause in causes if isinstance(cause, FhirError)]
    told = [i for cause in ours for i in cause.issues]
    told += [_finding(error) for error in errors if not isinstance(error.original_error, FhirError)]
    return type(ours[0])(*told) if ours else InvalidRequest(*told)


def _is_told(cause: Exception) -> bool:
    from graphql import GraphQLError

    return isinstance(cause, FhirError | GraphQLError)


def _finding(error: "GraphQLError") -> Issue:
    places = error.locations or ()
    line, column = (places[0].line, places[0].column) if places else (0, 0)
    path = ".".join(map(str, error.path or ()))
    params = {"reason": error.message}
    return Issue(Severity.ERROR, "invalid", "graphql.invalid", path, params, line, column)


def _refused(request: FhirRequest, error: FhirError) -> FhirResponse:
    language = language_of(request.header("accept-language"))
    errors: list[JsonObject] = []
    for found in error.issues:
        places = {"locations": [{"line": found.line, "column": found.column}]} if found.line else {}
        outcome = operation_outcome((found,), language)
        errors.append({"message": found.text(language), **places, "extensions": {"resource": outcome}})
    return FhirResponse(error.status, encode({"data": None, "errors": errors}), retry_after_s=error.retry_after_s)
