"""UCUM: unit codes parsed, compared and converted exactly, https://ucum.org/ucum.

Facts are those of ucum-essence 2.2 (`conformance/codes`). Only case-sensitive codes are codes in FHIR.
"""

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, TypeAlias

import msgspec

from fhir_server.data_files import data_folder
from fhir_server.fhir import ucum_scales

SYSTEM = "http://unitsofmeasure.org"
MAX_LENGTH = 256
"""Longest code that is read, in characters; ours is shorter than 60."""

_MAX_EXPONENT = 400
"""Largest power of a unit or of ten, either way: far beyond physics, and near enough to keep numbers small."""

Dimensions: TypeAlias = tuple[tuple[str, int], ...]
"""Base units with their powers, sorted: `(("g", 1), ("m", -3))`."""

_TOKEN = re.compile(r"\{[!-z|~]*\}|[./()]|(?:\[[^\[\]{}\s]*\]|[^./(){}\[\]\s])+")
_SIMPLE = re.compile(r"(?P<symbol>.*?)(?P<power>[+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit in base units: `factor` times the product of `dimensions`.

    `scale` is None for such a plain factor; else the code is a special unit (`Cel`, `[pH]`) whose values go through a
    function first, see `ucum_scales`. A special unit inside a product measures something and cannot be converted.
    """

    factor: Fraction
    dimensions: Dimensions
    scale: ucum_scales.Scale | None = None


ONE = Unit(Fraction(1), ())
"""The unit of plain numbers, UCUM's `1`."""


@lru_cache(4096)
def parse(code: str) -> Unit | None:
    """Returns what a case-sensitive UCUM code measures, or None when it is no UCUM code."""
    if not code or len(code) > MAX_LENGTH or not code.isascii():
        return None
    tokens = _TOKEN.findall(code)
    if "".join(tokens) != code:
        return None
    try:
        unit = _term(tokens)
    except (ValueError, IndexError):
        return None
    return None if tokens or abs(_magnitude(unit.factor)) > _MAX_EXPONENT else unit


def is_valid(code: str) -> bool:
    """Tells whether a text is a case-sensitive UCUM code."""
    return parse(code) is not None


def is_commensurable(a: str, b: str) -> bool:
    """Tells whether two codes measure the same, so that one can be converted into the other."""
    x, y = parse(a), parse(b)
    return x is not None and y is not None and x.dimensions == y.dimensions and _convertible(x) and _convertible(y)


def canonical(value: Decimal, code: str) -> tuple[Decimal, str] | None:
    """Returns a quantity in base units: `(5, "mg/dL")` is `(50, "g.m-3")`; None for no UCUM code, or one without conversion.

    The number is exact where it has a finite decimal form, else it has 34 significant digits. `%` and mol are plain
    numbers in UCUM (base code `1`); arbitrary units (`[iU]`) are bases of their own. The order of values is kept but for
    pH and the homeopathic potencies, where it turns round.
    """
    unit = parse(code)
    base = None if unit is None else to_base(value, unit)
    return None if unit is None or base is None else (_decimal(base), code_of(unit.dimensions))


def convert(value: Decimal, code: str, target: str) -> Decimal | None:
    """Returns a value of unit `code` in unit `target`, or None when they are not commensurable.

    Exact where the result has a finite decimal form, else 34 significant digits.
    """
    if not is_commensurable(code, target):
        return None
    source, wanted = parse(code), parse(target)
    base = None if source is None else to_base(value, source)
    found = None if base is None or wanted is None else _from_base(base, wanted)
    return None if found is None else _decimal(found)


def to_base(value: Decimal, unit: Unit) -> Fraction | None:
    """Returns a value in base units, exactly for all but logarithmic units; None when there is no conversion."""
    if not value.is_finite() or abs(value.adjusted()) > _MAX_EXPONENT:
        return None
    if unit.scale is None:
        return Fraction(value) * unit.factor
    proper = ucum_scales.proper(unit.scale, Fraction(value))
    return None if proper is None else proper * unit.factor


def code_of(dimensions: Dimensions) -> str:
    """Returns the UCUM code of a product of base units, `g.m-3`, or `1`."""
    return ".".join(n if e == 1 else f"{n}{e}" for n, e in dimensions) or "1"


def times(a: Unit, b: Unit) -> Unit:
    """Returns the product of two units."""
    if a == ONE:
        return b
    sums = dict(a.dimensions)
    for name, exponent in b.dimensions:
        sums[name] = sums.get(name, 0) + exponent
    scale = None if a.scale is None and b.scale is None else ucum_scales.NONE
    return Unit(a.factor * b.factor, tuple(sorted((n, e) for n, e in sums.items() if e)), scale)


def power(a: Unit, exponent: int) -> Unit:
    """Returns a unit to a whole power.

    Raises:
        ValueError: the power is too large to be meant.
    """
    if abs(exponent) > _MAX_EXPONENT:
        raise ValueError(exponent)
    scale = a.scale if exponent == 1 or a.scale is None else ucum_scales.NONE
    return Unit(a.factor**exponent, tuple((n, e * exponent) for n, e in a.dimensions if exponent), scale)


def name_of(code: str) -> str | None:
    """Returns an English reading of a code: `mg/dL` is `milligram per deciliter`; None when it is no code."""
    if not is_valid(code):
        return None
    words = {".": "·", "/": " per ", "(": "(", ")": ")"}
    read = "".join(words.get(t) or _token_name(t) for t in _TOKEN.findall(code))
    return read.strip() or None


def _convertible(unit: Unit) -> bool:
    return unit.scale is None or ucum_scales.is_known(unit.scale)


def _from_base(base: Fraction, unit: Unit) -> Fraction | None:
    proper = base / unit.factor
    return proper if unit.scale is None else ucum_scales.read(unit.scale, proper)


def _decimal(number: Fraction) -> Decimal:
    return ucum_scales.decimal_of(number)


def _magnitude(number: Fraction) -> int:
    """Returns about how many decimal digits stand before (or, negative, behind) the point."""
    return (number.numerator.bit_length() - number.denominator.bit_length()) * 3 // 10


def _term(tokens: list[str]) -> Unit:
    """Takes a term off the front of `tokens`, up to the end or a closing bracket.

    Raises:
        ValueError: it is no term.
        IndexError: it ends too early.
    """
    result, sign = ONE, 1
    if tokens[0] == "/":
        sign = -1
        tokens.pop(0)
    while True:
        result = times(result, power(_component(tokens), sign))
        if not tokens or tokens[0] == ")":
            return result
        sign = {"/": -1, ".": 1}.get(tokens.pop(0), 0)
        if not sign:
            raise ValueError


def _component(tokens: list[str]) -> Unit:
    token = tokens.pop(0)
    if token[0] == "{":
        return ONE
    if token == "(":  # noqa: S105  a bracket
        unit = _term(tokens)
        if tokens.pop(0) != ")":
            raise ValueError
    else:
        unit = _simple(token)
    if tokens and tokens[0][0] == "{":
        tokens.pop(0)
    return unit


def _simple(token: str) -> Unit:
    """Returns the unit of a number, or of a symbol with its power.

    Raises:
        ValueError: neither.
    """
    whole = symbol(token)
    if whole is not None:
        return whole
    if token.isdecimal():
        return Unit(Fraction(int(token)), ())
    found = _SIMPLE.fullmatch(token)
    known = symbol(found["symbol"]) if found and found["power"] else None
    if known is None or found is None:
        raise ValueError(token)
    return power(known, int(found["power"]))


@cache
def _facts() -> Mapping[str, Any]:
    file = data_folder("conformance") / "codes" / "ucum.json.gz"
    found: Mapping[str, Any] = msgspec.json.decode(gzip.decompress(file.read_bytes()))
    return found


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Yields the ways to read a symbol: without a prefix first, then with each prefix that it starts with."""
    yield "", text
    for prefix in _facts()["prefixes"]:
        if text.startswith(prefix):
            yield prefix, text[len(prefix) :]


def _found(text: str) -> tuple[str, str] | None:
    """Returns the prefix and the unit of a symbol; only metric units take a prefix."""
    facts = _facts()
    for prefix, code in _split(text):
        unit = facts["units"].get(code)
        if code in facts["bases"] or (unit and (not prefix or unit.get("metric"))):
            return prefix, code
    return None


@lru_cache(2048)
def symbol(text: str) -> Unit | None:
    """Returns the unit of one symbol, prefix included (`mmol`, `[in_i]`), or None."""
    found = _found(text)
    if found is None:
        return None
    prefix, code = found
    unit = _atom(code)
    if not prefix:
        return unit
    scale = Fraction(_facts()["prefixes"][prefix][0])
    if unit.scale is None:
        return Unit(unit.factor * scale, unit.dimensions)
    return Unit(unit.factor, unit.dimensions, unit.scale.prefixed(scale))


@cache
def _atom(code: str) -> Unit:
    facts = _facts()
    if code in facts["bases"]:
        return Unit(Fraction(1), ((code, 1),))
    unit = facts["units"][code]
    if unit.get("arbitrary") and unit["unit"] == "1":
        return Unit(Fraction(1), ((code, 1),))
    defined = _term(_TOKEN.findall(unit["unit"]))
    scale = ucum_scales.Scale(unit["function"]) if "function" in unit else None
    return Unit(Fraction(unit["value"]) * defined.factor, defined.dimensions, scale)


def _token_name(token: str) -> str:
    if token[0] == "{":
        return f" {token}"
    if token.isdecimal():
        return token
    found = _SIMPLE.fullmatch(token)
    parts = _found(token)
    exponent = ""
    if parts is None and found:
        parts, exponent = _found(found["symbol"]), f"^{found['power']}"
    if parts is None:
        return token
    facts = _facts()
    prefix = facts["prefixes"][parts[0]][1] if parts[0] else ""
    unit = facts["bases"].get(parts[1]) or facts["units"][parts[1]]["name"]
    return f"{prefix}{unit}{exponent}"
