"""JSON's own types, https://hl7.org/fhir/R4/json.html."""

from decimal import Decimal
from typing import Any

from fhir_server.validation.report import Findings, found

_JSON_NAMES = (
    (dict, "object"),
    (list, "array"),
    (str, "string"),
    (bool, "boolean"),
    ((int, Decimal), "number"),
)


def wrong_json(value: Any, expected: str) -> Findings:
    """Returns the finding that a value is of another JSON type than expected."""
    if value is None:
        return found("validation.null")
    return found("validation.json-type", expected=expected, found=json_name(value))


def json_name(value: Any) -> str:
    """Returns the JSON type of a value: object, array, string, number, boolean or null."""
    return next((name for type_, name in _JSON_NAMES if isinstance(value, type_)), "null")
