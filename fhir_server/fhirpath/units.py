"""Units of measure that quantities are compared and converted in, https://ucum.org/ucum (a working subset).

`measure_of` is the seam: whoever has all of UCUM passes a function of the same shape into the evaluation.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True, slots=True)
class Measure:
    """A unit in base units: `factor` times the product of base units to their powers, `(("g", 1), ("m", -3))`."""

    factor: Fraction
    dimensions: tuple[tuple[str, int], ...]


Units: TypeAlias = Callable[[str], Measure | None]
"""UCUM code -> its measure, or None when the code is unknown or not a plain factor (such as Cel)."""

CALENDAR = MappingProxyType(
    {
        "year": "year", "years": "year", "month": "month", "months": "month", "week": "week", "weeks": "week",
        "day": "day", "days": "day", "hour": "hour", "hours": "hour", "minute": "minute", "minutes": "minute",
        "second": "second", "seconds": "second", "millisecond": "millisecond", "milliseconds": "millisecond",
    }
)  # fmt: skip
"""Calendar words -> their singular, which is how a calendar unit is written in a Quantity here."""

UCUM_OF_CALENDAR = MappingProxyType(
    {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
)
"""Calendar units that equal a UCUM unit; years and months do not, http://hl7.org/fhirpath/N1/#time-valued-quantities."""

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18,
}  # fmt: skip

# code -> (factor, base units); the factor of a unit is exact, as UCUM defines it
_METRIC: dict[str, tuple[str, str]] = {
    "m": ("1", "m"), "g": ("1", "g"), "s": ("1", "s"), "rad": ("1", "rad"), "K": ("1", "K"), "C": ("1", "C"), "cd": ("1", "cd"),
    "mol": ("602214076000000000000000", ""), "eq": ("602214076000000000000000", ""), "osm": ("602214076000000000000000", ""),
    "L": ("1/1000", "m3"), "l": ("1/1000", "m3"), "Hz": ("1", "s-1"), "N": ("1000", "g.m.s-2"), "Pa": ("1000", "g.m-1.s-2"),
    "J": ("1000", "g.m2.s-2"), "W": ("1000", "g.m2.s-3"), "A": ("1", "C.s-1"), "V": ("1000", "g.m2.s-2.C-1"),
    "bar": ("100000000", "g.m-1.s-2"), "cal": ("4184", "g.m2.s-2"), "U": ("10036901266666666666666.6", "s-1"),
    "[iU]": ("1", "iU"), "[IU]": ("1", "iU"), "m[Hg]": ("133322387.415", "g.m-1.s-2"), "m[H2O]": ("9806650", "g.m-1.s-2"),
    "kat": ("602214076000000000000000", "s-1"), "t": ("1000000", "g"), "Bq": ("1", "s-1"), "Gy": ("1", "m2.s-2"), "Sv": ("1", "m2.s-2"),
}  # fmt: skip
_PLAIN: dict[str, tuple[str, str]] = {
    "min": ("60", "s"), "h": ("3600", "s"), "d": ("86400", "s"), "wk": ("604800", "s"), "a": ("31557600", "s"), "mo": ("2629800", "s"),
    "%": ("1/100", ""), "[ppth]": ("1/1000", ""), "[ppm]": ("1/1000000", ""), "[pH]": ("1", "pH"), "deg": ("1", "deg"),
    "[in_i]": ("0.0254", "m"), "[ft_i]": ("0.3048", "m"), "[mi_i]": ("1609.344", "m"), "[yd_i]": ("0.9144", "m"),
    "[lb_av]": ("453.59237", "g"), "[oz_av]": ("28.349523125", "g"), "[gr]": ("0.06479891", "g"), "[arb'U]": ("1", "arb"),
    "[drp]": ("1/20000000", "m3"), "10*": ("10", ""), "10^": ("10", ""), "atm": ("101325000", "g.m-1.s-2"),
}  # fmt: skip
_FACTOR = re.compile(
    r"(?P<unit>\[[^\]]*\]|10[*^]|[A-Za-z%]*\[[^\]]*\]|[A-Za-z%]+)?(?P<number>[+-]?\d+)?(?:\{[^{}]*\})?"
)
_TOKEN = re.compile(r"[./()]|(?:\{[^{}]*\}|\[[^\]]*\]|[^./(){}\[])+")


@lru_cache(4096)
def measure_of(code: str) -> Measure | None:
    """Returns what a UCUM code measures, or None when this subset does not know it."""
    tokens = _TOKEN.findall(code)
    if "".join(tokens) != code or not tokens:
        return None
    product = _product(tokens)
    return product if product is not None and not tokens else None


def _product(tokens: list[str]) -> Measure | None:
    """Takes a product of factors off the front of `tokens`, up to the end or a closing bracket."""
    result: Measure | None = Measure(Fraction(1), ())
    sign = 1
    if tokens[0] == "/":
        sign = -1
        tokens.pop(0)
    if not tokens or tokens[0] == ")":
        return None
    while tokens and tokens[0] != ")":
        factor = _factor(tokens)
        if factor is None or result is None:
            return None
        result = times(result, power(factor, sign))
        if not tokens or tokens[0] == ")":
            break
        sign = {"/": -1, ".": 1}.get(tokens.pop(0), 0)
        if sign == 0 or not tokens:
            return None
    return result


def _factor(tokens: list[str]) -> Measure | None:
    if tokens[0] != "(":
        return _atom(tokens.pop(0))
    tokens.pop(0)
    inner = _product(tokens) if tokens else None
    if inner is None or not tokens or tokens.pop(0) != ")":
        return None
    return inner


def _atom(text: str) -> Measure | None:
    found = _FACTOR.fullmatch(text)
    if found is None:
        return None
    unit, number = found["unit"], found["number"]
    if unit is None:
        return Measure(Fraction(int(number or 1)), ())
    known = _unit(unit)
    return None if known is None else power(known, int(number or 1))


def _unit(code: str) -> Measure | None:
    entry = _PLAIN.get(code) or _METRIC.get(code)
    if entry is not None:
        return _measure(*entry)
    for prefix, exponent in _PREFIXES.items():
        entry = _METRIC.get(code[len(prefix) :]) if code.startswith(prefix) else None
        if entry is not None:
            return times(Measure(Fraction(10) ** exponent, ()), _measure(*entry))
    return None


def _measure(factor: str, bases: str) -> Measure:
    dimensions = {}
    for part in filter(None, bases.split(".")):
        name = part.rstrip("-0123456789")
        dimensions[name] = int(part[len(name) :] or 1)
    return Measure(Fraction(factor), tuple(sorted(dimensions.items())))


def times(a: Measure, b: Measure) -> Measure:
    """Returns the product of two measures."""
    sums = dict(a.dimensions)
    for name, exponent in b.dimensions:
        sums[name] = sums.get(name, 0) + exponent
    return Measure(a.factor * b.factor, tuple(sorted((n, e) for n, e in sums.items() if e)))


def power(a: Measure, exponent: int) -> Measure:
    """Returns a measure to a whole power."""
    return Measure(a.factor**exponent, tuple((n, e * exponent) for n, e in a.dimensions if exponent))


def code_of(dimensions: tuple[tuple[str, int], ...]) -> str:
    """Returns the UCUM code of a product of base units, `g.m-3`, or `1`."""
    return ".".join(n if e == 1 else f"{n}{e}" for n, e in dimensions) or "1"
