"""Primitive values in JSON: type, format and range, https://hl7.org/fhir/R4/datatypes.html#primitive.

Every expression is linear in the length of its input.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from fhir_server.validation.report import Findings, found, shown
from fhir_server.validation.rules.json_types import wrong_json
from fhir_server.validation.rules.narrative import check_narrative
from fhir_server.validation.site import Check, Scope
from fhir_server.validation.sure import Source, described

STRING_MAX = 1024 * 1024
"""Longest string, in characters, https://hl7.org/fhir/R4/datatypes.html#string."""
INT_MAX = 2**31 - 1

_YEAR = r"(?!0000)[0-9]{4}"
_DAY = r"-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SPACE = re.compile(r"\s")
_BASE64 = re.compile(r"(?:[0-9A-Za-z+/]{4})*(?:[0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?", re.ASCII)

PATTERNS: Mapping[str, str] = {
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "oid": r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+",
    "uuid": r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "time": _TIME,
}
WORDS: Mapping[str, str] = {
    "code": r"\S+(?: \S+)*",
    "uri": r"\S+",
    "url": r"\S+",
    "canonical": r"\S+",
}
DATED: Mapping[str, str] = {
    "date": rf"{_YEAR}(?:-(?:0[1-9]|1[0-2])|{_DAY})?",
    "dateTime": rf"{_YEAR}(?:-(?:0[1-9]|1[0-2])|{_DAY}(?:T{_TIME}{_ZONE})?)?",
    "instant": rf"{_YEAR}{_DAY}T{_TIME}{_ZONE}",
}
INTEGERS: Mapping[str, tuple[int, int]] = {
    "integer": (-INT_MAX - 1, INT_MAX),
    "positiveInt": (1, INT_MAX),
    "unsignedInt": (0, INT_MAX),
}


def check_string(value: Any, _: Scope) -> Findings | None:
    """Tells whether a value is a FHIR string: not blank, no control characters, at most 1 MB."""
    # Two quick looks pass nearly all texts: a first character that is no space, and no control characters
    if type(value) is str and value[:1] > " " and value.isprintable() and len(value) <= STRING_MAX:
        return None
    return _faulty_string(value)


def _faulty_string(value: Any) -> Findings | None:
    if type(value) is not str:
        return wrong_json(value, "string")
    if not value:
        return found("validation.empty-string")
    if value.isspace():
        return found("validation.blank-string")
    if len(value) > STRING_MAX:
        return found("validation.string-too-long", length=len(value), max=STRING_MAX)
    control = _CONTROL.search(value)
    return found("validation.string-control", code=f"U+{ord(control[0]):04X}") if control else None


def _by_pattern(name: str, pattern: str) -> Check:
    matches = re.compile(rf"(?:{pattern})\Z").match

    def check(value: Any, _: Scope) -> Findings | None:
        if type(value) is str and matches(value):
            return None
        return _misformed(value, name)

    return check


def _by_word(name: str, pattern: str) -> Check:
    slow = _by_pattern(name, pattern)

    def check(value: Any, scope: Scope) -> Findings | None:
        # Printable characters without a space are what these types want, and are found so in a third of the time
        if type(value) is str and value.isprintable() and value and " " not in value:
            return None
        return slow(value, scope)

    return check


def _misformed(value: Any, name: str) -> Findings:
    if type(value) is not str:
        return wrong_json(value, "string")
    if not value:
        return found("validation.empty-string")
    return found("validation.primitive-format", type=name, value=shown(value))


def _by_date(name: str, pattern: str) -> Check:
    matches = re.compile(rf"(?:{pattern})\Z").match

    def check(value: Any, _: Scope) -> Findings | None:
        if type(value) is str and matches(value) and (value[8:10] < "29" or _is_day(value)):
            return None
        if type(value) is str and matches(value):
            return found("validation.date-unknown", value=shown(value))
        return _misformed(value, name)

    return check


def _is_day(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[5:7]), int(text[8:10]))
    except ValueError:
        return False
    return True


def check_boolean(value: Any, _: Scope) -> Findings | None:
    """Tells whether a value is true or false."""
    return None if value is True or value is False else wrong_json(value, "boolean")


def _by_range(name: str, least: int, most: int) -> Check:
    def check(value: Any, _: Scope) -> Findings | None:
        if type(value) is int:
            if least <= value <= most:
                return None
            return found("validation.number-range", type=name, value=shown(value), min=least, max=most)
        if isinstance(value, Decimal):
            return found("validation.primitive-format", type=name, value=shown(value))
        return wrong_json(value, "number")

    return check


def check_decimal(value: Any, _: Scope) -> Findings | None:
    """Tells whether a value is a JSON number."""
    if type(value) is int or isinstance(value, Decimal):  # bool is no int here, and a Decimal may know its spelling
        return None
    return wrong_json(value, "number")


def check_base64(value: Any, _: Scope) -> Findings | None:
    """Tells whether a value is Base64; white space between the characters is allowed."""
    if type(value) is not str or not value:
        return _misformed(value, "base64Binary")
    if _BASE64.fullmatch(value) or (_SPACE.search(value) and _BASE64.fullmatch(_SPACE.sub("", value))):
        return None
    return _misformed(value, "base64Binary")


CHECKS: Mapping[str, Check] = {
    "string": check_string,
    "markdown": check_string,
    "boolean": check_boolean,
    "decimal": check_decimal,
    "base64Binary": check_base64,
    "xhtml": check_narrative,
    **{name: _by_pattern(name, pattern) for name, pattern in PATTERNS.items()},
    **{name: _by_word(name, pattern) for name, pattern in WORDS.items()},
    **{name: _by_date(name, pattern) for name, pattern in DATED.items()},
    **{name: _by_range(name, *limits) for name, limits in INTEGERS.items()},
}
"""The check of every primitive type of R4."""


def _quickly(pattern: str, name: str, **objects: Any) -> None:
    """Gives a check its quick form: a look that settles most values, then the check itself."""
    check = CHECKS[name]

    def emit(source: Source, value: str) -> None:
        known = pattern.format(v=value, **{name: source.constant(one) for name, one in objects.items()})
        source.refuse_if(f"not ({known}) and {source.constant(check)}({value}, s) is not None")

    described(check, emit)


for _name in WORDS:
    _quickly("{v}.split(None, 1) == [{v}]", _name)
for _name in ("string", "markdown"):  # a text compares with no other JSON value
    _quickly("{v} > '!' and {v}.isprintable() and len({v}) < 1000", _name)
for _name in PATTERNS:
    _quickly("{matches}({v})", _name, matches=re.compile(rf"(?:{PATTERNS[_name]})\Z").match)
for _name in DATED:
    _quickly("{matches}({v}) and {v}[8:10] < '29'", _name, matches=re.compile(rf"(?:{DATED[_name]})\Z").match)
for _name, (_least, _most) in INTEGERS.items():
    _quickly(f"type({{v}}) is int and {_least} <= {{v}} <= {_most}", _name)
_quickly("{v} is True or {v} is False", "boolean")
_quickly("type({v}) is int or type({v}) is {decimal}", "decimal", decimal=Decimal)
