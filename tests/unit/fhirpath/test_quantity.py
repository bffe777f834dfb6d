"""fhirpath.quantity and fhirpath.units."""

from decimal import Decimal
from fractions import Fraction

import pytest

from fhir_server.fhirpath.quantity import (
    Quantity,
    add,
    compare,
    equals,
    is_comparable,
    is_equivalent,
    multiply,
    of_json,
)
from fhir_server.fhirpath.units import measure_of


def q(text, unit):
    return Quantity(Decimal(text), unit)


@pytest.mark.parametrize(
    ("code", "factor", "dimensions"),
    [
        ("kg", 1000, {"g": 1}),
        ("mmol/L", Fraction(602214076 * 10**15, 1000) * 1000, {"m": -3}),
        ("mm[Hg]", 133322, {"g": 1, "m": -1, "s": -2}),
        ("10*9/L", 10**12, {"m": -3}),
        ("g/m2", 1, {"g": 1, "m": -2}),
        ("m/(s.s)", 1, {"m": 1, "s": -2}),
        ("/min", Fraction(1, 60), {"s": -1}),
        ("{score}", 1, {}),
        ("mg{total}", Fraction(1, 1000), {"g": 1}),
        ("%", Fraction(1, 100), {}),
        ("[in_i]", Fraction("0.0254"), {"m": 1}),
        ("cm", Fraction(1, 100), {"m": 1}),
    ],
)
def test_unit_is_a_factor_and_base_units(code, factor, dimensions):
    found = measure_of(code)
    assert (found.factor, dict(found.dimensions)) == (factor, dimensions)


@pytest.mark.parametrize("code", ["", "foo", "m//s", "(m", "m)", "kg..m", "m 2", "Cel", "kmin", "m.", "/"])
def test_text_that_is_no_known_unit_is_none(code):
    assert measure_of(code) is None


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        (q("4.0", "g"), q(4000, "mg"), 0),
        (q(1, "kg"), q(1, "[lb_av]"), 1),
        (q(6, "day"), q(1, "week"), -1),
        (q(1, "week"), q(7, "d"), 0),
        (q(1, "year"), q(12, "month"), 0),
        (q(1, "year"), q(1, "a"), None),
        (q(1, "mg"), q(1, "mL"), None),
        (q(1, "foo"), q(2, "foo"), -1),
        (q(1, "foo"), q(1, "mg"), None),
    ],
)
def test_quantities_compare_where_their_units_do(a, b, wanted):
    assert compare(a, b, measure_of) == wanted


def test_different_kinds_of_unit_are_unequal_but_calendar_and_ucum_years_are_open():
    assert equals(q(1, "mg"), q(1, "mL"), measure_of) is False
    assert equals(q(1, "year"), q(1, "a"), measure_of) is None
    assert equals(q(1, "[lb_av]"), q("0.45359237", "kg"), measure_of) is True


def test_equivalence_takes_the_lesser_precision_and_calendar_years():
    assert is_equivalent(q(4, "g"), q(4040, "mg"), measure_of)
    assert is_equivalent(q(4040, "mg"), q(4, "g"), measure_of)
    assert not is_equivalent(q("4.05", "g"), q(4040, "mg"), measure_of)
    assert is_equivalent(q("4.00", "g"), q(4040, "mg"), measure_of), "zeroes at the end are no precision"
    assert is_equivalent(q(1, "year"), q(1, "a"), measure_of)


def test_sum_is_in_the_finer_unit():
    assert add(q(1, "g"), q(5, "mg"), measure_of) == q(1005, "mg")
    assert add(q(5, "mg"), q(1, "g"), measure_of, sign=-1) == q(-995, "mg")
    assert add(q(1, "g"), q(1, "m"), measure_of) is None


def test_product_multiplies_the_units():
    assert multiply(q("2.0", "cm"), q("2.0", "m"), measure_of) == q("0.04", "m2")
    assert multiply(q(4, "g"), q(2, "m"), measure_of, exponent=-1) == q(2, "g.m-1")
    assert multiply(q(4, "mg"), q(2, "1"), measure_of) == q(8, "mg")
    assert multiply(q(4, "mg"), q(0, "s"), measure_of, exponent=-1) is None


def test_fhir_quantity_counts_its_code_only_in_ucum():
    ucum = "http://unitsofmeasure.org"
    assert of_json({"value": Decimal("1.50"), "unit": "lbs", "system": ucum, "code": "[lb_av]"}) == q("1.50", "[lb_av]")
    assert of_json({"value": 3, "unit": "盒", "system": "urn:x", "code": "box"}) == q(3, "盒")
    assert of_json({"unit": "mg"}) is None
    assert of_json({"value": "3"}) is None


def test_calendar_units_are_written_as_words_and_others_as_codes():
    assert [q(1, "week").text, q(2, "week").text, q("1.5", "mg").text] == ["1 week", "2 weeks", "1.5 'mg'"]
    assert q(1, "year").as_json() == {"value": 1, "unit": "year"}
    assert q(1, "day").as_json() == {"value": 1, "unit": "day", "system": "http://unitsofmeasure.org", "code": "d"}


def test_units_of_another_table_are_used_when_given():
    def table(code):
        return measure_of("g") if code == "钱" else measure_of(code)

    assert is_comparable(q(1, "钱"), q(1, "kg"), table)
    assert not is_comparable(q(1, "钱"), q(1, "kg"), measure_of)
