"""Questionnaires derived from others, https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.derivedFrom."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, found, joined, shown, warned
from fhir_server.validation.rules.canonical import find_canonical
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.questionnaire_form import Form, Item, Value, choice_of, read_form, values_by_url
from fhir_server.validation.rules.questionnaire_options import is_chosen
from fhir_server.validation.site import Build, Scope

DERIVATION = "http://hl7.org/fhir/StructureDefinition/questionnaire-derivationType"
SYSTEM = "http://hl7.org/fhir/questionnaire-derivationType"


class Base(NamedTuple):
    """A form that another is derived from: which, and whether new items may be added."""

    url: str
    form: Form
    may_add: bool


def bases_of(questionnaire: JsonObject, scope: Scope, build: Build) -> tuple[list[Base], Findings | None]:
    """Returns the forms whose rules this one has to keep, and what is wrong with how it names them."""
    bases: list[Base] = []
    result: Findings | None = None
    urls = questionnaire.get("derivedFrom")
    for index, url in enumerate(urls if type(urls) is list else ()):
        base = find_canonical("Questionnaire", url, scope, build) if type(url) is str else None
        kind = _kind(questionnaire, index)
        more = _named_badly(url, kind, is_known=base is not None)
        result = joined(result, at(more, index, "derivedFrom")) if more else result
        if base is not None and kind in ("extends", "compliesWith"):
            bases.append(Base(url, read_form(base, base), kind == "extends"))
    return bases, result


def _kind(questionnaire: JsonObject, index: int) -> str:
    """Returns the code of how the form is derived: empty without one, `-` for one of another system."""
    siblings = questionnaire.get("_derivedFrom")
    beside = siblings[index] if type(siblings) is list and index < len(siblings) else None
    values = values_by_url(beside).get(DERIVATION, ()) if type(beside) is dict else ()
    coding = values[0].value if values else None
    if type(coding) is not dict:
        return ""
    return text_of(coding, "code") if coding.get("system") == SYSTEM else "-"


def _named_badly(url: Any, kind: str, *, is_known: bool) -> Findings | None:
    if not is_known:
        return warned("validation.questionnaire-derived-unknown", url=shown(url))
    if kind in ("extends", "compliesWith"):
        return None
    if kind == "inspiredBy":
        return [Finding("validation.questionnaire-derived-free", {"url": shown(url)}, Severity.INFORMATION)]
    return warned("validation.questionnaire-derived-kind", url=shown(url), found=kind or "-")


def check_derived(item: JsonObject, base: Base) -> Findings | None:
    """Checks an item against the item with the same linkId in a form that it is derived from."""
    link_id = text_of(item, "linkId")
    origin = base.form.by_link.get(link_id)
    params = {"url": base.url, "linkId": shown(link_id)}
    if origin is None:
        return None if base.may_add else found("validation.questionnaire-derived-new", **params)
    result: Findings | None = None
    for rule in _RULES:
        result = joined(result, rule(item, origin, params))
    return result


def _type(item: JsonObject, origin: Item, params: dict[str, str]) -> Findings | None:
    kind = item.get("type")
    if not origin.type or kind in (None, origin.type):
        return None
    return at(found("validation.questionnaire-derived-type", found=shown(kind), expected=origin.type, **params), "type")


def _repeats(item: JsonObject, origin: Item, params: dict[str, str]) -> Findings | None:
    if origin.repeats or item.get("repeats") is not True:
        return None
    return at(found("validation.questionnaire-derived-repeats", **params), "repeats")


def _required(item: JsonObject, origin: Item, params: dict[str, str]) -> Findings | None:
    if not origin.is_required or item.get("required") is not False:
        return None
    return at(found("validation.questionnaire-derived-required", **params), "required")


def _max_length(item: JsonObject, origin: Item, params: dict[str, str]) -> Findings | None:
    limit, length = origin.source.get("maxLength"), item.get("maxLength")
    if type(limit) is not int or (type(length) is int and length <= limit):
        return None
    return found("validation.questionnaire-derived-max-length", limit=limit, found=shown(length or "-"), **params)


def _options(item: JsonObject, origin: Item, params: dict[str, str]) -> Findings | None:
    offered = [value for _, one in objects(origin.source, "answerOption") if (value := choice_of(one, "value"))]
    if not offered:
        return None
    if "answerOption" not in item:
        return found("validation.questionnaire-derived-options", **params)
    result: Findings | None = None
    for index, one in objects(item, "answerOption"):
        value = choice_of(one, "value")
        if value is not None and not _is_offered(value, offered):
            new = found("validation.questionnaire-derived-option", **params)
            result = joined(result, at(new, index, "answerOption"))
    return result


def _is_offered(value: Value, offered: list[Value]) -> bool:
    return any(is_chosen(value, one) for one in offered)


def _value_set(item: JsonObject, origin: Item, params: dict[str, str]) -> Findings | None:
    if "answerValueSet" not in origin.source or "answerOption" not in item:
        return None
    return found("validation.questionnaire-derived-value-set", **params)


_RULES: tuple[Callable[[JsonObject, Item, dict[str, str]], Findings | None], ...] = (
    _type,
    _repeats,
    _required,
    _max_length,
    _options,
    _value_set,
)
