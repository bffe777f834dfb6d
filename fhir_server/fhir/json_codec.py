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
    if _count_keys(value) != len(_KEY.findall(text)):
        _refuse_duplicates(text)
    return value


def _count_keys(value: Any, depth: int = 1) -> int:
    if depth > MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        return len(value) + sum(_count_keys(v, depth + 1) for v in value.values() if type(v) in (dict, list))
    return sum(_count_keys(v, depth + 1) for v in value if type(v) in (dict, list))


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
