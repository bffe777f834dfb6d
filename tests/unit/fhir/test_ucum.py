"""UCUM, https://ucum.org/ucum."""

from decimal import Decimal

import pytest

from fhir_server.fhir import ucum


def d(text):
    return Decimal(text)


@pytest.mark.parametrize(
    "code",
    ["mm[Hg]", "mg/dL", "10*3/uL", "{score}", "%", "[degF]", "m2/s", "/min", "kg.m/s2", "mg/(8.h){shift}", "g{wet}", "1", "10*-6",
     "m[iU]/mL", "cal_[15]", "[in_i'H2O]", "(m.s)/kg", "[m/s2/Hz^(1/2)]"],
)  # fmt: skip
def test_a_unit_code_is_valid(code):
    assert ucum.is_valid(code)


@pytest.mark.parametrize(
    "code",
    ["", "fmm[Hg]", "Kg", "beats/min", "kg..m", "/", "(m", "m)", "()", "m//s", "m 2", "m{x}2", "{x}kg", "kg{a}{b}", "2m", "kmin",
     "{次}", "m{a b}", "mg/dl ", "MGL", "Torr", "m1000", "10*9999", "k" * 300, "mmHg", "次/分", "m2.5x"],
)  # fmt: skip
def test_other_text_is_no_unit_code(code):
    assert not ucum.is_valid(code)
    assert ucum.canonical(d(1), code) is None
    assert ucum.name_of(code) is None


@pytest.mark.parametrize(
    ("value", "code", "canonical"),
    [
        ("5", "mg/dL", (d("50"), "g.m-3")),
        ("120", "mm[Hg]", (d("15998640"), "g.m-1.s-2")),
        ("5.6", "mmol/L", (d("3372398825600000000000000"), "m-3")),
        ("37", "Cel", (d("310.15"), "K")),
        ("98.6", "[degF]", (d("310.15"), "K")),
        ("1.5", "%", (d("0.015"), "1")),
        ("3", "[iU]/L", (d("3000"), "[iU].m-3")),
        ("3", "m[IU]/mL", (d("3000"), "[iU].m-3")),
        ("20", "dB", (d("100"), "1")),
        ("1", "[in_i]", (d("0.0254"), "m")),
        ("0", "kg", (d("0"), "g")),
        ("-3.0", "km", (d("-3000"), "m")),
        ("1", "mo", (d("2629800"), "s")),
    ],
)
def test_the_canonical_form_is_exact_in_base_units(value, code, canonical):
    assert ucum.canonical(d(value), code) == canonical


@pytest.mark.parametrize(
    ("value", "code", "target", "converted"),
    [
        ("98.6", "[degF]", "Cel", "37"),
        ("37", "Cel", "[degF]", "98.6"),
        ("1", "mCel", "K", "273.151"),
        ("1", "[lb_av]", "kg", "0.45359237"),
        ("3.6", "km/h", "m/s", "1"),
        ("7.4", "[pH]", "nmol/L", "39.8107170553497250770252305087752"),
        ("7.4", "[pH]", "[pH]", "7.4"),
        ("1", "[iU]", "[IU]", "1"),
        ("2", "mg/L", "ug/mL", "2"),
        ("1", "a", "d", "365.25"),
    ],
)
def test_values_are_converted_between_commensurable_units(value, code, target, converted):
    assert ucum.convert(d(value), code, target) == d(converted)


@pytest.mark.parametrize(
    ("code", "target"),
    [("mg", "mL"), ("mg/dL", "mmol/L"), ("[iU]", "mg"), ("Cel/m", "K/m"), ("%[slope]", "deg"), ("kg", "foo")],
)
def test_other_units_are_not_commensurable(code, target):
    assert not ucum.is_commensurable(code, target)
    assert ucum.convert(d(1), code, target) is None


def test_a_third_is_rounded_to_34_digits():
    assert ucum.canonical(d(1), "[degR]") == (d("0.5555555555555555555555555555555556"), "K")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1E+999999999", "1E-999999999"])
def test_numbers_beyond_reason_have_no_canonical_form(value):
    assert ucum.canonical(d(value), "kg") is None


def test_a_logarithm_of_nothing_and_a_power_beyond_reason_have_no_conversion():
    assert ucum.convert(d(0), "mol/L", "[pH]") is None
    assert ucum.convert(d("1E+300"), "B", "1") is None


def test_every_unit_of_the_table_converts_to_itself_but_the_tangents():
    facts = ucum._facts()
    codes = [*facts["bases"], *facts["units"]]
    lost = {code for code in codes if ucum.convert(d(2), code, code) != 2}
    assert len(codes) == 312
    assert lost == {"%[slope]", "[p'diop]"}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("mg/dL", "milligram per deciliter"),
        ("/min", "per minute"),
        ("{score}", "{score}"),
        ("m2", "meter^2"),
        ("10*3/uL", "the number ten for arbitrary powers^3 per microliter"),
    ],
)
def test_a_code_reads_in_english(code, name):
    assert ucum.name_of(code) == name
