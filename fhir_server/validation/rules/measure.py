"""Measures: groups that can be told apart, populations that suit the scoring, https://hl7.org/fhir/R4/measure.html."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Finding, Findings, at, joined, listing, shown, warned
from fhir_server.validation.rules.canonical import find_canonical
from fhir_server.validation.rules.measure_codes import POPULATION, codes_of, scoring_of
from fhir_server.validation.rules.measure_criteria import Library, build_criteria, read_library
from fhir_server.validation.rules.objects import objects
from fhir_server.validation.site import Build, Check, Scope

POPULATIONS: Mapping[str, frozenset[str]] = {
    "cohort": frozenset({"initial-population"}),
    "proportion": frozenset({"initial-population", "numerator", "denominator"}),
    "ratio": frozenset({"initial-population", "numerator", "denominator"}),
    "continuous-variable": frozenset({"initial-population", "measure-population"}),
}
"""Scoring -> the populations that each group needs, https://hl7.org/fhir/R4/measure.html#9.17.4.1."""

Rule = Callable[[JsonObject], Findings | None]


def build_measure(build: Build) -> Check:
    """Returns the check of a Measure."""

    def check(value: Any, scope: Scope) -> Findings | None:
        libraries, result = _libraries(value, scope, build)
        groups = list(objects(value, "group"))
        if not groups:
            return joined(result, warned("validation.measure-no-group"))
        for index, group in groups:
            more = _uncoded(group, len(groups), "group")
            more = joined(more, _populations(group, value))
            more = joined(more, _criteria(group, libraries, scope))
            result = joined(result, at(more, index, "group")) if more else result
        return result

    return check


def _libraries(measure: JsonObject, scope: Scope, build: Build) -> tuple[list[Library], Findings | None]:
    known: list[Library] = []
    result: Findings | None = None
    urls = measure.get("library")
    for index, url in enumerate(urls if type(urls) is list else ()):
        library = find_canonical("Library", url, scope, build) if type(url) is str else None
        if library is not None:
            known.append(read_library(library))
            continue
        unknown = Finding("validation.measure-library-unknown", {"url": shown(url)}, Severity.INFORMATION)
        result = joined(result, at([unknown], index, "library"))
    return known, result


def _uncoded(one: JsonObject, count: int, name: str) -> Findings | None:
    """Returns the warning that one of several cannot be told from the others."""
    return warned("validation.measure-uncoded", element=name, count=count) if count > 1 and "code" not in one else None


def _populations(group: JsonObject, measure: JsonObject) -> Findings | None:
    populations = list(objects(group, "population"))
    if not populations:
        return warned("validation.measure-no-population")
    result = _needed([one for _, one in populations], scoring_of(group, measure))
    for index, one in populations:
        more = _uncoded(one, len(populations), "population")
        result = joined(result, at(more, index, "population")) if more else result
    return result


def _needed(populations: Sequence[JsonObject], scoring: str) -> Findings | None:
    kinds = {code for one in populations for system, code in codes_of(one) if system == POPULATION}
    missing = POPULATIONS.get(scoring, frozenset()) - kinds
    if not missing or not kinds:
        return None
    return warned("validation.measure-population-missing", scoring=scoring, expected=listing(missing))


def _criteria(group: JsonObject, libraries: Sequence[Library], scope: Scope) -> Findings | None:
    """Checks what computes the populations and strata; the libraries of a population may be elsewhere."""
    strict = build_criteria(libraries, scope.policy, is_strict=True)
    lenient = build_criteria(libraries, scope.policy, is_strict=False)
    result = _within(group, "population", lenient)
    stratifiers = list(objects(group, "stratifier"))
    for index, one in stratifiers:
        more = joined(_uncoded(one, len(stratifiers), "stratifier"), _of_criteria(one, strict))
        components = len(list(objects(one, "component")))
        more = joined(more, _within(one, "component", _component(components, strict)))
        result = joined(result, at(more, index, "stratifier")) if more else result
    return result


def _component(count: int, check: Rule) -> Rule:
    return lambda one: joined(_uncoded(one, count, "component"), _of_criteria(one, check))


def _within(owner: JsonObject, name: str, check: Rule) -> Findings | None:
    result: Findings | None = None
    for index, one in objects(owner, name):
        more = check(one) if name == "component" else _of_criteria(one, check)
        result = joined(result, at(more, index, name)) if more else result
    return result


def _of_criteria(owner: JsonObject, check: Rule) -> Findings | None:
    criteria = owner.get("criteria")
    more = check(criteria) if type(criteria) is dict else None
    return at(more, "criteria") if more else None
