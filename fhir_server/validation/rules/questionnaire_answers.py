"""One answer: its type, its options and its limits, https://hl7.org/fhir/R4/valueset-item-type.html."""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, listing
from fhir_server.validation.rules.questionnaire_form import Answering, Item, Value, choice_of
from fhir_server.validation.rules.questionnaire_limits import check_limits
from fhir_server.validation.rules.questionnaire_options import check_options
from fhir_server.validation.rules.questionnaire_quantity import check_quantity
from fhir_server.validation.rules.questionnaire_targets import check_attachment, check_target

_OPTIONS = ("Coding", "date", "time", "integer", "string", "Reference")
TYPES: Mapping[str, Sequence[str]] = {
    "boolean": ("boolean",),
    "decimal": ("decimal",),
    "integer": ("integer",),
    "date": ("date",),
    "dateTime": ("dateTime",),
    "time": ("time",),
    "string": ("string",),
    "text": ("string",),
    "url": ("uri",),
    "choice": _OPTIONS,
    "open-choice": _OPTIONS,
    "attachment": ("Attachment",),
    "reference": ("Reference",),
    "quantity": ("Quantity",),
}
"""Type of an item -> the types that its answers may have."""
KNOWN = frozenset(type_ for types in TYPES.values() for type_ in types)
"""Types that R4 has for answers; its own check refuses all others."""


def check_answer(answer: JsonObject, item: Item, answers: Sequence[Any], run: Answering) -> Findings | None:
    """Checks the value of an answer; `answers` are all those of the item."""
    value = choice_of(answer, "value")
    allowed = TYPES.get(item.type)
    if value is None or allowed is None or value.type not in KNOWN:
        return None
    if value.type not in allowed:
        wrong = found(
            "validation.questionnaire-answer-type", linkId=item.link_id, found=value.type, expected=listing(allowed)
        )
        return at(wrong, f"value.ofType({value.type})")
    result = joined(check_limits(value, item), check_options(value, item, len(answers), run))
    result = joined(result, _of_object(value, item, run))
    return at(result, f"value.ofType({value.type})") if result else None


def _of_object(value: Value, item: Item, run: Answering) -> Findings | None:
    if type(value.value) is not dict:
        return None
    if value.type == "Quantity":
        return check_quantity(value, item, run)
    if value.type == "Attachment":
        return check_attachment(value.value, item)
    return check_target(value.value, item, run.scope) if value.type == "Reference" else None
