"""Strings: http://hl7.org/fhirpath/N1/#string-manipulation, and the additions of FHIRPath 2.1 and 3.0."""

import base64
import binascii
import html
import json
import re
from collections.abc import Callable

from fhir_server.fhirpath.environment import Closure, Scope
from fhir_server.fhirpath.errors import too_costly
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, literal
from fhir_server.fhirpath.operators import MAX_TEXT, in_bounds
from fhir_server.fhirpath.singletons import integer_of, text_of
from fhir_server.fhirpath.syntax import Value

_JSON_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[\"\\/bfnrt])")
_JSON_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


def _on_texts(name: str, count: int, compute: Callable[..., Value | None]) -> Function:
    """Builds a function of a string and `count` further strings; any of them empty gives empty."""

    def call(scope: Scope, focus: Collection, *arguments: Collection) -> Collection:
        texts = [text_of(c, name) for c in (focus, *arguments)]
        if any(t is None for t in texts):
            return []
        result = compute(*texts)
        return [] if result is None or in_bounds(result) is None else [literal(result)]

    return Function(call, count, count)


def substring(text: str, start: int, length: int | None = None) -> str | None:
    """Returns the part of `text` from the 0-based `start`, at most `length` characters; None when start is outside."""
    if not 0 <= start < len(text):
        return None
    return text[start:] if length is None else text[start : start + max(length, 0)]


def _substring(scope: Scope, focus: Collection, start: Collection, length: Collection | None = None) -> Collection:
    text, at = text_of(focus, "substring()"), integer_of(start, "substring()")
    size = None if length is None else integer_of(length, "substring()")
    if text is None or at is None:
        return []
    part = substring(text, at, size)
    return [] if part is None else [literal(part)]


def replaced(text: str, wanted: str, by: str) -> str:
    """Returns the text with every `wanted` replaced; the size is known before it is built.

    Raises:
        EvaluationError: the result would be longer than an expression may build.
    """
    if len(text) + text.count(wanted) * (len(by) - len(wanted)) > MAX_TEXT:
        raise too_costly("a text", MAX_TEXT, "characters")
    return text.replace(wanted, by)


def _to_chars(scope: Scope, focus: Collection) -> Collection:
    return [literal(c) for c in text_of(focus, "toChars()") or ""]


def _split(scope: Scope, focus: Collection, separator: Collection) -> Collection:
    text, by = text_of(focus, "split()"), text_of(separator, "split()")
    if text is None or by is None:
        return []
    return [literal(part) for part in (text.split(by) if by else text)]


def _join(scope: Scope, focus: Collection, separator: Closure | None = None) -> Collection:
    between = text_of(separator(scope), "join()") if separator else ""
    parts = [text_of([node], "join()") for node in focus]
    joined = in_bounds((between or "").join(p for p in parts if p is not None))
    return [literal(joined)] if focus and joined is not None else []


def _encode(text: str, form: str) -> str | None:
    data = text.encode()
    match form:
        case "hex":
            return data.hex()
        case "base64":
            return base64.b64encode(data).decode()
        case "urlbase64":
            return base64.urlsafe_b64encode(data).decode()
    return None


def _decode(text: str, form: str) -> str | None:
    try:
        match form:
            case "hex":
                return bytes.fromhex(text).decode()
            case "base64":
                return base64.b64decode(text, validate=True).decode()
            case "urlbase64":
                return base64.b64decode(text, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        return None
    return None


def _escape(text: str, form: str) -> str | None:
    match form:
        case "html":
            return html.escape(text)
        case "json":
            return json.dumps(text, ensure_ascii=False)[1:-1]
    return None


def _unescape(text: str, form: str) -> str | None:
    match form:
        case "html":
            return html.unescape(text)
        case "json":
            units = _JSON_ESCAPE.sub(lambda m: _JSON_ESCAPES.get(m[1]) or chr(int(m[1][1:], 16)), text)
            return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return None


FUNCTIONS = {
    "indexOf": _on_texts("indexOf()", 1, str.find),
    "lastIndexOf": _on_texts("lastIndexOf()", 1, str.rfind),
    "substring": Function(_substring, 1, 2),
    "startsWith": _on_texts("startsWith()", 1, str.startswith),
    "endsWith": _on_texts("endsWith()", 1, str.endswith),
    "contains": _on_texts("contains()", 1, str.__contains__),
    "upper": _on_texts("upper()", 0, str.upper),
    "lower": _on_texts("lower()", 0, str.lower),
    "replace": _on_texts("replace()", 2, replaced),
    "length": _on_texts("length()", 0, len),
    "trim": _on_texts("trim()", 0, str.strip),
    "toChars": Function(_to_chars),
    "split": Function(_split, 1, 1),
    "join": Function(_join, most=1, lazy=True),
    "encode": _on_texts("encode()", 1, _encode),
    "decode": _on_texts("decode()", 1, _decode),
    "escape": _on_texts("escape()", 1, _escape),
    "unescape": _on_texts("unescape()", 1, _unescape),
}
