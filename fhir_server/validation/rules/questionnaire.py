"""What a Questionnaire may ask, and depend on, https://hl7.org/fhir/R4/questionnaire.html#dependencies."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, shown, warned
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.questionnaire_derived import bases_of, check_derived
from fhir_server.validation.rules.questionnaire_parameters import check_parameters
from fhir_server.validation.site import Build, Check, Scope


class Asked(NamedTuple):
    """An item, where it stands (`(0, 2)` is the third item of the first), in the order of the form."""

    place: tuple[int, ...]
    item: JsonObject


def build_questionnaire(build: Build) -> Check:
    """Returns the check of a Questionnaire: its conditions name other questions, and it keeps to what it is derived from."""

    def check(value: Any, scope: Scope) -> Findings | None:
        asked = tuple(_asked(value, ()))
        by_link = {text_of(one.item, "linkId"): one for one in reversed(asked)}
        bases, result = bases_of(value, scope, build)

        def check_one(one: Asked) -> Findings | None:
            found_here = joined(_conditions(one, by_link), check_parameters(one.item, scope, build))
            for base in bases:
                found_here = joined(found_here, check_derived(one.item, base))
            return found_here

        return joined(result, _everywhere(asked, check_one))

    return check


def _asked(owner: JsonObject, place: tuple[int, ...]) -> Iterator[Asked]:
    for index, item in objects(owner, "item"):
        yield Asked((*place, index), item)
        yield from _asked(item, (*place, index))


def _everywhere(asked: tuple[Asked, ...], check: Callable[[Asked], Findings | None]) -> Findings | None:
    result: Findings | None = None
    for one in asked:
        more = check(one)
        for index in reversed(one.place):
            more = more and at(more, index, "item")
        result = joined(result, more)
    return result


def _conditions(one: Asked, by_link: dict[str, Asked]) -> Findings | None:
    result: Findings | None = None
    for index, condition in objects(one.item, "enableWhen"):
        more = _condition(text_of(condition, "question"), one, by_link)
        result = joined(result, at(more, index, "enableWhen")) if more else result
    return result


def _condition(question: str, one: Asked, by_link: dict[str, Asked]) -> Findings | None:
    """Tells whether the question that a condition names is another one of the form, best an earlier one."""
    target = by_link.get(question)
    if not question:
        return None  # R4's own check says that it is missing
    if target is None:
        return found("validation.questionnaire-condition-unknown", question=shown(question))
    depth = len(one.place)
    if target.place[:depth] == one.place:
        is_self = target.place == one.place
        key = "validation.questionnaire-condition-self" if is_self else "validation.questionnaire-condition-inner"
        return found(key, question=shown(question))
    is_earlier = target.place < one.place
    return None if is_earlier else warned("validation.questionnaire-condition-later", question=shown(question))
