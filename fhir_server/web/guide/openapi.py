"""The API as an OpenAPI 3.1 document, https://spec.openapis.org/oas/v3.1.0; what it does not say the CapabilityStatement does."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fhir_server import __version__
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.patch import FORMATS
from fhir_server.web.guide.content import Operation, Parameter, TypeContent
from fhir_server.web.negotiation import FORM, MEDIA_TYPES

Paths = dict[str, JsonObject]
_ID = {"$ref": "#/components/parameters/id"}
_VERSION = {"$ref": "#/components/parameters/version"}
_ANY = "Resource"
_REFUSED = "Refused"
_BOTH = tuple(MEDIA_TYPES.values())
_MEDIA = {"Parameters": FORMATS}
"""What may be sent besides FHIR's own formats: a patch is Parameters, or JSON Patch."""
_RESULT = ("_count", "_sort", "_include", "_revinclude", "_summary", "_elements", "_total")
_HISTORY = ("_since", "_at", "_count")
_GENERAL: Mapping[str, str] = {
    "_count": "Most entries on a page.",
    "_sort": "Search parameters by which matches are ordered, a minus before those that fall: -date,status.",
    "_include": "References of the matches to follow: Type:parameter.",
    "_revinclude": "What refers to the matches: Type:parameter.",
    "_summary": "true, text, data, count or false.",
    "_elements": "Elements that are wanted, with commas between them.",
    "_total": "none, estimate or accurate.",
    "_since": "Versions made at or after this instant.",
    "_at": "Versions that were current at some point of this period.",
    "_type": "Resource types that are searched, with commas between them.",
}
_HEADERS: Mapping[str, str] = {
    "If-Match": 'ETags of the version that is to be changed: W/"3".',
    "If-None-Match": 'ETags of the versions that are known: W/"3".',
    "If-Modified-Since": "Date of the version that is known.",
    "If-None-Exist": "Search criteria; a resource is created only when nothing matches them.",
    "Prefer": "return=minimal, return=representation or return=OperationOutcome; handling=strict or lenient.",
}
_ON_TYPE = {
    "search-type": ("get", "Search", "Bundle", _RESULT, ()),
    "create": ("post", "Create", "", (), ("If-None-Exist", "Prefer")),
    "update": ("put", "Update the one match of the criteria, or create", "", (), ("If-Match", "Prefer")),
    "patch": ("patch", "Change parts of the one match of the criteria", "", (), ("If-Match", "Prefer")),
    "delete": ("delete", "Delete what matches the criteria", "OperationOutcome", (), ("If-Match",)),
}
_ON_INSTANCE = {
    "read": ("get", "Read", "", ("_summary", "_elements"), ("If-None-Match", "If-Modified-Since")),
    "update": ("put", "Update, or create under this id", "", (), ("If-Match", "If-None-Match", "Prefer")),
    "patch": ("patch", "Change parts", "", (), ("If-Match", "Prefer")),
    "delete": ("delete", "Delete", "OperationOutcome", (), ("If-Match",)),
}
CRITERIA = "The criteria are search parameters, as in a search."


def openapi_document(base: str, types: Sequence[TypeContent], operations: Sequence[Operation]) -> JsonObject:
    """Returns the document of a server; `base` is the URL of its FHIR endpoint."""
    paths: Paths = dict(_system(operations))
    for content in types:
        paths |= dict(_of_type(content))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fhir-server",
            "version": __version__,
            "description": "FHIR R4 (4.0.1) for family-doctor contracts (家庭医生签约服务). Every answer may be asked for in JSON or XML.",
        },
        "servers": [{"url": base}],
        "tags": [{"name": one.name, "description": one.meaning} for one in types],
        "paths": paths,
        "components": _components(types),
    }


def _components(types: Sequence[TypeContent]) -> JsonObject:
    schemas = _schemas(types)
    refused = {"description": "Refused, with the reasons", "content": _content("OperationOutcome")}
    done = {name: {"description": f"Done: {name}", "content": _content(name)} for name in schemas}
    bodies = {name: {"content": _content(name, _MEDIA.get(name, _BOTH))} for name in schemas}
    return {
        "parameters": _parameters(),
        "schemas": schemas,
        "responses": {**done, _REFUSED: refused},
        "requestBodies": bodies,
    }


def _parameters() -> JsonObject:
    queries = {name: _query(name, text) for name, text in _GENERAL.items()}
    headers = {
        name: {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in _HEADERS.items()
    }
    places = {
        "id": "Logical id of the resource.",
        "version": "Version of the resource, from 1 on.",
    }
    return {
        **queries,
        **headers,
        **{
            name: {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in places.items()
        },
    }


def _schemas(types: Iterable[TypeContent]) -> JsonObject:
    found = {name: _schema(name, None) for name in ("Bundle", "CapabilityStatement", "OperationOutcome", "Parameters")}
    found |= {one.name: _schema(one.name, one.example) for one in types}
    return {_ANY: {"type": "object", "required": ["resourceType"]}, **found}


def _schema(type_: str, example: JsonObject | None) -> JsonObject:
    schema: JsonObject = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"const": type_}},
        "externalDocs": {"url": f"https://hl7.org/fhir/R4/{type_.lower()}.html"},
    }
    return schema if example is None else {**schema, "examples": [example]}


