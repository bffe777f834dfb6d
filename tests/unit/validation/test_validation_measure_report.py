"""MeasureReports against their measures: parts told by codes, counts, scores."""

from decimal import Decimal
from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.validation import Validator
from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
URL = "http://jtys.test/Measure/m"
POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
GROUP = "MeasureReport.group[0]"


EMPTY = {"code": {"text": "x"}}


def coded(code, system="http://jtys.test/s"):
    return {"coding": [{"system": system, "code": code}]}


def population(code, **more: object):
    return {"code": coded(code, POPULATION), **more}


def measure(*groups, scoring="cohort", **more: object):
    score = {"scoring": coded(scoring, "http://terminology.hl7.org/CodeSystem/measure-scoring")} if scoring else {}
    return {"resourceType": "Measure", "url": URL, "status": "active", "group": list(groups), **score, **more}


def report(*groups, type_="summary", **more: object):
    period = {"start": "2024-01-01", "end": "2024-12-31"}
    head = {"resourceType": "MeasureReport", "status": "complete", "type": type_, "measure": URL, "period": period}
    return {**head, **({"group": list(groups)} if groups else {}), **more}


@cache
def validator():
    return Validator(load_definitions())


def findings(defined, reported, policy=STRICT):
    issues = validator().check(reported, policy=policy, resolve={URL: defined}.get)
    return {(str(i.severity), i.key.removeprefix("validation.measure-"), i.path) for i in issues}


INITIAL = population("initial-population")
COUNTED = {**INITIAL, "count": 1}


def test_a_report_of_every_part_is_valid():
    assert findings(measure({"population": [INITIAL]}), report({"population": [COUNTED]})) == set()


def test_an_unknown_measure_is_a_warning():
    assert findings(None, report()) == {("warning", "unknown", "MeasureReport.measure")}


def test_the_measure_may_be_contained():
    contained = {**measure({"population": [INITIAL]}), "id": "m"}
    found = findings(None, report({"population": [{"count": 1}]}, measure="#m", contained=[contained]))
    assert found >= {("error", "report-uncoded", f"{GROUP}.population[0]")}


def test_a_measure_of_unknown_scoring_is_noted():
    found = {("information", "scoring-unknown", "MeasureReport.measure")}
    asked = measure({"population": [INITIAL]}, scoring=None)
    assert findings(asked, report({"population": [COUNTED], "measureScore": {"value": 7}})) == found


def test_several_groups_are_told_by_their_codes():
    defined = measure({"code": coded("a")}, {"code": coded("b")})
    group = {"code": coded("a")}
    assert findings(defined, report(group, {"code": coded("b")})) == set()
    assert findings(defined, report(group, {"description": "x"})) >= {
        ("error", "report-uncoded", "MeasureReport.group[1]"),
        ("error", "report-missing", "MeasureReport"),
    }
    assert findings(defined, report(group, {"code": coded("c")})) == {
        ("error", "report-code", "MeasureReport.group[1]"),
        ("error", "report-missing", "MeasureReport"),
    }
    assert findings(defined, report(group, group)) == {
        ("error", "report-twice", "MeasureReport.group[1]"),
        ("error", "report-missing", "MeasureReport"),
    }


def test_the_only_group_needs_no_code_and_may_not_have_another():
    defined = measure({"code": coded("a")})
    anonymous = {"measureScore": {"value": 1}}
    assert findings(measure({"code": coded("a")}, scoring=None), report(anonymous)) == {
        ("information", "scoring-unknown", "MeasureReport.measure")
    }
    assert findings(defined, report({"code": coded("a")})) == set()
    assert findings(defined, report({"code": coded("b")})) == {("error", "report-code", GROUP)}


@pytest.mark.parametrize(
    ("name", "part"), [("population", {"count": 1}), ("stratifier", {"stratum": [{"value": {"text": "x"}}]})]
)
def test_populations_and_stratifiers_are_those_of_the_measure(name, part):
    defined = measure({name: [{"code": {"text": "p"}}, {"code": {"text": "q"}}]})

    def told(*texts):
        many = name == "stratifier"
        codes = [{"code": [{"text": text}] if many else {"text": text}} for text in texts]
        return findings(defined, report({name: [{**code, **part} for code in codes]}))

    assert told("p", "q") == told("q", "p") == set()
    assert told("p") == {("error", "report-missing", GROUP)}
    assert told("p", "q", "r") == {("error", "report-code", f"{GROUP}.{name}[2]")}
    assert told("p", "q", "q") == {("error", "report-twice", f"{GROUP}.{name}[2]")}


def test_an_observation_is_no_population_to_report():
    defined = measure({"population": [INITIAL, population("measure-observation")]})
    assert findings(defined, report({"population": [COUNTED]})) == set()


@pytest.mark.parametrize("more", [{"status": "pending"}, {"type_": "data-collection"}])
def test_a_report_that_is_not_complete_may_lack_parts(more):
    assert findings(measure({"population": [INITIAL]}, {"code": coded("b")}), report(**more)) == set()


