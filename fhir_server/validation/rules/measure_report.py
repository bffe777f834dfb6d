"""A MeasureReport against its Measure, https://hl7.org/fhir/R4/measurereport.html.

Each group, population and stratifier of the report is one of the measure's, told by its code, and none is missing.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, found, joined, shown, warned
from fhir_server.validation.rules.canonical import find_canonical
from fhir_server.validation.rules.measure_codes import (
    POPULATION,
    codes_of,
    concepts_of,
    is_same_code,
    scoring_of,
    written,
)
from fhir_server.validation.rules.measure_score import SCORINGS, check_score
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.resolution import resolve
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Build, Check, Scope


class Reporting(NamedTuple):
    """A report being held against its measure. `is_complete`: nothing may be missing."""

    measure: JsonObject
    type: str
    is_complete: bool
    scope: Scope


PairCheck: TypeAlias = Callable[[JsonObject, JsonObject, Reporting], Findings | None]
"""Holds a part of a report against the part of the measure that it reports on."""


def build_report(build: Build) -> Check:
    """Returns the check of a MeasureReport."""

    def check(value: Any, scope: Scope) -> Findings | None:
        url = text_of(value, "measure")
        if not url:
            return None
        measure = find_canonical("Measure", url, scope, build)
        if measure is None:
            return at(warned("validation.measure-unknown", url=shown(url)), "measure")
        type_ = text_of(value, "type")
        is_complete = value.get("status") == "complete" and type_ != "data-collection"
        run = Reporting(measure, type_, is_complete, scope)
        return joined(_unscored(run), _groups(value, run))

    return check


def _unscored(run: Reporting) -> Findings | None:
    groups = [group for _, group in objects(run.measure, "group")]
    if groups and all(scoring_of(group, run.measure) in SCORINGS for group in groups):
        return None
    return at([Finding("validation.measure-scoring-unknown", {}, Severity.INFORMATION)], "measure")


def _groups(report: JsonObject, run: Reporting) -> Findings | None:
    defined = [group for _, group in objects(run.measure, "group")]
    given = list(objects(report, "group"))
    if not defined:
        return None
    if len(defined) == len(given) == 1:  # the only one needs no code
        index, group = given[0]
        other = any(concepts_of(defined[0])) and any(concepts_of(group)) and not is_same_code(group, defined[0])
        result = _strange(group, "group") if other else None
        more = joined(result, _group(group, defined[0], run))
        return at(more, index, "group") if more else None
    return _paired(given, defined, "group", _group, run)


def _paired(
    given: Sequence[tuple[int, JsonObject]], defined: Sequence[JsonObject], name: str, check: PairCheck, run: Reporting
) -> Findings | None:
    """Pairs the parts of a report with those of the measure by their codes, and checks the pairs."""
    taken: list[int] = []
    result: Findings | None = None
    for index, part in given:
        place = _place(part, defined, is_only=len(given) == len(defined) == 1)
        more = _unpaired(part, place, taken, name)
        if more is None and place is not None:
            taken.append(place)
            more = check(part, defined[place], run)
        result = joined(result, at(more, index, name)) if more else result
    missing = [one for place, one in enumerate(defined) if place not in taken]
    return joined(result, _missing(missing, name) if run.is_complete else None)


def _place(part: JsonObject, defined: Sequence[JsonObject], *, is_only: bool) -> int | None:
    if is_only and not any(concepts_of(defined[0])):
        return 0
    return next((place for place, one in enumerate(defined) if is_same_code(part, one)), None)


def _unpaired(part: JsonObject, place: int | None, taken: Sequence[int], name: str) -> Findings | None:
    if place is None:
        if any(concepts_of(part)):
            return _strange(part, name)
        return found("validation.measure-report-uncoded", element=name)
    return found("validation.measure-report-twice", element=name, code=written(part)) if place in taken else None


def _strange(part: JsonObject, name: str) -> Findings:
    return found("validation.measure-report-code", element=name, code=shown(written(part)))


def _missing(parts: Sequence[JsonObject], name: str) -> Findings | None:
    wanted = [one for one in parts if (POPULATION, "measure-observation") not in set(codes_of(one))]
    result: Findings | None = None
    for one in wanted:
        result = joined(result, found("validation.measure-report-missing", element=name, code=written(one)))
    return result


def _group(group: JsonObject, defined: JsonObject, run: Reporting) -> Findings | None:
    populations = [one for _, one in objects(defined, "population")]
    strata = [one for _, one in objects(defined, "stratifier")]
    result = _paired(list(objects(group, "population")), populations, "population", _population, run)
    result = joined(result, _score(group, defined, run))
    return joined(result, _paired(list(objects(group, "stratifier")), strata, "stratifier", _nothing_more, run))


def _score(group: JsonObject, defined: JsonObject, run: Reporting) -> Findings | None:
    scoring = scoring_of(defined, run.measure)
    if run.type == "data-collection":
        is_there = "measureScore" in group
        return at(found("validation.measure-score-collection"), "measureScore") if is_there else None
    return check_score(group, scoring, run.measure, run.scope.policy, is_complete=run.is_complete)


def _population(population: JsonObject, _: JsonObject, run: Reporting) -> Findings | None:
    count, subjects = population.get("count"), population.get("subjectResults")
    if run.type == "subject-list":
        return _listed(count, subjects, run.scope)
    result = found("validation.measure-subjects", type=run.type) if subjects is not None else None
    return result if "count" in population else joined(result, warned("validation.measure-no-count", type=run.type))


def _listed(count: Any, subjects: Any, scope: Scope) -> Findings | None:
    """Tells whether as many subjects are listed as were counted.

    R4 refers to one List of them; where it is not at hand, only the official validator still counts: the references.
    """
    target = resolve(text_of(subjects, "reference"), scope) if type(subjects) is dict else None
    if target is not None and target.get("resourceType") == "List":
        listed = len(list(objects(target, "entry")))
    elif by_policy(scope.policy) is Severity.ERROR or subjects is None:
        listed = int(subjects is not None)
    else:
        return None
    return (
        found("validation.measure-count", count=count, found=listed) if type(count) is int and count != listed else None
    )


def _nothing_more(_part: JsonObject, _defined: JsonObject, _run: Reporting) -> Findings | None:
    return None
