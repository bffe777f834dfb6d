"""Values that were valid are accepted at once, and nothing else is."""

from decimal import Decimal

import pytest

from fhir_server.validation import remembered
from fhir_server.validation.remembered import MOST_BYTES, remembering
from fhir_server.validation.report import found
from fhir_server.validation.rules.resource import scope_of

SCOPE = scope_of({"resourceType": "Patient"})
CODE = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}


@pytest.fixture
def judge():
    """A check that accepts what has a text, and notes what it was asked."""

    def check(value, _scope):
        check.asked.append(value)
        return (
            None if isinstance(value["text"], str) else found("validation.json-type", expected="string", found="number")
        )

    check.asked = []
    return check


def judged(check, asked, *values):
    """Returns which of the values are valid, and how often the check behind was asked."""
    return [check(value, SCOPE) is None for value in values], len(asked)


def test_the_same_json_is_judged_once(judge):
    assert judged(remembering(judge), judge.asked, {"text": "x"}, {"text": "x"}, {"text": "y"}) == ([True] * 3, 2)


def test_what_is_wrong_is_judged_each_time(judge):
    assert judged(remembering(judge), judge.asked, {"text": 1}, {"text": 1}) == ([False] * 2, 2)


@pytest.mark.parametrize("number", [5, Decimal(5), True, None])
def test_a_number_is_not_taken_for_the_text_that_reads_the_same(judge, number):
    assert judged(remembering(judge), judge.asked, {"text": str(number)}, {"text": number}) == ([True, False], 2)


@pytest.mark.parametrize("more", [{"extension": [{"url": "u"}]}, {"_text": {"extension": [{"url": "u"}]}}])
def test_a_value_with_extensions_is_judged_each_time(judge, more):
    assert judged(remembering(judge), judge.asked, {"text": "x", **more}, {"text": "x", **more}) == ([True] * 2, 2)


def test_a_long_value_is_judged_each_time(judge):
    long = {"text": "x" * MOST_BYTES}
    assert judged(remembering(judge), judge.asked, long, long) == ([True] * 2, 2)


def test_what_is_no_json_is_judged_each_time(judge):
    odd = {"text": "x", "more": {1, object()}}
    assert judged(remembering(judge), judge.asked, odd, odd) == ([True] * 2, 2)


def test_a_full_memory_starts_anew(judge, monkeypatch):
    monkeypatch.setattr(remembered, "MOST_VALUES", 2)
    values = [{"text": text} for text in "abcc"]
    assert judged(remembering(judge), judge.asked, *values, {"text": "a"}) == ([True] * 5, 4)


def test_a_code_that_was_valid_in_one_element_is_not_valid_in_another(check):
    valid = {"resourceType": "Observation", "status": "final", "code": CODE}
    loose, bound = {**valid, "category": [CODE]}, {**valid, "dataAbsentReason": CODE}
    assert check(loose) == check(loose) == set()
    warning = {("warning", "validation.binding-extensible", "Observation.dataAbsentReason")}
    assert check(bound) == check(bound) == warning


def profile(code):
    """A profile of Observation that says something of its code."""
    element = {
        "id": "Observation.code",
        "path": "Observation.code",
        "min": 1,
        "max": "1",
        "type": [{"code": "CodeableConcept"}],
    }
    root = {"id": "Observation", "path": "Observation", "min": 0, "max": "*"}
    return {
        "resourceType": "StructureDefinition", "id": "p", "url": "http://jtys.test/StructureDefinition/p", "type": "Observation",
        "kind": "resource", "derivation": "constraint", "abstract": False, "name": "P", "status": "active",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation", "snapshot": {"element": [root, element | code]},
    }  # fmt: skip


def test_an_invariant_of_an_element_that_looks_elsewhere_is_run_each_time(check_profile):
    expression = "%resource.status = 'final'"
    rule = {"key": "p-1", "severity": "error", "human": "final only", "expression": expression}
    check = check_profile(profile({"constraint": [rule]}))
    final = {"resourceType": "Observation", "status": "final", "code": CODE}
    assert check(final) == check(final) == set()
    assert check({**final, "status": "amended"}) == {("error", "p-1", "Observation.code")}


def test_a_pattern_of_a_profile_is_found_missing_after_it_was_met(check_profile):
    check = check_profile(profile({"patternCodeableConcept": CODE}))
    met = {"resourceType": "Observation", "status": "final", "code": {**CODE, "text": "x"}}
    assert check(met) == check(met) == set()
    missed = {("error", "validation.pattern", "Observation.code")}
    assert check({**met, "code": {"text": "x"}}) == check({**met, "code": {"text": "x"}}) == missed