SUBJECTS = {"subjectResults": {"reference": "List/1"}}


@pytest.mark.parametrize(
    ("type_", "more", "found"),
    [
        ("summary", {"count": 1}, set()),
        ("summary", {}, {("warning", "no-count")}),
        ("summary", {"count": 1, **SUBJECTS}, {("error", "subjects")}),
        ("subject-list", {"count": 1, **SUBJECTS}, set()),
        ("subject-list", {"count": 0}, set()),
        ("subject-list", {"count": 3}, {("error", "count")}),
        ("subject-list", {"count": 3, **SUBJECTS}, {("error", "count")}),
    ],
)
def test_subjects_are_listed_in_a_subject_list(type_, more, found):
    reported = report({"population": [{**INITIAL, **more}]}, type_=type_)
    place = f"{GROUP}.population[0]"
    assert findings(measure({"population": [INITIAL]}), reported) == {(*one, place) for one in found}


@pytest.mark.parametrize(("count", "found"), [(2, set()), (3, {("error", "count", f"{GROUP}.population[0]")})])
def test_the_list_has_as_many_entries_as_were_counted(count, found):
    entries = [{"item": {"reference": f"MeasureReport/{n}"}} for n in (1, 2)]
    listed = {"resourceType": "List", "id": "l", "status": "current", "mode": "snapshot", "entry": entries}
    subjects = {"count": count, "subjectResults": {"reference": "#l"}}
    reported = report({"population": [{**INITIAL, **subjects}]}, type_="subject-list", contained=[listed])
    assert findings(measure({"population": [INITIAL]}), reported, policy=Policy()) == found


def test_a_server_does_not_count_a_list_that_is_not_at_hand():
    reported = report({"population": [{**INITIAL, "count": 3, **SUBJECTS}]}, type_="subject-list")
    assert findings(measure({"population": [INITIAL]}), reported, policy=Policy()) == set()


UNIT = {
    "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-unit",
    "valueCoding": {"system": "http://unitsofmeasure.org", "code": "d"},
}
DAYS = {"value": 3, "system": "http://unitsofmeasure.org", "code": "d"}
SCORE = f"{GROUP}.measureScore"


@pytest.mark.parametrize(
    ("scoring", "score", "found"),
    [
        ("cohort", None, set()),
        ("cohort", {"value": 1}, {("error", "score-cohort", SCORE)}),
        ("proportion", {"value": Decimal("0.5")}, set()),
        ("proportion", {"value": 0}, set()),
        ("proportion", {"value": 1}, set()),
        ("proportion", {"value": Decimal("1.01")}, {("error", "score-share", f"{SCORE}.value")}),
        ("proportion", {"value": 1, "unit": "%"}, {("error", "score-unit-none", f"{SCORE}.unit")}),
        ("proportion", {"comparator": "<"}, {("error", "score-value", SCORE)}),
        ("proportion", None, {("error", "score-missing", GROUP)}),
        ("ratio", {"value": 3}, {("warning", "score-unit-missing", SCORE)}),
        ("ratio", DAYS, set()),
        ("continuous-variable", {"value": 3}, set()),
        ("continuous-variable", None, {("error", "score-missing", GROUP)}),
    ],
)
def test_the_scoring_says_what_a_score_is(scoring, score, found):
    group = EMPTY if score is None else {"measureScore": score}
    assert findings(measure(EMPTY, scoring=scoring), report(group)) == found


@pytest.mark.parametrize("scoring", ["ratio", "continuous-variable"])
@pytest.mark.parametrize(("score", "is_valid"), [(DAYS, True), ({**DAYS, "code": "h"}, False), ({"value": 3}, False)])
def test_the_measure_may_say_the_unit_of_its_score(scoring, score, is_valid):
    defined = measure(EMPTY, scoring=scoring, extension=[UNIT])
    found = set() if is_valid else {("error", "score-unit", SCORE)}
    assert findings(defined, report({"measureScore": score})) == found


def test_a_missing_score_is_a_warning_for_a_server():
    found = {("warning", "score-missing", GROUP)}
    assert findings(measure(EMPTY, scoring="ratio"), report(EMPTY), policy=Policy()) == found


def test_a_group_may_be_scored_in_its_own_way():
    url = "http://hl7.org/fhir/uv/cqm/StructureDefinition/cqm-scoring"
    group = {"extension": [{"url": url, "valueCodeableConcept": coded("ratio")}]}
    found = {("error", "score-missing", GROUP)}
    assert findings(measure(group, scoring="cohort"), report(EMPTY)) == found


def test_a_data_collection_has_no_score():
    found = {("error", "score-collection", SCORE)}
    reported = report({"measureScore": {"value": 1}}, type_="data-collection")
    # mrp-1 allows it no groups at all
    assert findings(measure(EMPTY, scoring="proportion"), reported) == {*found, ("error", "mrp-1", "MeasureReport")}
