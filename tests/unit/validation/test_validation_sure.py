"""Quick forms: what is surely valid is accepted at once, all else is left to the checks."""

import pytest

from fhir_server.validation.checks import Part, Required, all_of, each_of, on_object
from fhir_server.validation.report import found
from fhir_server.validation.rules.primitive import CHECKS
from fhir_server.validation.rules.resource import scope_of
from fhir_server.validation.sure import DOUBTFUL, as_is, described, quickened, sure_of, unsure

SCOPE = scope_of({"resourceType": "Patient"})


@pytest.fixture
def counted():
    """A check without a quick form that accepts "a", and counts how often it ran."""

    def check(value, _scope):
        check.runs += 1
        return None if value == "a" else found("validation.null")

    check.runs = 0
    return check


def is_surely_valid(check, value):
    """What a quick look cannot take, it leaves to the check."""
    try:
        return sure_of(check)(value, SCOPE)
    except DOUBTFUL:
        return False


def test_a_check_without_a_quick_form_is_called(counted):
    assert [sure_of(counted)(value, SCOPE) for value in ("a", "b")] == [True, False]
    assert counted.runs == 2


def test_what_is_surely_valid_never_reaches_the_check(counted):
    quick = quickened(described(counted, lambda source, value: source.refuse_if(f"{value} != 'a'")))
    assert quick("a", SCOPE) is None
    assert counted.runs == 0
    assert [f.key for f in quick("b", SCOPE)] == ["validation.null"]
    assert counted.runs == 1


def test_what_a_quick_look_cannot_take_is_left_to_the_check(counted):
    quick = quickened(described(counted, lambda source, value: source.refuse_if(f"len({value}) > 1")))
    assert [f.key for f in quick(7, SCOPE)] == ["validation.null"]


def test_nothing_with_an_unsure_part_is_surely_valid(counted):
    whole = all_of([CHECKS["string"], unsure(counted)])
    assert sure_of(whole)("a", SCOPE) is False
    assert counted.runs == 0
    assert quickened(whole)("a", SCOPE) is None
    assert counted.runs == 1


@pytest.mark.parametrize("levels", [30, 3000])
def test_source_nested_deeper_than_python_compiles_is_not_used(counted, levels):
    check = counted
    for _ in range(levels):
        check = each_of(check)
    assert sure_of(check)([], SCOPE) is False
    assert quickened(check)([], SCOPE) is None


def test_texts_of_definitions_are_texts_in_the_source(counted):
    name = "x'); raise SystemExit(1) #\n"
    check = on_object([Part(counted, name), Required(frozenset({name}), counted)])
    assert sure_of(check)({name: "a"}, SCOPE) is True
    assert sure_of(check)({"other": "a"}, SCOPE) is False


def test_the_parts_of_an_object_run_where_their_property_is(counted):
    check = on_object([Part(each_of(counted), "many", "many"), Part(counted, "one", "one")])
    values = [
        {},
        {"many": ["a", None]},
        {"one": "a"},
        {"one": None},
        {"many": "a"},
        {"many": ["a", "b"]},
        {"one": "b"},
        "x",
    ]
    expected = [None, None, None, None, None, [[1, "many"]], [["one"]], None]
    assert [found_ and [f.path for f in found_] for found_ in (check(v, SCOPE) for v in values)] == expected
    # A quick look may leave to the check what is odd and not wrong: a null, a text where an object belongs
    assert [is_surely_valid(check, v) for v in values] == [True, False, True, True, True, False, False, False]


def test_an_object_of_which_nothing_is_said_has_no_check():
    assert on_object([]) is None


@pytest.mark.parametrize("type_", ["string", "markdown", "code", "uri", "boolean", "decimal", "integer", "date", "id"])
@pytest.mark.parametrize(
    "value", ["a", "", " ", "a b", "a\n", "\x00", "a\u3000", "x" * 1000, 1, True, None, [], {}, "2020-02-30"]
)
def test_the_quick_form_of_a_primitive_accepts_what_its_check_accepts(type_, value):
    assert is_surely_valid(CHECKS[type_], value) is (CHECKS[type_](value, SCOPE) is None)


def test_a_check_that_is_to_run_always_stays_as_it_is(counted):
    assert as_is(counted) is counted
