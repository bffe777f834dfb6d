"""Single values: numbers, dates, codes, citizen numbers, text."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from fhir_server.mapping.codecs.codes import CodeReader, SourceCode
from fhir_server.mapping.codecs.dates import parse_date, parse_datetime
from fhir_server.mapping.codecs.identifiers import check_digit, read_id_card
from fhir_server.mapping.codecs.numbers import parse_decimal, parse_integer, scaled
from fhir_server.mapping.codecs.text import BadText, folded, parse_boolean, raw_text
from fhir_server.mapping.form import Field, Option
from fhir_server.mapping.record import Code

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("65.50", "65.50"),
        ("1.00", "1.00"),
        ("０７８", "78"),
        ("-0.5", "-0.5"),
        (".5", "0.5"),
        ("007.10", "7.10"),
        ("65.5kg", "65.5"),
        ("65.5 ＫＧ", None),
        ("0", "0"),
    ],
)
def test_a_number_keeps_the_digits_it_was_written_with(text, written):
    if written is None:
        with pytest.raises(BadText):
            parse_decimal(text, unit="kg")
    else:
        assert str(parse_decimal(text, unit="kg")) == written


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1,250", "mapping.thousands-separator"),
        ("1，250.5", "mapping.thousands-separator"),
        ("1,25", "mapping.not-number"),
        ("1e3", "mapping.not-number"),
        ("+5", "mapping.not-number"),
        ("65.", "mapping.not-number"),
        ("五十", "mapping.not-number"),
        ("", "mapping.not-number"),
        ("1" * 19, "mapping.not-number"),
        ("NaN", "mapping.not-number"),
    ],
)
def test_what_is_no_plain_number_is_refused(text, key):
    with pytest.raises(BadText) as refused:
        parse_decimal(text)
    assert refused.value.key == key


def test_a_whole_number_may_end_in_a_zero_fraction_and_in_no_other():
    assert parse_integer("72.0") == 72
    with pytest.raises(BadText) as refused:
        parse_integer("72.5")
    assert refused.value.key == "mapping.not-integer"


@pytest.mark.parametrize(("number", "product"), [("130", "65"), ("130.5", "65.25"), ("0", "0"), ("2000", "1000")])
def test_half_kilograms_become_kilograms_without_new_zeros(number, product):
    assert str(scaled(Decimal(number), Decimal("0.5"))) == product


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("20250701", "2025-07-01"),
        ("2025-07-01", "2025-07-01"),
        ("2025/7/1", "2025-07-01"),
        ("2025.07.01", "2025-07-01"),
        ("2025年7月1日", "2025-07-01"),
        ("２０２５－０７－０１", "2025-07-01"),
        ("2025-07-01 23:59:59.0", "2025-07-01"),
        ("20250701235959", "2025-07-01"),
        ("2025-07-01T20:00:00Z", "2025-07-02"),
        ("1751299200000", "2025-07-01"),
        ("2025-07", "2025-07"),
        ("2025年", "2025"),
        ("2024-02-29", "2024-02-29"),
        ("0001-01-01", "0001-01-01"),
    ],
)
def test_dates_are_read_in_every_usual_spelling(text, date):
    assert parse_date(text, SHANGHAI) == date


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2025-02-29", "mapping.no-such-day"),
        ("20251301", "mapping.no-such-day"),
        ("2025-07-01 25:00", "mapping.no-such-day"),
        ("2025-7/1", "mapping.not-date"),
        ("01/07/2025", "mapping.not-date"),
        ("昨天", "mapping.not-date"),
    ],
)
def test_impossible_days_and_other_shapes_are_refused(text, key):
    with pytest.raises(BadText) as refused:
        parse_date(text, SHANGHAI)
    assert refused.value.key == key


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-07-01 08:30:00", "2025-07-01T08:30:00+08:00"),
        ("2025/7/1 8:30", "2025-07-01T08:30:00+08:00"),
        ("1988-07-01 08:30:00", "1988-07-01T08:30:00+09:00"),
        ("2025-07-01T00:30:00Z", "2025-07-01T08:30:00+08:00"),
        ("2025-07-01T08:30:00.250+0800", "2025-07-01T08:30:00.250+08:00"),
        ("1751299200000", "2025-07-01T00:00:00+08:00"),
        ("2025-07-01", "2025-07-01"),
    ],
)
def test_a_time_without_offset_is_read_in_the_configured_zone(text, moment):
    assert parse_datetime(text, SHANGHAI) == moment


@pytest.mark.parametrize(
    ("text", "number", "problem"),
    [
        ("11010519491231002X", "11010519491231002X", ""),
        ("11010519491231002x", "11010519491231002X", ""),
        ("１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X", ""),
        ("440524188001010014", "440524188001010014", ""),
        ("110105194912310021", "110105194912310021", "mapping.id-card-checksum"),
        ("110105194913310021", "110105194913310021", "mapping.id-card-day"),
        ("1101051949123100", "1101051949123100", "mapping.id-card-shape"),
        ("无", "无", "mapping.id-card-shape"),
    ],
)
def test_citizen_numbers_are_normalised_and_checked(text, number, problem):
    card = read_id_card(text)
    assert (card.number, card.problem) == (number, problem)


def test_fifteen_digits_become_eighteen():
    card = read_id_card("110105491231002")
    assert (card.number, card.was_fifteen, card.birth_date) == ("11010519491231002X", True, "1949-12-31")
    assert check_digit("11010519491231002") == "X"


ADR = Field(
    "adr", "adr", "药物不良反应", "code", options={"1": Option("1", "无"), "2": Option("2", "有", has_text=True)}
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1", Code("1", "1", "无")),
        ("１", Code("1", "1", "无")),
        ("有", Code("2", "2", "有")),
        ("有（皮疹）", Code("2", "2", "皮疹")),
        ("有：皮疹", Code("2", "2", "皮疹")),
        ("2:皮疹", Code("2", "2", "皮疹")),
        ("无（皮疹）", Code(None, "无(皮疹)", "无(皮疹)")),
        ("3", Code(None, "3", "3")),
    ],
)
def test_the_forms_own_codes_are_read_by_code_or_display(text, code):
    assert CodeReader(ADR).read(text) == code


def test_a_dialects_codes_hide_the_forms_own():
    reader = CodeReader(ADR, {"n": SourceCode("1"), "y": SourceCode("2", "inexact", "有反应"), "u": SourceCode(None)})
    assert reader.read("n") == Code("1", "n", "无")
    assert reader.read("y") == Code("2", "y", "有反应")
    assert reader.read("u") == Code(None, "u", "u")
    assert reader.read("1") == Code(None, "1", "1"), "1 is no code of this dialect, whatever it means elsewhere"
    assert (reader.write("1"), reader.write("2"), reader.write("9")) == ("n", "y", "9")


def test_an_exact_code_is_written_before_a_near_one():
    reader = CodeReader(ADR, {"a": SourceCode("1", "inexact"), "b": SourceCode("1")})
    assert reader.write("1") == "b"
    assert reader.write("2") == "有", "an option without a code of the dialect is written in words"
    assert reader.read("有") == Code("2", "2", "有")


@pytest.mark.parametrize(("text", "value"), [("是", True), ("Y", True), ("1", True), ("否", False), ("０", False)])
def test_yes_and_no_are_read_in_their_usual_words(text, value):
    assert parse_boolean(text) is value


def test_any_other_word_is_neither_yes_nor_no():
    with pytest.raises(BadText):
        parse_boolean("也许")


def test_text_is_trimmed_and_json_values_are_written_as_they_stand():
    assert folded("\u3000ＡＢ１　") == "AB1"
    assert [raw_text(v) for v in (None, True, False, 3, Decimal("1.00"), " x ")] == [
        "",
        "true",
        "false",
        "3",
        "1.00",
        "x",
    ]
