"""Parameters of an operation, from the query and from a Parameters body, as its OperationDefinition declares them.

See https://hl7.org/fhir/R4/operations.html#request. What is not declared, not supported, repeated or of another type is
refused by its name, all of it at once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.errors import InvalidRequest, Issue, ResourceInvalid, has_errors, issue
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest

DEFINITIONS = "http://hl7.org/fhir/OperationDefinition/"

_TEXT = frozenset({"uri", "url", "canonical", "code", "string", "id", "dateTime", "date"})
_COMPLEX = frozenset({"Coding", "CodeableConcept"})
_FORMATTING = ("_format", "_pretty")
_SHAPE = frozenset({"structure", "required", "value", "invalid"})
"""Issue codes of resources that cannot be read as what they claim to be."""

_INTEGER = re.compile(r"0|[1-9][0-9]{0,8}")
_WHOLE = re.compile(r"(valueInteger: )?-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters of one call: name -> values in their order. A value is text, bool, int, or a JSON object."""

    values: Mapping[str, tuple[Any, ...]]

    def one(self, name: str) -> Any:
        """Returns the value of a parameter, or None."""
        return self.values.get(name, (None,))[0]

    def all(self, name: str) -> tuple[Any, ...]:
        """Returns the values of a repeating parameter."""
        return self.values.get(name, ())

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Returns a boolean parameter."""
        found = self.one(name)
        return default if found is None else bool(found)


@dataclass(frozen=True, slots=True)
class Declared:
    """One parameter of an operation: its type (`part` where it has parts) and whether it repeats."""

    name: str
    type: str
    repeats: bool


def read_input(parts: Parts, request: FhirRequest, operation: str, supported: Sequence[str]) -> Given:
    """Returns the parameters of a call of `operation` (`ValueSet-expand`), of which only `supported` are taken.

    A body may also be the resource itself that the operation has a parameter for.

    Raises:
        InvalidRequest: parameters that cannot be taken, each with its reason.
        ResourceInvalid: a resource among them is not valid.
    """
    declared = _declared(parts, operation)
    issues: list[Issue] = []
    values: dict[str, list[Any]] = {}
    for name, found in (*_from_query(request, declared), *_from_body(request, declared)):
        problem = _problem(name, found, declared, supported)
        if problem is not None:
            issues.append(problem)
        else:
            values.setdefault(name, []).append(found)
    issues += [_repeated(n) for n, given in values.items() if len(given) > 1 and not declared[n].repeats]
    if issues:
        raise InvalidRequest(*issues)
    _check_resources(parts, values)
    return Given({name: tuple(given) for name, given in values.items()})


def _declared(parts: Parts, operation: str) -> Mapping[str, Declared]:
    definition = parts.definitions.operation(DEFINITIONS + operation) or {}
    return {
        one["name"]: Declared(one["name"], one.get("type", "part"), one["max"] != "1")
        for one in definition.get("parameter", ())
        if one["use"] == "in"
    }


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A value that is not of its parameter's type: the text or the kind of value that was found."""

    text: str


def _from_query(request: FhirRequest, declared: Mapping[str, Declared]) -> Iterator[tuple[str, Any]]:
    for name, text in request.query:
        type_ = declared[name].type if name in declared else "string"
        if name in _FORMATTING or (name in declared and type_ in _TEXT and not text):
            continue  # an input field that nobody filled in, `filter=`, says nothing, as in searches
        if type_ in _TEXT:
            yield name, text
        elif type_ == "boolean" and text in ("true", "false"):
            yield name, text == "true"
        elif type_ == "integer" and _INTEGER.fullmatch(text):
            yield name, int(text)
        else:
            yield name, _Wrong(text)


def _from_body(request: FhirRequest, declared: Mapping[str, Declared]) -> Iterator[tuple[str, Any]]:
    if not request.body.strip():
        return
    body = decode(request.body)
    if body.get("resourceType") != "Parameters":
        holder = next((d.name for d in declared.values() if d.type == body.get("resourceType")), None)
        if holder is None:
            found = body.get("resourceType")
            raise InvalidRequest.of("rest.resource-type-differs", "resourceType", found=found, expected="Parameters")
        yield holder, body
        return
    listed = body.get("parameter", [])
    for one in listed if isinstance(listed, list) else [listed]:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise InvalidRequest.of("terminology.parameter-nameless", "Parameters.parameter")
        yield one["name"], _value(one, declared)


def _value(parameter: JsonObject, declared: Mapping[str, Declared]) -> Any:
    known = declared.get(parameter["name"])
    if known is not None and known.type == "part":
        return parameter if isinstance(parameter.get("part"), list) else _Wrong("part")
    key, found = next(((k, v) for k, v in parameter.items() if k.startswith("value") or k == "resource"), ("", None))
    if known is None or _is_of(known.type, found):
        return found
    return _Wrong(key if isinstance(found, dict | list) else f"{key}: {found}")


def _is_of(type_: str, found: Any) -> bool:
    if type_ in _TEXT:
        return isinstance(found, str) and bool(found)
    if type_ == "boolean":
        return isinstance(found, bool)
    if type_ == "integer":
        return isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 10**9
    return isinstance(found, dict) and (type_ in _COMPLEX or found.get("resourceType") == type_)


def _problem(name: str, found: Any, declared: Mapping[str, Declared], supported: Sequence[str]) -> Issue | None:
    valid = ", ".join(supported)
    if name not in declared:
        return issue("terminology.parameter-unknown", name, name=name, valid=valid)
    if name not in supported:
        return issue("terminology.parameter-unsupported", name, name=name, valid=valid)
    if isinstance(found, _Wrong):
        type_ = declared[name].type
        if type_ == "integer" and _WHOLE.fullmatch(found.text):
            return issue("terminology.parameter-number", name, name=name, value=found.text[:80])
        return issue("terminology.parameter-type", name, name=name, type=type_, value=found.text[:80])
    return None


def _repeated(name: str) -> Issue:
    return issue("terminology.parameter-repeated", name, name=name)


def _check_resources(parts: Parts, values: Mapping[str, Sequence[Any]]) -> None:
    for given in values.values():
        for one in given:
            if isinstance(one, dict) and "resourceType" in one:
                check_resource(parts, one)


def check_resource(parts: Parts, resource: JsonObject) -> None:
    """Accepts a resource that has the shape of its type, so that it can be read without further questions.

    Raises:
        ResourceInvalid: it has not.
    """
    issues = [one for one in parts.validator.check(resource, use_meta=False) if one.code in _SHAPE]
    if has_errors(issues):
        raise ResourceInvalid(*issues)
