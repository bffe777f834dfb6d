"""`$fhirpath`: evaluates an expression on a resource, https://github.com/brianpos/fhirpath-lab/blob/master/server-api.md.

R4 has no such operation; the shape of input and output is what the FHIRPath Lab and the engines behind it agreed on.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from fhir_server import __version__
from fhir_server.errors import FhirError, InvalidRequest, Issue, MissingElement, ResourceInvalid, TooCostly, has_errors
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath import EvaluationError, FhirPathError, budget_of, compile_once
from fhir_server.fhirpath.model import r4_model
from fhir_server.fhirpath.nodes import Collection, Node
from fhir_server.interactions.body import resource_of
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.operations.fhirpath_terms import member_of, subsumes
from fhir_server.operations.parameter_values import JSON_VALUE, as_node, as_parameter

STRICT = ("validate", "strict")
"""The FHIRPath Lab's parameter for strict evaluation, and the name that test suites give it."""
PARAMETERS = ("expression", "context", *STRICT, "_format", "_pretty")
"""What stands in the URL beside a bare resource."""
EVALUATOR = f"fhir-server-{__version__} (R4)"

Traced = tuple[str, Collection]


@dataclass(frozen=True, slots=True)
class Asked:
    """What to evaluate on what; no resource is the empty input, which is all that `1 + 1` needs.

    `strict`: an element that the type does not have is an error instead of empty.
    """

    expression: str
    resource: JsonObject | None
    context: str | None = None
    strict: bool = False
    variables: dict[str, Collection] = field(default_factory=dict)


