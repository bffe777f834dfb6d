"""UCUM's special units: values that go through a function, such as degrees Celsius and pH, https://ucum.org/ucum#section-Special-Units-on-non-ratio-Scales.

A value on a special scale becomes a proper value in the unit that the scale is defined on (`Cel`: kelvin) and back.
Linear scales are exact; logarithmic ones have 34 significant digits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException, localcontext
from fractions import Fraction
from typing import TypeAlias

_CONTEXT = Context(prec=40, Emax=999_999, Emin=-999_999)
_DIGITS = Context(prec=34, Emax=999_999, Emin=-999_999)

_Number: TypeAlias = Callable[[Decimal], Decimal]


@dataclass(frozen=True, slots=True)
class Scale:
    """A special scale by the name of its function in ucum-essence, and the factor of a metric prefix before it."""

    function: str
    factor: Fraction = Fraction(1)

    def prefixed(self, factor: Fraction) -> "Scale":
        """Returns the scale with a prefix: 1 mCel is a thousandth on the Celsius scale, not a thousandth of a kelvin."""
        return Scale(self.function, self.factor * factor)


NONE = Scale("")
"""The scale of a product with a special unit in it: UCUM allows none, so there is no conversion."""

_OFFSETS: Mapping[str, Fraction] = {
    "Cel": Fraction("273.15"),
    "degF": Fraction("459.67"),
    "degRe": Fraction("218.52"),
}
_BASES: Mapping[str, tuple[Decimal, int]] = {
    "lg": (Decimal(10), 1),
    "lgTimes2": (Decimal(10), 2),
    "ld": (Decimal(2), 1),
    "pH": (Decimal(10), -1),
    "hpX": (Decimal(10), -1),
    "hpC": (Decimal(100), -1),
    "hpM": (Decimal(1000), -1),
    "hpQ": (Decimal(50000), -1),
}
"""Logarithms: the scale's value is `times` the logarithm to `base`."""


def is_known(scale: Scale) -> bool:
    """Tells whether values of a scale can be converted; the two tangents (`%[slope]`, `[p'diop]`) cannot."""
    return scale.function in _OFFSETS or scale.function in _BASES or scale.function in ("ln", "sqrt")


def proper(scale: Scale, value: Fraction) -> Fraction | None:
    """Returns the proper value of one on the scale; None when the scale has none, or the number grows beyond reason."""
    own = value * scale.factor
    if scale.function in _OFFSETS:
        return own + _OFFSETS[scale.function]
    if scale.function == "sqrt":
        return own * own
    if scale.function == "ln":
        return _computed(lambda x: x.exp(), own)
    if scale.function in _BASES:
        base, times = _BASES[scale.function]
        return _computed(lambda x: base ** (x / times), own)
    return None


def read(scale: Scale, value: Fraction) -> Fraction | None:
    """Returns the value on the scale of a proper one; None where there is none (the logarithm of nothing)."""
    found = _read(scale.function, value)
    return None if found is None else found / scale.factor


def _read(function: str, value: Fraction) -> Fraction | None:
    if function in _OFFSETS:
        return value - _OFFSETS[function]
    if function == "sqrt":
        return _computed(lambda x: x.sqrt(), value)
    if function == "ln":
        return _computed(lambda x: x.ln(), value)
    if function in _BASES:
        base, times = _BASES[function]
        return _computed(lambda x: x.ln() / base.ln() * times, value)
    return None


def _computed(function: _Number, value: Fraction) -> Fraction | None:
    with localcontext(_CONTEXT):
        try:
            return Fraction(_DIGITS.plus(function(Decimal(value.numerator) / Decimal(value.denominator))))
        except (DecimalException, ValueError, OverflowError):
            return None


def decimal_of(number: Fraction) -> Decimal:
    """Returns a fraction as a decimal: exact where it has a finite form of at most 34 digits, else rounded to 34."""
    with localcontext(_DIGITS):
        found = (Decimal(number.numerator) / Decimal(number.denominator)).normalize()
        return found.quantize(Decimal(1)) if 0 <= found.adjusted() < _DIGITS.prec and found == int(found) else found
