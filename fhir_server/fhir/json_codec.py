"""FHIR JSON bytes <-> resource dicts, with decimals and duplicate keys as https://hl7.org/fhir/R4/json.html wants.

A decimal keeps its text: `1.00` stays `1.00`, `1e3` stays `1e3`. NaN, lone surrogates, control characters and duplicate
keys are refused, and so are nesting deeper than `MAX_DEPTH` and numbers that are longer than `MAX_DIGITS`.
"""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn, Self

import msgspec

from fhir_server.errors import BadStructure, Issue, Severity, catalogue
from fhir_server.fhir.json_text import (
    Lines,
    offset_of_duplicate,
    offset_of_lone_surrogate,
    offset_of_scalar,
    offset_too_deep,
)
from fhir_server.fhir.shapes import JsonObject

MAX_DEPTH = 100
"""Deepest nesting of objects and arrays. The deepest official example has 20 levels."""
MAX_DIGITS = 1000
"""Longest decimal in characters, and its largest exponent. R4 asks for 18 digits; a longer one is an attack."""

SHORT = 65_536
"""Bytes up to which a text is laid out to see how deep it is."""

_DEEP = b"\n" + b" " * MAX_DEPTH
_BYTE = re.compile(r"\(byte (\d+)\)")
_SMALL = ("0.000000", "-0.000000")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class SpelledDecimal(Decimal):
    """A decimal that remembers its spelling, where `Decimal` alone would write another: with an exponent, or very small."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Returns the number that `text` spells."""
        number = super().__new__(cls, text)
        number.text = text
        return number


class _HugeNumber(Exception):
    """A number is longer than the limit."""


def _read_decimal(text: str) -> Decimal:
    is_plain = "e" not in text and "E" not in text and not text.startswith(_SMALL)
    if is_plain and len(text) <= MAX_DIGITS:
        return Decimal(text)
    if _is_huge(text):
        raise _HugeNumber
    return SpelledDecimal(text)


def _is_huge(text: str) -> bool:
    """Tells whether a number is too long to be read: in its digits, or by its exponent."""
    exponent = text.lower().partition("e")[2].lstrip("+-").lstrip("0")
    return len(text) > MAX_DIGITS or len(exponent) > 4 or int(exponent or "0") > MAX_DIGITS


def read_number(text: str) -> int | Decimal | None:
    """Returns what `decode` makes of a JSON number: an int without point and exponent, else a Decimal; None for others."""
    match = _NUMBER.fullmatch(text)
    if match is None or _is_huge(text):
        return None
    return int(text) if match[1] is match[2] is None else _read_decimal(text)


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
        BadStructure: not JSON, not an object, a duplicate key, nested too deeply, or a number too long; the issue says
            in which line and column.
    """
    text = data.removeprefix(b"\xef\xbb\xbf")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        _refuse_depth(text)
    except _HugeNumber:
        _refuse_number(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _refuse_malformed(text, str(error))
    if not isinstance(value, dict):
        _refuse(text, len(text) - len(text.lstrip()), "json.not-an-object", found=_name_of(value))
    if _may_be_deep(text):
        _check_depth(value, text)
    if _may_have_duplicates(value, text):
        _refuse_duplicates(text)
    return value


def _may_be_deep(text: bytes) -> bool:
    """Tells whether there may be more than `MAX_DEPTH` levels: whether a line of the text, laid out, is indented so far.

    A long text is not laid out: at a hostile depth it would become a thousand times as long.
    """
    return len(text) > SHORT or _DEEP in msgspec.json.format(text, indent=1)


def _check_depth(value: JsonObject, text: bytes) -> None:
    """Walks down level by level.

    Raises:
        BadStructure: there are more than `MAX_DEPTH` levels.
    """
    depth = 0
    level: list[Any] = [value]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            _refuse_depth(text)
        found: list[Any] = []
        for one in level:
            found += one.values() if type(one) is dict else one
        level = [one for one in found if type(one) is dict or type(one) is list]


def _may_have_duplicates(value: JsonObject, text: bytes) -> bool:
    """Tells whether what was read of a text is not all of it: written anew it is not the same without its spaces.

    Where it is spelled differently, escapes for one, it has another number of colons: a property that was lost had one.
    Colons within strings count on both sides, unless they are written as escapes.
    """
    written = encode(value)
    if text == written or (b"\\" not in text and msgspec.json.format(text, indent=-1) == written):
        return False
    return text.count(b":") != written.count(b":") or b"\\u003" in text


class _Duplicate(Exception):
    """A key stands twice."""


def _refuse_duplicates(data: bytes) -> None:
    """Runs the exact, slow check; a string that holds `":` only looks like a key and passes."""

    def pairs(found: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in found}) < len(found):
            raise _Duplicate

    text = data.decode()
    try:
        json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str)
    except _Duplicate:
        name, offset = offset_of_duplicate(text) or ("", 0)
        _refuse(data, offset, "json.duplicate-key", name=name)


def _refuse_depth(data: bytes) -> NoReturn:
    _refuse(data, offset_too_deep(_text_of(data), MAX_DEPTH), "json.too-deep", limit=MAX_DEPTH)


def _refuse_number(data: bytes) -> NoReturn:
    _refuse(data, offset_of_scalar(_text_of(data), _is_huge), "json.number-too-long", limit=MAX_DIGITS)


def _refuse_malformed(data: bytes, reason: str) -> NoReturn:
    """Says what is wrong and where, more precisely than the parser where it can be told."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        _refuse_fatally(before, len(before), f"byte 0x{data[error.start]:02x} is no UTF-8")
    if "out of range" in reason:
        _refuse_number(data)
    at = _BYTE.search(reason)
    offset = len(data[: int(at.group(1))].decode(errors="ignore")) if at else len(text)
    lone = offset_of_lone_surrogate(text)
    if lone is not None and lone <= offset:
        _refuse_fatally(text, lone, f"{text[lone : lone + 6]} is half of a surrogate pair")
    _refuse_fatally(text, offset, _BYTE.sub("", reason).strip())


def _refuse_fatally(text: str, offset: int, reason: str) -> NoReturn:
    place = Lines(text).place(offset)
    params = {"reason": reason, "line": place.line, "column": place.column}
    raise BadStructure(
        Issue(Severity.FATAL, catalogue()["json.malformed"].code, "json.malformed", "", params, *place)
    ) from None


def _refuse(data: bytes, offset: int, key: str, **params: Any) -> NoReturn:
    place = Lines(_text_of(data)).place(offset)
    raise BadStructure(Issue(Severity.ERROR, catalogue()[key].code, key, "", params, *place)) from None


def _text_of(data: bytes) -> str:
    return data.decode(errors="replace")


def _name_of(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", type(None): "null"}
    return names.get(type(value), "a number")
