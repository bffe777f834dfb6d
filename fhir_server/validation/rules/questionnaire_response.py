"""A QuestionnaireResponse against its Questionnaire, https://hl7.org/fhir/R4/questionnaireresponse.html#notes.

Which items may stand where, how often, in which order, and which may not be missing. The answers themselves are judged by
`questionnaire_answers.py`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, found, joined, shown, warned
from fhir_server.validation.rules.canonical import find_canonical
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.questionnaire_answers import check_answer
from fhir_server.validation.rules.questionnaire_compare import compare_moments
from fhir_server.validation.rules.questionnaire_enabled import is_enabled
from fhir_server.validation.rules.questionnaire_form import GROUPS, Answering, Form, Item, Trail, read_form
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Build, Check, Scope

FINISHED = frozenset({"completed", "amended"})
"""Statuses in which nothing that is required may be missing."""
MIN_OCCURS = "http://hl7.org/fhir/StructureDefinition/questionnaire-minOccurs"
MAX_OCCURS = "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs"
_EXAMPLE = ("http://example.org", "https://example.org")


def build_response(build: Build) -> Check:
    """Returns the check of a QuestionnaireResponse; forms that are loaded are read once."""
    forms: dict[tuple[str, str], Form] = {}

    def form_of(questionnaire: JsonObject) -> Form:
        name = (text_of(questionnaire, "url"), text_of(questionnaire, "version"))
        known = forms.get(name)
        if known is not None and known.holder is questionnaire:
            return known
        form = read_form(questionnaire, questionnaire)
        if build.definitions.resource("Questionnaire", name[0]) is questionnaire:
            forms[name] = form  # what clients send must not fill the memory
        return form

    def check(value: Any, scope: Scope) -> Findings | None:
        url = text_of(value, "questionnaire")
        if not url:
            return None
        questionnaire = find_canonical("Questionnaire", url, scope, build)
        if questionnaire is None:
            return at(_unknown(url), "questionnaire")
        form = read_form(questionnaire, scope.root) if url[0] == "#" else form_of(questionnaire)
        run = Answering(form, value, text_of(value, "status") in FINISHED, scope, build)
        return joined(_authored(value, questionnaire), check_items(form.items, value, (), run))

    return check


def _unknown(url: str) -> Findings:
    severity = Severity.INFORMATION if url.startswith(_EXAMPLE) else Severity.WARNING
    return [Finding("validation.questionnaire-unknown", {"url": shown(url)}, severity)]


def _authored(response: JsonObject, questionnaire: JsonObject) -> Findings | None:
    """Tells whether the answers were written while the form was in use."""
    period, authored = questionnaire.get("effectivePeriod"), response.get("authored")
    if type(period) is not dict:
        return None
    is_early = compare_moments(authored, period.get("start")) == -1
    if not is_early and compare_moments(authored, period.get("end")) != 1:
        return None
    params = {"start": period.get("start", "-"), "end": period.get("end", "-")}
    return at(warned("validation.questionnaire-period", authored=authored, **params), "authored")


def check_items(items: Sequence[Item], owner: JsonObject, trail: Trail, run: Answering) -> Findings | None:
    """Checks the items that stand below a response, a group or an answer, where the form has `items`."""
    order = {item.link_id: index for index, item in enumerate(items)}
    given: dict[str, list[tuple[int, JsonObject]]] = {}
    result: Findings | None = None
    last = -1
    for index, one in objects(owner, "item"):
        link_id = text_of(one, "linkId")
        place = order.get(link_id)
        if place is None:
            result = joined(result, _misplaced(link_id, one, index, trail, run))
            continue
        if place < last:
            wrong_order = found("validation.questionnaire-item-order", linkId=shown(link_id))
            result = joined(result, at(wrong_order, index, "item"))
        last = place
        given.setdefault(link_id, []).append((index, one))
    for item in items:
        result = joined(result, _check_item(item, given.get(item.link_id, ()), trail, run))
    return result


def _misplaced(link_id: str, one: JsonObject, index: int, trail: Trail, run: Answering) -> Findings | None:
    item = run.form.by_link.get(link_id)
    if item is None:
        unknown = found("validation.questionnaire-item-unknown", linkId=shown(link_id))
        return at(unknown, index, "item") if link_id else None
    above = run.form.above.get(link_id, "-")
    result = found("validation.questionnaire-item-place", linkId=shown(link_id), expected=shown(above))
    inner = (*trail, (item, one))
    return at(joined(result, _check_given(item, one, inner, run, enabled=None)) or [], index, "item")


def _check_item(item: Item, given: Sequence[tuple[int, JsonObject]], trail: Trail, run: Answering) -> Findings | None:
    enabled = is_enabled(item, trail, run)
    if not given:
        return _missing(item, run) if enabled and item.is_required else None
    result: Findings | None = None
    if len(given) > 1 and not item.repeats:
        twice = found("validation.questionnaire-item-repeats", linkId=shown(item.link_id), found=len(given))
        result = at(twice, given[1][0], "item")
    if item.type in GROUPS and enabled is not False:
        result = joined(result, _occurrences(item, len(given), run))
    for index, one in given:
        more = _check_given(item, one, (*trail, (item, one)), run, enabled=enabled)
        result = joined(result, at(more, index, "item")) if more else result
    return result


def _check_given(item: Item, one: JsonObject, trail: Trail, run: Answering, *, enabled: bool | None) -> Findings | None:
    """Checks one item of the response against the question, group or display that it answers."""
    text = text_of(one, "text")
    result: Findings | None = None
    if text and text not in item.texts:
        params = {"linkId": item.link_id, "found": shown(text)}
        result = at([Finding("validation.questionnaire-item-text", params, by_policy(run.scope.policy))], "text")
    if enabled is False:
        disabled = found("validation.questionnaire-item-disabled", linkId=item.link_id) if has_answer(one) else None
        return joined(result, disabled)
    check = _check_group if item.type in GROUPS else _check_question
    return joined(result, check(item, one, trail, run, enabled=bool(enabled)))


def _check_group(item: Item, one: JsonObject, trail: Trail, run: Answering, *, enabled: bool) -> Findings | None:
    result: Findings | None = None
    if any(objects(one, "answer")):
        result = found("validation.questionnaire-group-answer", linkId=item.link_id, type=item.type)
    if item.is_required and enabled and not any(objects(one, "item")):
        result = joined(result, _missing(item, run))
    return joined(result, check_items(item.items, one, trail, run))


def _check_question(item: Item, one: JsonObject, trail: Trail, run: Answering, *, enabled: bool) -> Findings | None:
    answers = list(objects(one, "answer"))
    result = _counted(item, len(answers), run) if enabled else None
    if any(objects(one, "item")):
        result = joined(result, found("validation.questionnaire-question-item", linkId=item.link_id))
    if len(answers) > 1 and not item.repeats:
        result = joined(result, found("validation.questionnaire-answer-repeats", linkId=item.link_id))
    if item.type == "display" and answers:
        result = joined(result, found("validation.questionnaire-display-answer", linkId=item.link_id))
    for index, answer in answers:
        more = joined(check_answer(answer, item, answers, run), check_items(item.items, answer, trail, run))
        result = joined(result, at(more, index, "answer")) if more else result
    return result


def _counted(item: Item, count: int, run: Answering) -> Findings | None:
    missing = _missing(item, run) if item.is_required and not count else None
    return joined(missing, _occurrences(item, count, run))


def _occurrences(item: Item, count: int, run: Answering) -> Findings | None:
    least, most = item.limit(MIN_OCCURS), item.limit(MAX_OCCURS)
    params = {"linkId": item.link_id, "found": count}
    if type(least) is int and count < least:
        return _open("validation.questionnaire-min-occurs", run, limit=least, **params)
    if type(most) is int and count > most:
        return found("validation.questionnaire-max-occurs", limit=most, **params)
    return None


def _missing(item: Item, run: Answering) -> Findings:
    return _open("validation.questionnaire-required", run, linkId=item.link_id)


def _open(key: str, run: Answering, **params: Any) -> Findings:
    """Returns a finding that is an error once the response is finished; before, it is work still to be done."""
    return [Finding(key, params, Severity.ERROR if run.is_finished else Severity.WARNING)]


def has_answer(item: JsonObject) -> bool:
    """Tells whether an item of a response has an answer, or one below it has."""
    return any(objects(item, "answer")) or _any_answer(inner for _, inner in objects(item, "item"))


def _any_answer(items: Iterable[JsonObject]) -> bool:
    return any(has_answer(item) for item in items)
