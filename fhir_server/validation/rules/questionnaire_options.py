"""Answers chosen from options or a value set, https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.answerOption."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, found, shown, warned
from fhir_server.validation.rules.objects import contained_as, objects, text_of
from fhir_server.validation.rules.questionnaire_compare import all_of, any_of
from fhir_server.validation.rules.questionnaire_form import Answering, Item, Value, choice_of, values_by_url

EXCLUSIVE = "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive"
CHOSEN = frozenset({"Coding", "date", "dateTime", "decimal", "integer", "Reference", "string", "time"})
"""Types of answers that options may restrict."""


def check_options(value: Value, item: Item, count: int, run: Answering) -> Findings | None:
    """Checks an answer against the options of its question; `count` is the number of answers given.

    A free text answers an `open-choice` question whatever the options are.
    """
    if value.type not in CHOSEN or (value.type == "string" and item.type == "open-choice"):
        return None
    if "answerOption" in item.source:
        return _among(value, item, count)
    url = item.source.get("answerValueSet")
    if not isinstance(url, str) or value.type not in ("Coding", "string") or item.type == "text":
        return None
    return _in_set(value, item, url, run)


def _among(value: Value, item: Item, count: int) -> Findings | None:
    for _, option in objects(item.source, "answerOption"):
        offered = choice_of(option, "value")
        if offered is not None and is_chosen(value, offered):
            return _exclusive(option, value, count)
    return found("validation.questionnaire-option", linkId=item.link_id, found=_written(value))


def _exclusive(option: JsonObject, value: Value, count: int) -> Findings | None:
    values = values_by_url(option).get(EXCLUSIVE, ())
    if count < 2 or not any(one.value is True for one in values):
        return None
    return found("validation.questionnaire-exclusive", found=_written(value), count=count)


def is_chosen(value: Value, offered: Value) -> bool:
    """Tells whether a value is the one that an option offers; the displays of codes do not count."""
    given, option = value.value, offered.value
    if type(given) is dict and type(option) is dict:
        names = ("reference",) if value.type == "Reference" else ("system", "code")
        return value.type == offered.type and all(given.get(name) == option.get(name) for name in names)
    if isinstance(given, (int, Decimal)):
        return bool(given == option)
    is_alike = value.type == offered.type or {value.type, offered.type} == {"date", "dateTime"}
    return is_alike and bool(given == option)


def _in_set(value: Value, item: Item, url: str, run: Answering) -> Findings | None:
    system, code = _pair(value)
    if value.type == "Coding" and not system:
        if item.type == "open-choice" and not code:
            return None
        return warned("validation.questionnaire-no-system", found=_written(value))
    is_in = is_member(url, system, code, run)
    if is_in is None:
        return warned("validation.questionnaire-value-set-unknown", valueSet=shown(url))
    return None if is_in else found("validation.questionnaire-value-set", found=_written(value), valueSet=shown(url))


def _pair(value: Value) -> tuple[str, str]:
    if type(value.value) is not dict:
        return "", str(value.value)
    return text_of(value.value, "system"), text_of(value.value, "code")


def _written(value: Value) -> str:
    if value.type == "Coding":
        return shown("#".join(_pair(value)))
    return shown(text_of(value.value, "reference") if type(value.value) is dict else value.value)


def is_member(url: str, system: str, code: str, run: Answering) -> bool | None:
    """Tells whether a code is in a value set, which may be contained (`#id`); None when that is not known here.

    Without a system any member with this code counts.
    """
    if not url.startswith("#"):
        return run.build.terminology.validate(url, system or None, code)
    value_set = contained_as("ValueSet", url[1:], run.form.holder)
    if value_set is None or type(value_set.get("compose")) is not dict:
        return None
    compose: JsonObject = value_set["compose"]
    excluded = _any_part(compose, "exclude", system, code, run)
    included = _any_part(compose, "include", system, code, run)
    if excluded is False:
        return included
    return False if excluded or included is False else None


def _any_part(compose: JsonObject, name: str, system: str, code: str, run: Answering) -> bool | None:
    return any_of(_in_part(part, system, code, run) for _, part in objects(compose, name))


def _in_part(part: JsonObject, system: str, code: str, run: Answering) -> bool | None:
    """Tells whether one include or exclude of a contained value set has the code; filters are not looked into."""
    if system and text_of(part, "system") not in ("", system):
        return False
    if "filter" in part:
        return None
    if "concept" in part:
        return code in _codes(one for _, one in objects(part, "concept"))
    sets: Any = part.get("valueSet")
    if type(sets) is list and "system" not in part:
        validate = run.build.terminology.validate
        return all_of(validate(url, system or None, code) for url in sets if type(url) is str)
    known = run.build.terminology.system(text_of(part, "system"))
    return code in known.concepts if known is not None and known.is_complete and not sets else None


def _codes(concepts: Iterable[JsonObject]) -> frozenset[str]:
    return frozenset(text_of(concept, "code") for concept in concepts)
