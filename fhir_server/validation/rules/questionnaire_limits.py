"""Limits that a question sets to texts, numbers and dates, https://hl7.org/fhir/R4/questionnaire-profiles.html."""

from decimal import Decimal
from functools import lru_cache
from typing import Any

import regex

from fhir_server.validation.report import Findings, found, joined, shown, warned
from fhir_server.validation.rules.questionnaire_compare import compare
from fhir_server.validation.rules.questionnaire_form import Item, Value

_EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
MIN_VALUE = _EXTENSION + "minValue"
MAX_VALUE = _EXTENSION + "maxValue"
MIN_LENGTH = _EXTENSION + "minLength"
MAX_DECIMALS = _EXTENSION + "maxDecimalPlaces"
REGEX = _EXTENSION + "regex"
ENTRY_FORMAT = _EXTENSION + "entryFormat"

LONGEST_PATTERN = 2_000
"""Most characters of a regular expression."""
LONGEST_MATCH_S = 0.05
"""Seconds after which matching is given up: a form may bring an expression that takes exponential time."""


def check_limits(value: Value, item: Item) -> Findings | None:
    """Checks an answer against the bounds, lengths and formats that its question sets."""
    if type(value.value) is str and value.type in ("string", "uri"):
        return _check_text(value.value, item)
    result = joined(_too_small(value, item), _too_large(value, item))
    return joined(result, check_decimals(value.value, item)) if value.type == "decimal" else result


def _too_small(value: Value, item: Item) -> Findings | None:
    least = item.limits.get(MIN_VALUE)
    if least is None or compare(value, least[0]) != -1:
        return None
    return found("validation.questionnaire-min-value", found=shown(value.value), limit=shown(least[0].value))


def _too_large(value: Value, item: Item) -> Findings | None:
    most = item.limits.get(MAX_VALUE)
    if most is None or compare(value, most[0]) != 1:
        return None
    return found("validation.questionnaire-max-value", found=shown(value.value), limit=shown(most[0].value))


def check_decimals(number: Any, item: Item) -> Findings | None:
    """Tells whether a number has no more decimal places than its question allows."""
    limit = item.limit(MAX_DECIMALS)
    if type(limit) is not int or not isinstance(number, Decimal):
        return None
    exponent = number.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    if places <= limit:
        return None
    return found("validation.questionnaire-decimals", found=shown(number), places=places, limit=limit)


def _check_text(text: str, item: Item) -> Findings | None:
    least, most = item.limit(MIN_LENGTH), item.source.get("maxLength")
    result: Findings | None = None
    if type(least) is int and len(text) < least:
        result = found("validation.questionnaire-min-length", length=len(text), limit=least)
    if type(most) is int and len(text) > most:
        result = joined(result, found("validation.questionnaire-max-length", length=len(text), limit=most))
    if item.type == "string" and ("\n" in text or "\r" in text):
        result = joined(result, warned("validation.questionnaire-line-break", linkId=item.link_id))
    return joined(result, _wrong_format(text, item))


def _wrong_format(text: str, item: Item) -> Findings | None:
    expression = item.limit(REGEX)
    if not isinstance(expression, str) or _is_match(expression, text) is not False:
        return None
    expected = item.limit(ENTRY_FORMAT) or expression
    return found("validation.questionnaire-format", found=shown(text), expected=shown(expected))


def _is_match(expression: str, text: str) -> bool | None:
    pattern = pattern_of(expression)
    if pattern is None:
        return None
    try:
        return pattern.fullmatch(text, timeout=LONGEST_MATCH_S) is not None
    except TimeoutError:
        return None


@lru_cache(maxsize=256)
def pattern_of(expression: str) -> Any:
    """Returns a compiled regular expression, or None for one that is too long or of another dialect."""
    if len(expression) > LONGEST_PATTERN:
        return None
    try:
        return regex.compile(expression)
    except (regex.error, OverflowError):
        return None
