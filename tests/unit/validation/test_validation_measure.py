"""Measures by themselves: groups, populations, criteria in libraries."""

import base64
from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.validation import Validator
from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
LIBRARY = "http://jtys.test/Library/l"
GROUP = "Measure.group[0]"


def coded(code, system=POPULATION):
    return {"coding": [{"system": system, "code": code}]}


def population(code, expression="x", language="application/x-fhir-query"):
    return {"code": coded(code), "criteria": {"language": language, "expression": expression}}


def measure(*groups, **more: object):
    return {"resourceType": "Measure", "name": "Asked", "status": "active", "group": list(groups), **more}


def elm(*names, root="library", space="urn:hl7-org:elm:r1"):
    definitions = "".join(f'<def name="{name}"/>' for name in names)
    return f'<{root} xmlns="{space}"><statements>{definitions}</statements></{root}>'


def library(content, kind="application/elm+xml", name="L"):
    data = base64.b64encode(content.encode()).decode()
    return {
        "resourceType": "Library",
        "url": f"{LIBRARY}-{name}" if name != "L" else LIBRARY,
        "name": name,
        "status": "active",
        "type": {"text": "x"},
        "content": [{"contentType": kind, "data": data}],
    }


@cache
def validator():
    return Validator(load_definitions())


def findings(resource, *known, policy=STRICT):
    resolve = {one["url"]: one for one in known}.get
    issues = validator().check(resource, policy=policy, resolve=resolve)
    return {(str(i.severity), i.key.removeprefix("validation."), i.path) for i in issues}


def test_a_measure_needs_groups_and_these_populations():
    assert findings(measure({"population": [population("initial-population")]})) == set()
    bare = {"resourceType": "Measure", "name": "Asked", "status": "active"}
    assert findings(bare) == {("warning", "measure-no-group", "Measure")}
    assert findings(measure({"description": "x"})) == {("warning", "measure-no-population", GROUP)}


def test_of_several_parts_each_has_a_code():
    part = {"criteria": {"language": "application/x-fhir-query", "expression": "x"}}
    group = {"code": coded("g", "http://jtys.test/s"), "population": [part, part], "stratifier": [part, part]}
    found = findings(measure(group, {"population": [part]}))
    uncoded = {(severity, path) for severity, key, path in found if key == "measure-uncoded"}
    places = [f"{GROUP}.{name}[{n}]" for name in ("population", "stratifier") for n in (0, 1)]
    assert uncoded == {("warning", place) for place in [*places, "Measure.group[1]"]}


@pytest.mark.parametrize(
    ("scoring", "kinds", "is_whole"),
    [
        ("proportion", ["initial-population", "numerator", "denominator"], True),
        ("proportion", ["initial-population", "numerator"], False),
        ("cohort", ["initial-population"], True),
        ("continuous-variable", ["initial-population", "numerator"], False),
        ("continuous-variable", ["initial-population", "measure-population"], True),
    ],
)
def test_the_scoring_asks_for_populations(scoring, kinds, is_whole):
    system = "http://terminology.hl7.org/CodeSystem/measure-scoring"
    group = {"population": [population(kind) for kind in kinds]}
    found = set() if is_whole else {("warning", "measure-population-missing", GROUP)}
    assert findings(measure(group, scoring=coded(scoring, system))) == found


def stratified(expression, language="text/cql"):
    stratifier = {"criteria": {"language": language, "expression": expression}}
    return measure({"population": [population("initial-population")], "stratifier": [stratifier]}, library=[LIBRARY])


CRITERIA = f"{GROUP}.stratifier[0].criteria"


@pytest.mark.parametrize("expression", ["Adults", "L.Adults"])
def test_criteria_name_what_their_library_defines(expression):
    assert findings(stratified(expression), library(elm("Adults"))) == set()
    found = {("error", "measure-undefined", CRITERIA)}
    assert findings(stratified(expression), library(elm("Children"))) == found
    assert findings(stratified(expression), library(elm("Children")), policy=Policy()) == found


@pytest.mark.parametrize(("policy", "severity"), [(STRICT, "error"), (Policy(), "warning")])
@pytest.mark.parametrize(
    ("known", "expression", "key"),
    [
        (library("define X: 1", "text/cql"), "X", "measure-no-elm"),
        (library("<library"), "X", "measure-elm"),
        (library(elm("X", root="other")), "X", "measure-elm"),
        (library(elm("X", space="urn:other")), "X", "measure-elm"),
        (library('<!DOCTYPE library [<!ENTITY a "b">]>' + elm("X")), "X", "measure-elm"),
        (library(elm("X")), "Other.X", "measure-library-which"),
    ],
)
def test_a_library_that_does_not_serve_is_for_the_policy_to_judge(policy, severity, known, expression, key):
    assert findings(stratified(expression), known, policy=policy) == {(severity, key, CRITERIA)}


def test_a_library_that_is_not_known_is_a_note_and_leaves_cql_without_one():
    assert findings(stratified("X")) == {
        ("information", "measure-library-unknown", "Measure.library[0]"),
        ("error", "measure-no-library", CRITERIA),
    }


def test_criteria_in_other_languages_are_not_looked_up():
    found = {("warning", "measure-language", CRITERIA)}
    assert findings(stratified("Patient.active", "text/fhirpath"), library(elm("X"))) == found


def test_the_criteria_of_a_population_name_a_definition_only_as_an_identifier():
    def asked(language):
        return measure({"population": [population("initial-population", "Y", language)]}, library=[LIBRARY])

    place = f"{GROUP}.population[0].criteria"
    found = {("error", "measure-undefined", place)}
    assert findings(asked("text/cql.identifier"), library(elm("X"))) >= found
    assert findings(asked("text/cql.identifier"), library(elm("Y"))).isdisjoint(found)
    assert findings(asked("text/cql"), library(elm("X"))) == set()


def test_components_of_a_stratifier_are_checked_as_well():
    component = {"criteria": {"language": "text/cql", "expression": "Y"}}
    asked = measure({"population": [population("initial-population")], "stratifier": [{"component": [component]}]})
    asked["library"] = [LIBRARY]
    place = f"{GROUP}.stratifier[0].component[0].criteria"
    assert findings(asked, library(elm("X"))) == {("error", "measure-undefined", place)}
