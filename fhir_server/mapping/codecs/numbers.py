"""Numbers of source cells, kept as they are written. https://hl7.org/fhir/R4/datatypes.html#decimal."""

import re
from decimal import Decimal

from fhir_server.mapping.codecs.text import BadText, folded

_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_THOUSANDS = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
MAX_DIGITS = 18


def parse_decimal(text: str, *, unit: str = "") -> Decimal:
    """Returns the number with all the digits it was written with (`1.00` stays `1.00`); the field's unit may follow it.

    Raises:
        BadText: thousands separators (they may be a decimal comma), exponents, more than 18 digits, or no number.
    """
    word = folded(text)
    if unit and not word[-1:].isdigit():
        word = word.removesuffix(folded(unit)).rstrip()
    if _THOUSANDS.fullmatch(word):
        raise BadText("mapping.thousands-separator")
    if not _NUMBER.fullmatch(word) or len(word) > MAX_DIGITS:
        raise BadText("mapping.not-number")
    return Decimal(_without_padding(word))


def _without_padding(word: str) -> str:
    """Leading zeros are no digits of a JSON number; `007` is 7 and `.5` is 0.5."""
    sign, digits = ("-", word[1:]) if word[0] == "-" else ("", word)
    whole, point, fraction = digits.partition(".")
    return sign + (whole.lstrip("0") or "0") + point + fraction


def parse_integer(text: str, *, unit: str = "") -> int:
    """Returns a whole number; `72.0` is one, `72.5` is not.

    Raises:
        BadText: no number, or one with a fraction.
    """
    number = parse_decimal(text, unit=unit)
    if number != number.to_integral_value():
        raise BadText("mapping.not-integer")
    return int(number)


def scaled(number: Decimal, factor: Decimal) -> Decimal:
    """Returns the product without trailing zeros that the factor brought in: 130 x 0.5 is 65, 130.5 x 0.5 is 65.25."""
    product = (number * factor).normalize()
    return Decimal(format(product, "f"))
