"""Quantities are compared in base units where their unit is UCUM's."""

from decimal import Decimal

import pytest

from fhir_server.search.kinds.quantity import base_of


def in_base(number: str, unit: str) -> tuple[float | Decimal, str] | None:
    base = base_of(unit)
    return (base.scale(Decimal(number)), base.code) if base else None


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        ("5", "mg/dL", (50.0, "g.m-3")),
        ("50", "mg/L", (50.0, "g.m-3")),
        ("37", "Cel", (310.15, "K")),
        ("-300", "Cel", (-26.85, "K")),
        ("1", "%", (0.01, "1")),
        ("3", "[iU]", (3.0, "[iU]")),
        ("0", "mg", (0.0, "g")),
    ],
)
def test_a_number_is_converted_exactly(number, unit, expected):
    assert in_base(number, unit) == expected


@pytest.mark.parametrize("unit", ["毫克", "次/分", "", "mg/", "[pH]", "[hp'_X]", "%[slope]"])
def test_what_is_no_unit_or_turns_the_order_round_is_compared_as_it_stands(unit):
    assert base_of(unit) is None


@pytest.mark.parametrize(("number", "expected"), [("1e900", 1e308), ("-1e900", -1e308), ("1e-900", 0.0)])
def test_a_number_beyond_all_measure_stays_at_its_end(number, expected):
    assert in_base(number, "kg") == (expected, "g")


@pytest.mark.parametrize(
    ("a", "b"), [(("1", "h"), ("60", "min")), (("1", "[in_i]"), ("2.54", "cm")), (("70", "kg"), ("70000", "g"))]
)
def test_equal_quantities_are_filed_equal(a, b):
    assert in_base(*a) == in_base(*b)
