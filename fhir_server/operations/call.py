"""What operations on resources share: their parameters and the resource that they are called on.

See https://hl7.org/fhir/R4/operations.html#executing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fhir_server.errors import (
    BadStructure,
    BadValue,
    Language,
    MissingElement,
    NotFound,
    SearchParameterUnknown,
    issue,
)
from fhir_server.fhir.dates import Range, range_of
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceId
from fhir_server.interactions.body import resource_of
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest
from fhir_server.interactions.reading import gone
from fhir_server.store.contract import Key, Snapshot, Store, StoredVersion

_FORMATTING = ("_format", "_pretty")
_INVALID = "rest.parameter-invalid"


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters of one call in their order: those of the URL as text, those of the body as text or JSON object."""

    values: tuple[tuple[str, str | JsonObject], ...] = ()

    def text(self, name: str) -> str | None:
        """Returns a parameter's text, a boolean's `true` or a number's digits included; None when it is not given.

        Raises:
            BadValue: its value is an object.
        """
        found = next((v for n, v in self.values if n == name), None)
        if isinstance(found, dict):
            raise refused(name, "{...}", "operation.expected-plain")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns the values of a repeating parameter; each may be several with commas between them."""
        given = [v for n, v in self.values if n == name and isinstance(v, str)]
        return tuple(part.strip() for text in given for part in text.split(",") if part.strip())

    def flag(self, name: str) -> bool:
        """Returns a boolean parameter, false when it is not given.

        Raises:
            BadValue: neither true nor false.
        """
        text = self.text(name)
        if text not in (None, "true", "false"):
            raise refused(name, str(text), "operation.expected-flag")
        return text == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """Returns a count from 1 on, at most `most`, or the default.

        Raises:
            BadValue: not such a number.
        """
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal()) or len(text) > 9 or int(text) < 1:
            raise refused(name, text, "operation.expected-count")
        return min(int(text), most)

    def dates(self, parts: Parts, name: str) -> Range | None:
        """Returns the range of time that a date, dateTime or instant stands for.

        Raises:
            BadValue: not a date.
        """
        text = self.text(name)
        try:
            return None if text is None else range_of(text.replace(" ", "+"), parts.zone)
        except ValueError:
            raise refused(name, str(text), "operation.expected-date") from None

    def object(self, name: str) -> JsonObject:
        """Returns a resource or complex value.

        Raises:
            MissingElement: it is not given.
            BadValue: it is a plain value.
        """
        found = next((v for n, v in self.values if n == name), None)
        if found is None:
            raise MissingElement.of("operation.parameter-missing", name, name=name)
        if isinstance(found, str):
            raise refused(name, found, "operation.expected-object")
        return found

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters that a URL can carry."""
        return [(n, v) for n, v in self.values if isinstance(v, str)]


def refused(name: str, value: str, expected: str, **params: Any) -> BadValue:
    """Returns the error for a parameter value that cannot be taken; `expected` is the key that says what could be."""
    wanted = issue(expected, **params)
    told: dict[str, Any] = {"name": name, "value": value[:80]}
    languages: tuple[Language, ...] = ("en", "zh")
    texts = {of: issue(_INVALID, **told, expected=wanted.text(of)).text(of) for of in languages}
    return BadValue.of(_INVALID, name, **told, expected=wanted.text(), **texts)


def read_given(
    request: FhirRequest, once: Sequence[str], many: Sequence[str] = (), *, resource: str | None = None
) -> Given:
    """Returns the parameters of the URL and of a Parameters body.

    `once` are the names that may be given once, `many` those that may repeat. A body that is another resource is the
    value of the parameter `resource`.

    Raises:
        SearchParameterUnknown: another name; the issue lists the valid ones.
        BadStructure: the body is no Parameters, or one of its parameters has no name or no value.
        BadValue: a parameter is given twice.
    """
    given = read_any(request, resource=resource)
    valid = (*once, *many)
    for name, _ in given.values:
        if name not in valid:
            path = "/".join(request.path)
            raise SearchParameterUnknown.of(
                "rest.parameter-unknown", name, name=name, path=path, valid=", ".join(valid)
            )
        if name in once and sum(n == name for n, _ in given.values) > 1:
            raise BadValue.of("operation.parameter-repeated", name, name=name)
    return given


def read_any(request: FhirRequest, *, resource: str | None = None) -> Given:
    """Returns the parameters whatever their names.

    Raises:
        BadStructure: the body is no Parameters, or one of its parameters has no name or no value.
    """
    of_url = tuple(pair for pair in request.query if pair[0] not in _FORMATTING)
    if not request.body.strip():
        return Given(of_url)
    body = resource_of(request)
    if body["resourceType"] != "Parameters":
        if resource is None:
            raise BadStructure.of("operation.body-type", "resourceType", found=body["resourceType"])
        return Given((*of_url, (resource, body)))
    listed = body.get("parameter", [])
    found = listed if isinstance(listed, list) else [listed]
    return Given((*of_url, *(_pair(one, f"Parameters.parameter[{n}]") for n, one in enumerate(found))))


def _pair(one: Any, place: str) -> tuple[str, str | JsonObject]:
    name = one.get("name") if isinstance(one, dict) else None
    if not isinstance(name, str):
        raise BadStructure.of("operation.parameter-nameless", place)
    value = next((v for k, v in one.items() if k == "resource" or k.startswith("value")), None)
    if isinstance(value, bool):
        return name, "true" if value else "false"
    if isinstance(value, int | Decimal):
        return name, str(value)
    if isinstance(value, str | dict):
        return name, value
    raise BadStructure.of("operation.parameter-empty", place, name=name)


def check_type(target: Target, name: str, *types: str) -> None:
    """Accepts a call on one of these types.

    Raises:
        NotFound: another type; the issue says where the operation is.
    """
    if target.type not in types:
        raise NotFound.of("operation.type-invalid", name=name, type=target.type, valid=", ".join(types))


async def present(store: Store | Snapshot, key: Key) -> StoredVersion:
    """Returns the current version of a resource that is there.

    Raises:
        NotFound: there never was such a resource.
        Gone: it is deleted.
    """
    stored = await store.read(key)
    if stored is None:
        raise NotFound.of("rest.not-found", key=str(key))
    if stored.body is None:
        raise gone(stored)
    return stored


def key_of(target: Target) -> Key:
    """Returns the key of the instance that an operation was called on."""
    assert target.type is not None
    assert target.id is not None
    return Key(target.type, ResourceId(target.id))


def resource_in(stored: StoredVersion) -> JsonObject:
    """Returns the resource of a version that is no deletion."""
    assert stored.body is not None
    return decode(stored.body)
