"""Findings and failures: `Issue`, the catalogue of issue keys in two languages, and the tree of `FhirError`.

The class of an error **is** its row in the table of HTTP statuses and R4 issue codes
(https://hl7.org/fhir/R4/codesystem-issue-type.html). Exceptions stop a request; issues are collected and never do.
The sentences live in `fhir_server/messages/<room>.toml`, one entry a key: `en`, `zh`, and `code` (R4 issue code).
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, ClassVar, Literal, Self

Language = Literal["en", "zh"]


class Severity(StrEnum):
    """How bad a finding is, https://hl7.org/fhir/R4/valueset-issue-severity.html."""

    FATAL = "fatal"
    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True)
class Message:
    """One catalogue entry: the R4 issue code and the sentence in both languages, with `{named}` blanks."""

    code: str
    en: str
    zh: str


@cache
def catalogue() -> Mapping[str, Message]:
    """Returns every known issue key with its message, read once from `messages/*.toml`.

    Raises:
        ValueError: a key stands in two files.
    """
    found: dict[str, Message] = {}
    for file in sorted((Path(__file__).parent / "messages").glob("*.toml")):
        for key, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if key in found:
                msg = f"issue key {key!r} stands twice, again in {file.name}"
                raise ValueError(msg)
            found[key] = Message(entry["code"], entry["en"], entry["zh"])
    return found


class _Blanks(Formatter):
    """Fills `{name}` from the parameters and leaves an unknown blank as it stands."""

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key), "{" + str(key) + "}")


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding.

    `key` is a stable slug of the catalogue (`search.parameter-unknown`) or the key of a profile's invariant (`bp-1`);
    an invariant brings its own sentences as `params["en"]` and `params["zh"]`, which win over the catalogue.
    `path` is a FHIRPath expression (`Patient.name[0].given`), a parameter name for searches, or empty.
    `line` and `column` are 1-based places in the JSON text or source file; 0 means unknown.
    """

    severity: Severity
    code: str
    key: str
    path: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    column: int = 0

    def text(self, language: Language = "en") -> str:
        """Returns the sentence in the given language, blanks filled."""
        own = self.params.get(language)
        if isinstance(own, str):
            return own
        message = catalogue().get(self.key)
        if message is None:
            return self.key
        return _Blanks().vformat(message.en if language == "en" else message.zh, (), self.params)


def issue(key: str, path: str = "", /, *, severity: Severity = Severity.ERROR, **params: Any) -> Issue:
    """Builds a finding from its catalogue key; the R4 issue code is the catalogue's.

    Raises:
        KeyError: the catalogue has no such key.
    """
    return Issue(severity, catalogue()[key].code, key, path, params)


class FhirError(Exception):
    """A request stops here. Each subclass is one row of the error table.

    `public` tells whether the sentences may be told to clients; `retry_after_s` adds a Retry-After header.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"
    public: ClassVar[bool] = True
    retry_after_s: ClassVar[int | None] = None

    def __init__(self, *issues: Issue) -> None:
        super().__init__("; ".join(i.text() for i in issues))
        self.issues = issues

    @classmethod
    def of(cls, key: str, path: str = "", /, **params: Any) -> Self:
        """Builds the error around one finding of the catalogue, with the class's own issue code."""
        return cls(Issue(Severity.ERROR, cls.code, key, path, params))


class InvalidRequest(FhirError):
    """400: the request does not make sense."""

    status, code = 400, "invalid"


class MissingElement(FhirError):
    """400: something required is absent."""

    status, code = 400, "required"


class BadValue(FhirError):
    """400: a value cannot be read."""

    status, code = 400, "value"


class BadStructure(FhirError):
    """400: the body is not the JSON or the resource that it should be."""

    status, code = 400, "structure"


class SearchParameterUnknown(FhirError):
    """400: an unknown search parameter, modifier or chain."""

    status, code = 400, "not-supported"


class SearchValueInvalid(FhirError):
    """400: a search value cannot be read."""

    status, code = 400, "value"


class NotSupported(FhirError):
    """400: a legal request that this server does not offer."""

    status, code = 400, "not-supported"


class TooCostly(FhirError):
    """400: the request would cost more than the configured limit."""

    status, code = 400, "too-costly"


class Unauthorized(FhirError):
    """401: nobody is signed in."""

    status, code = 401, "login"


class Forbidden(FhirError):
    """403: not allowed, by whoever asks."""

    status, code = 403, "forbidden"


class NotFound(FhirError):
    """404: no such resource, version, type or route."""

    status, code = 404, "not-found"


class MethodNotAllowed(FhirError):
    """405: the route exists, the verb does not."""

    status, code = 405, "not-supported"


class NotAcceptable(FhirError):
    """406: no format that the client accepts."""

    status, code = 406, "not-supported"


class Conflict(FhirError):
    """409: the write contradicts what is stored."""

    status, code = 409, "conflict"


class Gone(FhirError):
    """410: deleted, or an expired page."""

    status, code = 410, "deleted"


class PreconditionFailed(FhirError):
    """412: If-Match names another version."""

    status, code = 412, "conflict"


class MultipleMatches(FhirError):
    """412: a conditional criterion matched several resources."""

    status, code = 412, "multiple-matches"


class TooLarge(FhirError):
    """413: the body is over the limit."""

    status, code = 413, "too-long"


class UnsupportedMedia(FhirError):
    """415: a content type that the server does not read."""

    status, code = 415, "not-supported"


class ResourceInvalid(FhirError):
    """422: the resource breaks R4 or its profile; the issues say where."""

    status, code = 422, "processing"


class BusinessRule(FhirError):
    """422: the resource is valid and a rule of the contract forbids it."""

    status, code = 422, "business-rule"


class Throttled(FhirError):
    """429: too many requests."""

    status, code, retry_after_s = 429, "throttled", 5


class NotImplementedHere(FhirError):
    """501: R4 defines it and this server does not do it."""

    status, code = 501, "not-supported"


class StoreUnavailable(FhirError):
    """503: the store cannot answer now; the same request may succeed later."""

    status, code, retry_after_s = 503, "transient", 2


class StoreTimeout(FhirError):
    """504: the store took longer than the limit."""

    status, code = 504, "timeout"


def has_errors(issues: Iterable[Issue]) -> bool:
    """Tells whether any finding is an error or fatal."""
    return any(i.severity in (Severity.ERROR, Severity.FATAL) for i in issues)
