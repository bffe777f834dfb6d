"""FHIR JSON bytes <-> resource dicts, with decimals and duplicate keys as https://hl7.org/fhir/R4/json.html wants.

A decimal keeps its text: `1.00` stays `1.00`, `1e3` stays `1e3`. NaN, lone surrogates, control characters and duplicate
keys are refused, and so is nesting deeper than `MAX_DEPTH`.
"""

import json
import re
from decimal import Decimal
from typing import Any, Self

import msgspec

from fhir_server.errors import BadStructure, Issue, Severity, catalogue
from fhir_server.fhir.shapes import JsonObject

MAX_DEPTH = 100
"""Deepest nesting of objects and arrays. The deepest official example has 20 levels."""

_KEY = re.compile(rb'"\s*:')
_SPACED_COLONS = (b" :", b"\n:", b"\t:", b"\r:")
_CONTAINERS = frozenset({dict, list})
_BYTE = re.compile(r"\(byte (\d+)\)")


class SpelledDecimal(Decimal):
    """A decimal written with an exponent; remembers its spelling, which `Decimal` alone would normalise."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Returns the number that `text` spells."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def _read_decimal(text: str) -> Decimal:
    return SpelledDecimal(text) if "e" in text or "E" in text else Decimal(text)


def _write_spelled(value: Any) -> Any:
    if isinstance(value, SpelledDecimal):
        return msgspec.Raw(value.text.encode())
    msg = f"{type(value).__name__} is no JSON value"
    raise TypeError(msg)


_DECODER = msgspec.json.Decoder(float_hook=_read_decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=_write_spelled)


def encode(value: Any) -> bytes:
    """Returns the canonical JSON bytes of a resource or any part of one: no spaces, UTF-8, keys in their order."""
    return _ENCODER.encode(value)


def decode(data: bytes) -> JsonObject:
    """Reads one JSON object.

    Raises:
        BadStructure: not JSON, not an object, a duplicate key, or nested too deeply; the issue says where.
    """
    text = data.removeprefix(b"\xef\xbb\xbf")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(text, str(error)) from None
    if not isinstance(value, dict):
        raise BadStructure.of("json.not-an-object", found=_name_of(value))
    if _count_keys(value) != _count_spelled_keys(text):
        _refuse_duplicates(text)
    return value


def _count_keys(value: JsonObject) -> int:
    """Counts the properties of all objects, level by level.

    Raises:
        BadStructure: there are more than `MAX_DEPTH` levels.
    """
    keys, depth = 0, 0
    level: list[Any] = [value]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep()
        objects = [one for one in level if type(one) is dict]
        keys += sum(map(len, objects))
        found: list[Any] = []
        for one in level:
            found += one.values() if type(one) is dict else one
        level = [one for one in found if type(one) in _CONTAINERS]
    return keys


def _count_spelled_keys(text: bytes) -> int:
    """Counts what looks like a property in the text: a quote and a colon, nearly always side by side."""
    if any(spaced in text for spaced in _SPACED_COLONS):
        return len(_KEY.findall(text))
    return text.count(b'":')


def _refuse_duplicates(text: bytes) -> None:
    """Runs the exact, slow check; a string that holds `":` only looks like a key and passes."""

    def pairs(found: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in found]
        for name in names:
            if names.count(name) > 1:
                raise BadStructure.of("json.duplicate-key", name=name)

    json.loads(text, object_pairs_hook=pairs)


def _too_deep() -> BadStructure:
    return BadStructure.of("json.too-deep", limit=MAX_DEPTH)


def _malformed(text: bytes, reason: str) -> BadStructure:
    at = _BYTE.search(reason)
    before = text[: int(at.group(1))] if at else text
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    reason = _BYTE.sub("", reason).strip()
    params = {"reason": reason, "line": line, "column": column}
    return BadStructure(
        Issue(Severity.FATAL, catalogue()["json.malformed"].code, "json.malformed", "", params, line, column)
    )


def _name_of(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", type(None): "null"}
    return names.get(type(value), "a number")
