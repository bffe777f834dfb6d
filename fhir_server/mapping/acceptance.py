"""A quick yes for records that break nothing, which most are; the JSON Schema says what is wrong with the others.

See https://json-schema.org/draft/2020-12/schema.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from fhir_server.mapping.form import Field
from fhir_server.mapping.record import Code, Unverified

Accepts = Callable[[Any], bool]
_DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")


def accepts_of(fields: Mapping[str, Field]) -> Accepts:
    """Returns a test that is true only for values that the schema of these fields finds nothing wrong with.

    It may be false for others that are right as well: then the schema is asked. Costs about a microsecond a field.
    """
    known = {name: _several(field) if field.repeats else _single(field) for name, field in fields.items()}
    required = tuple(name for name, field in fields.items() if field.required)

    def accepts(values: Any) -> bool:
        if type(values) is not dict or not all(name in values for name in required):
            return False
        return all((test := known.get(name)) is not None and test(value) for name, value in values.items())

    return accepts


def _several(field: Field) -> Accepts:
    single = _single(field)

    def accepts(values: Any) -> bool:
        is_short = type(values) is list and (field.max is None or len(values) <= field.max)
        return is_short and all(map(single, values))

    return accepts


def _single(field: Field) -> Accepts:
    if field.type == "group":
        return accepts_of(field.fields)
    if field.type == "code":
        return _code(field)
    if field.type in {"integer", "decimal"}:
        return _number(field)
    return _TYPES[field.type](field)


def _code(field: Field) -> Accepts:
    is_open = field.unknown != "reject"
    return lambda value: isinstance(value, Code) and (is_open or value.code in field.options)


def _number(field: Field) -> Accepts:
    kinds = (int,) if field.type == "integer" else (int, Decimal)
    low, high = field.low, field.high

    def accepts(value: Any) -> bool:
        return type(value) in kinds and (low is None or value >= low) and (high is None or value <= high)

    return accepts


def _string(field: Field) -> Accepts:
    if field.pattern:
        pattern = re.compile(field.pattern)
        return lambda value: type(value) is str and pattern.fullmatch(value) is not None
    return lambda value: type(value) is str or isinstance(value, Unverified)


_TYPES: dict[str, Callable[[Field], Accepts]] = {
    "string": _string,
    "date": lambda _: lambda value: type(value) is str and _DATE.fullmatch(value) is not None,
    "datetime": lambda _: lambda value: type(value) is str and _DATE.fullmatch(value) is not None,
    "boolean": lambda _: lambda value: type(value) is bool,
}