async def fhirpath(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns Parameters: `parameters` repeats the question, one `result` per item of the context has a part per item.

    The body is Parameters with `expression` and mostly `resource` (and `context`, `variables`, `validate`), or any
    resource when the URL has `expression`.

    Raises:
        MissingElement: no expression, or a parameter `resource` without one.
        InvalidRequest: not FHIRPath; the issue has line and column in the expression.
        ResourceInvalid: it cannot be evaluated on this resource.
        TooCostly: it takes longer, or finds more, than an evaluation may.
    """
    refuse_unknown(request, PARAMETERS)
    asked = _asked(request)
    results = await asyncio.to_thread(_results, parts, asked)
    return FhirResponse(
        200, encode({"resourceType": "Parameters", "id": "fhirpath", "parameter": [_question(asked), *results]})
    )


def _asked(request: FhirRequest) -> Asked:
    query = dict(request.query)
    body = resource_of(request)
    if "expression" in query:
        return Asked(query["expression"], body, query.get("context"), any(query.get(n) == "true" for n in STRICT))
    if body["resourceType"] != "Parameters":
        raise MissingElement.of("fhirpath.parameter-missing", "expression", name="expression")
    listed = body.get("parameter")
    named = listed if isinstance(listed, list) else ()
    return _of_parameters([p for p in named if isinstance(p, dict) and isinstance(p.get("name"), str)])


def _of_parameters(parameters: Sequence[JsonObject]) -> Asked:
    by_name = {p.get("name"): p for p in reversed(parameters)}
    expression = by_name.get("expression", {}).get("valueString")
    if not isinstance(expression, str):
        raise MissingElement.of("fhirpath.parameter-missing", "expression", name="expression")
    context = by_name.get("context", {}).get("valueString")
    return Asked(
        expression,
        _resource(by_name.get("resource", {})),
        context if isinstance(context, str) and context.strip() else None,
        any(by_name.get(name, {}).get("valueBoolean") is True for name in STRICT),
        _variables([p for p in parameters if p.get("name") == "variables"]),
    )


def _resource(parameter: JsonObject) -> JsonObject | None:
    if not parameter:
        return None
    resource = parameter.get("resource")
    if isinstance(resource, dict):
        return resource
    for extension in parameter.get("extension") or ():
        if isinstance(extension, dict) and extension.get("url") == JSON_VALUE:
            return decode(str(extension.get("valueString")).encode())
    raise MissingElement.of("fhirpath.parameter-missing", "resource", name="resource")


def _variables(parameters: Sequence[JsonObject]) -> dict[str, Collection]:
    found: dict[str, Collection] = {}
    for part in (p for one in parameters for p in one.get("part") or () if isinstance(p, dict)):
        node = as_node(part, r4_model())
        found.setdefault(str(part.get("name")), []).extend([] if node is None else [node])
    return found


def _question(asked: Asked) -> JsonObject:
    parts: list[JsonObject] = [
        {"name": "evaluator", "valueString": EVALUATOR},
        {"name": "expression", "valueString": asked.expression},
    ]
    if asked.context is not None:
        parts.append({"name": "context", "valueString": asked.context})
    if asked.resource is not None:
        parts.append({"name": "resource", "resource": asked.resource})
    return {"name": "parameters", "part": parts}


@dataclass(frozen=True, slots=True)
class _Run:
    """One request's evaluations, which share a budget and the doors to the outside."""

    parts: Parts
    asked: Asked
    doors: dict[str, object]

    def collection(self, name: str, text: str, focus: object, **more: object) -> Collection:
        try:
            expression = compile_once(text, (self.asked.resource or {}).get("resourceType"))
            return expression.collection(focus, **self.asked.variables, **self.doors, **more)
        except (FhirPathError, EvaluationError) as error:
            raise _refused(error, name, text) from None


def _results(parts: Parts, asked: Asked) -> list[JsonObject]:
    run = _Run(parts, asked, _doors(parts, asked))
    if asked.context is None:
        return [_result(run, asked.resource)]
    items = run.collection("context", asked.context, asked.resource)
    return [{**_result(run, node), "valueString": f"{asked.context}[{n}]"} for n, node in enumerate(items)]


def _doors(parts: Parts, asked: Asked) -> dict[str, object]:
    def conforms_to(resource: JsonObject, profile: str) -> bool | None:
        if parts.definitions.structure(profile) is None:
            return None
        return not has_errors(parts.validator.check(resource, profiles=[profile], use_meta=False))

    def is_member(value: object, type_: str, value_set: str) -> bool | None:
        found = member_of(parts.terminology, value, type_, value_set)
        if found is None and parts.terminology.sources.value_set(value_set) is None:
            raise EvaluationError("fhirpath.value-set-unknown", url=value_set)
        return found

    return {
        "now": parts.clock.now().astimezone(parts.zone),
        "budget": budget_of(parts.settings.fhirpath_limit_ms),
        "strict": asked.strict,
        "conforms_to": conforms_to,
        "member_of": is_member,
        "subsumes": partial(subsumes, parts.terminology),
    }


def _result(run: _Run, focus: JsonObject | Node | None) -> JsonObject:
    traced: list[Traced] = []
    around = {"resource": run.asked.resource, "rootResource": run.asked.resource}
    told = {"trace": lambda name, items: traced.append((name, items))}
    found = run.collection("expression", run.asked.expression, focus, **around, **told)
    parts = [as_parameter(node, r4_model()) for node in found]
    traces = [_trace(name, items) for name, items in traced]
    return {"name": "result", "part": [*parts, *traces]} if parts or traces else {"name": "result"}


def _trace(name: str, items: Collection) -> JsonObject:
    parts = [as_parameter(node, r4_model()) for node in items]
    return {"name": "trace", "valueString": name or "trace", **({"part": parts} if parts else {})}


def _refused(error: FhirPathError | EvaluationError, name: str, text: str) -> FhirError:
    """The failure as a response tells it, with line and column in the expression in both languages."""
    found = error.issue(name)
    params = dict(found.params)
    line = column = 0
    if error.position is not None:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        params["en"] = f"{found.text('en')} ({name}, line {line}, column {column})"
        params["zh"] = f"{found.text('zh')}（{name} 第 {line} 行第 {column} 列）"
    told = Issue(found.severity, found.code, found.key, name, params, line, column)
    if found.code == "too-costly":
        return TooCostly(told)
    return InvalidRequest(told) if isinstance(error, FhirPathError) else ResourceInvalid(told)
