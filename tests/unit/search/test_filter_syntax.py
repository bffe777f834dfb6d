"""The grammar of `_filter`."""

import pytest

from fhir_server.errors import SearchValueInvalid
from fhir_server.search.filter_syntax import Comparison, Filter, Junction, Negation, Step, parse_filter


def comparison(name: str, value: str, operation: str = "eq") -> Comparison:
    return Comparison((Step(name),), operation, value)


A, B, C = (comparison(name, "1") for name in "abc")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a eq 1", A),
        ("  a   eq  1 ", A),
        ('a eq "1"', A),
        ('a co "x y)]"', comparison("a", "x y)]", "co")),
        ('a eq "quote \\" and \\u738b"', comparison("a", 'quote " and 王')),
        ("a eq http://s.example|x", comparison("a", "http://s.example|x")),
        ("a eq 1 and b eq 1", Junction(A, True, B)),
        ("a eq 1 or b eq 1 and c eq 1", Junction(Junction(A, False, B), True, C)),
        ("a eq 1 or (b eq 1 and c eq 1)", Junction(A, False, Junction(B, True, C))),
        ("not (a eq 1)", Negation(A)),
        ("not(a eq 1) or b eq 1", Junction(Negation(A), False, B)),
        ("((a eq 1))", A),
        ("x.y.a eq 1", Comparison((Step("x"), Step("y"), Step("a")), "eq", "1")),
        ("x:Patient.a eq 1", Comparison((Step("x", "Patient"), Step("a")), "eq", "1")),
        ("x[b eq 1].a eq 1", Comparison((Step("x", None, B), Step("a")), "eq", "1")),
        ("a pr true", comparison("a", "true", "pr")),
        ("not-a eq 1", Comparison((Step("not-a"),), "eq", "1")),
    ],
)
def test_a_filter_has_this_structure(text, expected: Filter):
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 1),
        ("a", 2),
        ("a eq", 5),
        ("a is 1", 3),
        ("a eq 1 b", 8),
        ("(a eq 1", 8),
        ("a eq 1 and", 11),
        ("x[a eq 1", 9),
        ("1 eq a", 1),
    ],
)
def test_what_is_no_filter_is_refused_with_its_place(text, at):
    with pytest.raises(SearchValueInvalid) as caught:
        parse_filter(text)
    (issue,) = caught.value.issues
    assert (issue.key, issue.params["at"]) == ("search.filter-syntax", at)
