import math
from decimal import Decimal

import pytest

from fhir_server.search.kinds.number import HIGHEST, point, searched_span
from fhir_server.search.query import RangeOp


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("100", 99.5, 100.5),
        ("100.00", 99.995, 100.005),
        ("1e2", 95.0, 105.0),
        ("1.0e2", 95.0, 105.0),
        ("5.4e-3", 0.00535, 0.00545),
        ("0", -0.5, 0.5),
        ("-5.40", -5.405, -5.395),
        ("007", 6.5, 7.5),
    ],
)
def test_eq_is_half_a_unit_of_the_last_digit_on_both_sides(text, low, high):
    assert searched_span(RangeOp.EQ, text) == (low, high)
    assert searched_span(RangeOp.NE, text) == (low, high)


@pytest.mark.parametrize("op", [RangeOp.GT, RangeOp.LT, RangeOp.GE, RangeOp.LE, RangeOp.SA, RangeOp.EB])
def test_the_other_comparisons_take_the_exact_value(op):
    assert searched_span(op, "100") == (100.0, math.nextafter(100.0, math.inf))


def test_ap_is_a_tenth_on_both_sides_with_both_ends():
    assert searched_span(RangeOp.AP, "100") == (90.0, math.nextafter(110.0, math.inf))
    assert searched_span(RangeOp.AP, "-50") == (-55.0, math.nextafter(-45.0, math.inf))
    assert searched_span(RangeOp.AP, "0") == (0.0, math.nextafter(0.0, math.inf))


@pytest.mark.parametrize(
    "text", ["", "-", "1,5", "1.", ".5", "1e", "0x10", "NaN", "Infinity", "+5", "١", "1 ", "1e9999"]
)
def test_what_is_no_number_is_none(text):
    assert searched_span(RangeOp.EQ, text) is None


def test_digits_beyond_a_float_still_make_a_range():
    span = searched_span(RangeOp.EQ, "1.0000000000000000000000001")
    assert span is not None
    assert span.low < span.high


def test_numbers_too_large_for_a_float_stand_at_the_end():
    assert point(Decimal("1e400")).low == HIGHEST
    assert point(Decimal("-1e400")).low == -HIGHEST
