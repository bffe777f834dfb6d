"""Quantities as answers: their units and their bounds, https://hl7.org/fhir/R4/questionnaire-profiles.html."""

from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, found, joined, shown, warned
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.rules.questionnaire_compare import compare_quantities, has_formal_unit
from fhir_server.validation.rules.questionnaire_form import Answering, Item, Value
from fhir_server.validation.rules.questionnaire_limits import check_decimals
from fhir_server.validation.rules.questionnaire_options import is_member

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
MIN_QUANTITY = _SDC + "minQuantity"
MAX_QUANTITY = _SDC + "maxQuantity"
UNIT_OPTION = "http://hl7.org/fhir/StructureDefinition/questionnaire-unitOption"
UNIT_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/questionnaire-unitValueSet"


def check_quantity(value: Value, item: Item, run: Answering) -> Findings | None:
    """Checks a Quantity against the bounds and units that its question allows."""
    given: JsonObject = value.value
    result = joined(_bound(given, item.limit(MIN_QUANTITY), -1), _bound(given, item.limit(MAX_QUANTITY), 1))
    result = joined(result, check_decimals(given.get("value"), item))
    return joined(result, joined(_unit_option(given, item), _unit_in_set(given, item, run)))


def _bound(given: JsonObject, limit: Any, wrong: int) -> Findings | None:
    """Returns the finding that the order of answer and limit is the wrong one, or that there is none."""
    if type(limit) is not dict:
        return None
    params = {"found": written(given), "limit": written(limit)}
    if not has_formal_unit(given) or not has_formal_unit(limit):
        return found("validation.questionnaire-unit-informal", **params)
    order = compare_quantities(given, limit)
    if order is None:
        return found("validation.questionnaire-unit-other", **params) if "value" in given else None
    key = "validation.questionnaire-min-value" if wrong < 0 else "validation.questionnaire-max-value"
    return found(key, **params) if order == wrong else None


def _unit_option(given: JsonObject, item: Item) -> Findings | None:
    units = [unit.value for unit in item.limits.get(UNIT_OPTION, ()) if type(unit.value) is dict]
    if not units or any(_is_unit(given, unit) for unit in units):
        return None
    allowed = ", ".join(text_of(unit, "code") or text_of(unit, "display") for unit in units)
    return found("validation.questionnaire-unit-option", found=written(given), expected=shown(allowed))


def _is_unit(given: JsonObject, unit: JsonObject) -> bool:
    named = (("system", "system"), ("code", "code"), ("display", "unit"))
    return all(unit.get(ours) in (None, given.get(theirs)) for ours, theirs in named)


def _unit_in_set(given: JsonObject, item: Item, run: Answering) -> Findings | None:
    url = item.limit(UNIT_VALUE_SET)
    if not isinstance(url, str):
        return None
    is_in = is_member(url, text_of(given, "system"), text_of(given, "code"), run)
    if is_in is None:
        return warned("validation.questionnaire-value-set-unknown", valueSet=shown(url))
    return None if is_in else found("validation.questionnaire-unit-set", found=written(given), valueSet=shown(url))


def written(value: JsonObject) -> str:
    """Returns a Quantity as a sentence quotes it: number, unit, code."""
    code = text_of(value, "code")
    parts = [str(value.get("value", "-")), text_of(value, "unit"), f"({code})" if code else ""]
    return shown(" ".join(part for part in parts if part))
