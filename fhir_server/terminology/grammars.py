"""Code systems that no list holds, known by their grammar: UCUM, MIME types, languages, URIs.

See https://hl7.org/fhir/R4/terminologies-systems.html.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fhir_server.fhir import ucum
from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology import languages
from fhir_server.terminology.filters import pattern

MIME, LANGUAGES, URIS = "urn:ietf:bcp:13", "urn:ietf:bcp:47", "urn:ietf:rfc:3986"

_TOP_LEVEL = "application|audio|example|font|haptics|image|message|model|multipart|text|video"
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+\-]{0,126}"
_VALUE = r"(?:[A-Za-z0-9!#$%&'*+.^_`|~\-]+|\"(?:[^\"\\\x00-\x1f]|\\.)*\")"
_MIME_TYPE = re.compile(rf"(?i:{_TOP_LEVEL})/{_NAME}(?: ?; ?{_NAME}={_VALUE})*")
_SHORT_FORMATS = frozenset({"xml", "json", "ttl"})
"""What R4 itself writes for its formats where MIME types are required, in every CapabilityStatement that it publishes."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"{}|\\^`]+")
_MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Grammar:
    """A code system whose codes are judged one by one: all of them cannot be listed."""

    url: str
    name: str
    is_code: Callable[[str], bool]
    display: Callable[[str, str | None], str | None]
    version: str | None = None
    properties: Callable[[str], Mapping[str, str]] = lambda _: {}
    """Properties that can be computed from a code."""

    def passes(self, code: str, filters: list[JsonObject]) -> bool | JsonObject:
        """Tells whether a code passes every filter, or returns the first filter that cannot be computed."""
        for one in filters:
            test = _test(self, one)
            if test is None:
                return one
            if not test(code):
                return False
        return True


def _test(grammar: Grammar, one: JsonObject) -> Callable[[str], bool] | None:
    operator, property_, value = one.get("op", ""), one.get("property", ""), str(one.get("value", ""))
    wanted = frozenset(value.split(","))
    if property_ in ("code", "concept"):
        simple: Mapping[str, Callable[[str], bool]] = {
            "=": lambda code: code == value,
            "in": lambda code: code in wanted,
            "not-in": lambda code: code not in wanted,
        }
        return pattern(value) if operator == "regex" else simple.get(operator)
    if operator == "=" and property_ in grammar.properties(""):
        computed = grammar.properties(value).get(property_)  # UCUM's canonical = a means: commensurable with a year
        return lambda code: grammar.properties(code).get(property_) == computed
    return None


def _is_mime_type(code: str) -> bool:
    return code in _SHORT_FORMATS or (len(code) <= _MAX_TEXT and _MIME_TYPE.fullmatch(code) is not None)


def _is_uri(code: str) -> bool:
    return len(code) <= _MAX_TEXT and _URI.fullmatch(code) is not None


def _canonical(code: str) -> Mapping[str, str]:
    unit = ucum.parse(code)
    return {"canonical": "" if unit is None else ucum.code_of(unit.dimensions)}


GRAMMARS: Mapping[str, Grammar] = {
    one.url: one
    for one in (
        Grammar(ucum.SYSTEM, "UCUM", ucum.is_valid, lambda code, _: ucum.name_of(code), "2.2", _canonical),
        Grammar(MIME, "MimeTypes", _is_mime_type, lambda code, _: code),
        Grammar(LANGUAGES, "LanguageTags", languages.is_tag, languages.name_of),
        Grammar(URIS, "Uris", _is_uri, lambda code, _: code),
    )
}
"""By the URL of the code system."""
