"""Scores of a MeasureReport: which scoring has one, with which unit, https://hl7.org/fhir/R4/measurereport.html."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.policy import Policy
from fhir_server.validation.report import Finding, Findings, at, found, joined, shown, warned
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy

SCORED = frozenset({"proportion", "ratio", "continuous-variable"})
SCORINGS = SCORED | {"cohort"}
UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
"""On a Measure: the unit of its score."""
OTHER_SCORE = "http://hl7.org/fhir/us/davinci-deqm/StructureDefinition/extension-alternateScoreType"
"""A score that is no number."""


def check_score(
    group: JsonObject, scoring: str, measure: JsonObject, policy: Policy, *, is_complete: bool
) -> Findings | None:
    """Checks the score of a group; a measure of an unknown scoring may have any."""
    score = group.get("measureScore")
    if scoring == "cohort":
        return at(found("validation.measure-score-cohort"), "measureScore") if score is not None else None
    if scoring not in SCORED:
        return None
    if type(score) is not dict:
        missing = [Finding("validation.measure-score-missing", {"scoring": scoring}, by_policy(policy))]
        return missing if is_complete else None
    result = _share(score) if scoring == "proportion" else _unit(score, scoring, measure)
    if "value" not in score and not _is_elsewhere(score):
        result = joined(result, found("validation.measure-score-value", scoring=scoring))
    return at(result, "measureScore") if result else None


def _is_elsewhere(score: JsonObject) -> bool:
    return "_value" in score or any(one.get("url") == OTHER_SCORE for _, one in objects(score, "extension"))


def _share(score: JsonObject) -> Findings | None:
    """Tells whether the score of a proportion is a number from 0 to 1 without a unit."""
    result: Findings | None = None
    for name in ("unit", "system", "code"):
        if name in score:
            result = joined(result, at(found("validation.measure-score-unit-none", element=name), name))
    value = score.get("value")
    if isinstance(value, (int, Decimal)) and not 0 <= value <= 1:
        result = joined(result, at(found("validation.measure-score-share", found=shown(value)), "value"))
    return result


def _unit(score: JsonObject, scoring: str, measure: JsonObject) -> Findings | None:
    unit = next(_units(measure), None)
    if unit is None:
        is_bare = scoring == "ratio" and "code" not in score
        return warned("validation.measure-score-unit-missing", scoring=scoring) if is_bare else None
    same = all(text_of(score, name) == text_of(unit, name) for name in ("system", "code"))
    if same:
        return None
    expected = f"{text_of(unit, 'system')}#{text_of(unit, 'code')}"
    return found("validation.measure-score-unit", expected=shown(expected), found=shown(text_of(score, "code") or "-"))


def _units(measure: JsonObject) -> Iterator[Any]:
    for _, extension in objects(measure, "extension"):
        if extension.get("url") == UNIT and type(extension.get("valueCoding")) is dict:
            yield extension["valueCoding"]