def _query(name: str, text: str, example: str = "") -> JsonObject:
    found: JsonObject = {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
    return {**found, "example": example} if example else found


def _system(operations: Iterable[Operation]) -> Iterator[tuple[str, JsonObject]]:
    shaped = [*_shared(_RESULT), *_shared(("_type",))]
    yield (
        "/",
        {
            "post": _call("Batch or transaction", "Bundle", sent="Bundle", parameters=_shared(("Prefer",))),
            "get": _call("Search several types", "Bundle", parameters=shaped),
        },
    )
    yield "/metadata", {"get": _call("What this server can do", "CapabilityStatement")}
    yield "/_history", {"get": _call("History of everything", "Bundle", parameters=_shared(_HISTORY))}
    for one in operations:
        yield f"/${one.name}", _operation(one, [])


def _of_type(content: TypeContent) -> Iterator[tuple[str, JsonObject]]:
    name, offered = content.name, content.interactions
    criteria = [_search_parameter(p) for p in content.parameters]
    on_type = _calls(content, _ON_TYPE, [], criteria)
    yield f"/{name}", on_type
    if "search-type" in offered:
        form = {FORM: {"schema": {"type": "object"}}}
        search = _call("Search by a form", "Bundle", tag=name)
        same = _call(f"Search, with the parameters of /{name}", "Bundle", tag=name)
        yield f"/{name}/_search", {"get": same, "post": {**search, "requestBody": {"content": form}}}
    if "history-type" in offered:
        yield f"/{name}/_history", {"get": _call("History", "Bundle", tag=name, parameters=_shared(_HISTORY))}
    yield f"/{name}/{{id}}", _calls(content, _ON_INSTANCE, [_ID], [])
    if "history-instance" in offered:
        past = [_ID, *_shared(_HISTORY)]
        yield f"/{name}/{{id}}/_history", {"get": _call("History of one", "Bundle", tag=name, parameters=past)}
    if "vread" in offered:
        version = {"get": _call("Read a version", name, tag=name, parameters=[_ID, _VERSION])}
        yield f"/{name}/{{id}}/_history/{{version}}", version
    for one in content.operations:
        if one.place.on_type:
            yield f"/{name}/${one.name}", _operation(one, [], name)
        if one.place.on_instance:
            yield f"/{name}/{{id}}/${one.name}", _operation(one, [_ID], name)


def _calls(
    content: TypeContent,
    table: Mapping[str, tuple[str, str, str, Sequence[str], Sequence[str]]],
    place: Sequence[JsonObject],
    criteria: Sequence[JsonObject],
) -> JsonObject:
    """Returns the operations of one path: those interactions of a table that the type offers."""
    found = {}
    for code, (verb, title, answer, queries, headers) in table.items():
        if code in content.interactions:
            parameters = [*place, *(criteria if verb == "get" else ()), *_shared((*queries, *headers))]
            sent = {"post": content.name, "put": content.name, "patch": "Parameters"}.get(verb, "")
            found[verb] = _call(title, answer or content.name, tag=content.name, sent=sent, parameters=parameters)
            if "criteria" in title:
                found[verb]["description"] = CRITERIA
    return found


def _search_parameter(parameter: Parameter) -> JsonObject:
    about = f"{parameter.kind}: {parameter.meaning}" if parameter.meaning else parameter.kind
    return _query(parameter.code, about, parameter.sample)


def _shared(names: Iterable[str]) -> list[JsonObject]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _operation(operation: Operation, place: Sequence[JsonObject], tag: str = "") -> JsonObject:
    queries = [_query(i.name, f"{i.type} {i.cardinality} {i.meaning}".strip()) for i in operation.inputs if i.type]
    found = {}
    for verb in operation.place.verbs:
        sent, given = ("Parameters", place) if verb == "POST" else ("", [*place, *queries])
        found[verb.lower()] = {
            **_call(operation.title, _ANY, tag=tag, sent=sent, parameters=given),
            "externalDocs": {"url": operation.definition, "description": f"${operation.name}"},
        }
    return found


def _call(
    title: str, answer: str, *, tag: str = "", sent: str = "", parameters: Sequence[JsonObject] = ()
) -> JsonObject:
    found: JsonObject = {"summary": title}
    if tag:
        found["tags"] = [tag]
    if parameters:
        found["parameters"] = list(parameters)
    if sent:
        found["requestBody"] = {"$ref": f"#/components/requestBodies/{sent}"}
    responses = {"2XX": answer, "default": _REFUSED}
    return {**found, "responses": {code: {"$ref": f"#/components/responses/{one}"} for code, one in responses.items()}}


def _content(type_: str, media: Iterable[str] = _BOTH) -> JsonObject:
    return {name: {"schema": {"$ref": f"#/components/schemas/{type_}"}} for name in media}
