"""Fixed values, patterns, lengths and limits."""

from decimal import Decimal

import pytest

from fhir_server.validation.rules.fixed import build_matching, is_match, is_same, ordered
from fhir_server.validation.rules.resource import scope_of
from fhir_server.validation.sure import sure_of

CODE = {"coding": [{"system": "urn:s", "code": "c"}]}


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (Decimal("1.00"), Decimal(1), True),
        (1, Decimal("1.0"), True),
        ("1", 1, False),
        ("a", "a", True),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2], [1, 2], True),
        ([2, 1], [1, 2], False),
        ([1], [1, 2], False),
        (None, "a", False),
    ],
)
def test_fixed_means_equal_as_fhir_sees_it(value, wanted, same):
    assert is_same(value, wanted) is same


@pytest.mark.parametrize(
    ("value", "pattern", "matches"),
    [
        ({"coding": [{"system": "urn:s", "code": "c", "display": "d"}], "text": "t"}, CODE, True),
        ({"coding": [{"system": "x", "code": "c"}, {"system": "urn:s", "code": "c"}]}, CODE, True),
        ({"coding": [{"system": "urn:s", "code": "x"}, {"system": "x", "code": "c"}]}, CODE, False),
        ({"text": "t"}, CODE, False),
        ({"coding": "s"}, CODE, False),
        ("s", CODE, False),
        ({"a": True}, {"a": 1}, False),
    ],
)
def test_a_pattern_asks_for_a_part(value, pattern, matches):
    assert is_match(value, pattern) is matches


@pytest.mark.parametrize(
    ("value", "limit", "order"),
    [
        (1, Decimal("1.0"), 0),
        (Decimal("0.9"), 1, -1),
        (2, 1, 1),
        ("2020-01-01", "2020-01-02", -1),
        ("2020", "2020-06-01", 0),
        ("2020-01-01T00:00:00Z", "2020-01-01T08:00:00+08:00", 0),
        ("2020-01-01T00:00:01Z", "2020-01-01T08:00:00+08:00", 1),
        ({"value": 5, "system": "u", "code": "mg"}, {"value": 6, "system": "u", "code": "mg"}, -1),
        ({"value": 5, "system": "u", "code": "g"}, {"value": 6, "system": "u", "code": "mg"}, None),
        ({"value": "x", "code": "g"}, {"value": 6, "code": "g"}, None),
        (True, 1, None),
        (None, 1, None),
    ],
)
def test_limits_compare_what_can_be_compared(value, limit, order):
    assert ordered(value, limit) == order


def test_a_value_meets_fixed_pattern_length_and_limits(check_profile, profile):
    check = check_profile(
        profile(
            "Observation",
            {"id": "Observation.status", "min": 1, "max": "1", "fixedCode": "final"},
            {"id": "Observation.code", "min": 1, "max": "1", "patternCodeableConcept": CODE},
            {
                "id": "Observation.value[x]",
                "max": "1",
                "type": [{"code": "integer"}, {"code": "string"}],
                "minValueInteger": 1,
                "maxValueInteger": 9,
                "maxLength": 3,
            },
        )
    )
    sound = {"resourceType": "Observation", "status": "final", "code": CODE}
    assert check({**sound, "valueInteger": 1}) == set()
    assert check({**sound, "valueInteger": 9}) == set()
    assert check({**sound, "valueString": "abc"}) == set()
    assert check({**sound, "status": "amended"}) == {("error", "validation.fixed", "Observation.status")}
    assert check({**sound, "code": {"text": "x"}}) == {("error", "validation.pattern", "Observation.code")}
    assert check({**sound, "valueInteger": 0}) == {
        ("error", "validation.min-value", "Observation.value.ofType(integer)")
    }
    assert check({**sound, "valueInteger": 10}) == {
        ("error", "validation.max-value", "Observation.value.ofType(integer)")
    }
    assert check({**sound, "valueString": "abcd"}) == {
        ("error", "validation.max-length", "Observation.value.ofType(string)")
    }


def test_a_fixed_true_is_not_one(check_profile, profile):
    check = check_profile(profile("Patient", {"id": "Patient.active", "max": "1", "fixedBoolean": True}))
    assert check({"resourceType": "Patient", "active": True}) == set()
    assert ("error", "validation.fixed", "Patient.active") in check({"resourceType": "Patient", "active": 1})


PATTERNS = (
    "a",
    True,
    1,
    {"a": "x"},
    {"a": {"b": "x", "c": [{"d": "y"}]}},
    [{"a": "x"}],
    [{"a": "x"}, {"b": "y"}],
    ["x"],
    {"a": []},
    {},
)


@pytest.mark.parametrize("wanted", PATTERNS)
@pytest.mark.parametrize(
    "more", [None, "x", 1, True, [], {}, {"a": None}, {"a": "x"}, {"a": ["x"]}, [{"b": "y", "a": "x"}], [None, 7]]
)
def test_the_quick_form_of_a_pattern_accepts_what_matches(wanted, more):
    scope = scope_of({"resourceType": "Patient"})
    quick = sure_of(build_matching(wanted))
    assert [quick(value, scope) for value in (wanted, more, [more])] == [
        is_match(v, wanted) for v in (wanted, more, [more])
    ]


NOTE = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


@pytest.mark.parametrize(
    ("kind", "content", "keys"),
    [
        ("fixedCode", {"gender": "male"}, set()),
        ("fixedCode", {"gender": "male", "_gender": {"id": "a", **NOTE}}, {"validation.fixed-extension"}),
        ("fixedCode", {"_gender": NOTE}, set()),
        ("patternCode", {"gender": "male", "_gender": NOTE}, set()),
    ],
)
def test_a_fixed_value_has_no_extension(check_profile, profile, kind, content, keys):
    check = check_profile(profile("Patient", {"id": "Patient.gender", "max": "1", kind: "male"}))
    found = check({"resourceType": "Patient", **content})
    assert found == {("error", key, "Patient.gender") for key in keys}
