"""Primitive values, https://hl7.org/fhir/R4/datatypes.html#primitive."""

import time
from decimal import Decimal

import pytest

from fhir_server.fhir.json_codec import decode
from fhir_server.validation.rules.primitive import CHECKS
from fhir_server.validation.rules.resource import scope_of

VALID = {
    "string": ["a", " a ", "多行\n文本\t", "\u3000a", "x" * 1048576],
    "markdown": ["# a\r\n"],
    "code": ["a", "a b", "in-progress"],
    "id": ["a", "A-1.b", "x" * 64],
    "oid": ["urn:oid:1.2.3", "urn:oid:2.16.840.0"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "uri": ["http://a.b/c", "urn:oid:1.2", "a"],
    "url": ["https://a.b"],
    "canonical": ["http://a.b/c|1.0#x"],
    "date": ["2020", "2020-02", "2020-02-29", "0001-01-01", "9999-12-31", "2000"],
    "dateTime": ["2020", "2020-02", "2020-02-29", "2020-01-01T10:00:00+14:00", "2020-12-31T23:59:60.123456789Z"],
    "instant": ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.5-13:59"],
    "time": ["00:00:00", "23:59:60.5"],
    "boolean": [True, False],
    "integer": [0, -(2**31), 2**31 - 1],
    "unsignedInt": [0, 2**31 - 1],
    "positiveInt": [1, 2**31 - 1],
    "decimal": [0, -1, Decimal("1.00"), Decimal("1E+3")],
    "base64Binary": ["QQ==", "QUI=", "QUJD", "QUJD\nQUJD", "QUJDQUI="],
}
INVALID = {
    "string": ["", " ", "\n", "a\x00", "a\x1fb", "x" * 1048577, 5, True, None, ["a"], {}],
    "markdown": ["", "\t"],
    "code": ["", " a", "a ", "a  b", "a\tb", "a\nb", "a\u3000b", 1],
    "id": ["", "a_b", "x" * 65, "a b", "a\n", 1],
    "oid": ["urn:oid:", "urn:oid:3.1", "urn:oid:1.02", "1.2.3"],
    "uuid": [
        "c757873d-ec9a-4326-a141-556f43239520",
        "urn:uuid:c757873d",
        "urn:uuid:C757873D-EC9A-4326-A141-556F43239520",
    ],
    "uri": ["", "a b", "a\n", "\u3000", 1],
    "url": ["http://a b"],
    "canonical": [" http://a"],
    "date": [
        "",
        "20",
        "2020-13",
        "2020-00",
        "2020-02-30",
        "2019-02-29",
        "0000-01-01",
        "2020-01-01T00:00:00Z",
        "2020-1-1",
        2020,
    ],
    "dateTime": [
        "2020-01-01T10:00:00",
        "2020-01-01T10:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T10:00:00+15:00",
        "2020-02-30T10:00:00Z",
    ],
    "instant": ["2020-01-01", "2020-01-01T00:00:00", "2020-04-31T00:00:00Z"],
    "time": ["10:00", "24:00:00", "10:00:00Z", 10],
    "boolean": ["true", 1, 0, None],
    "integer": [2**31, -(2**31) - 1, "5", Decimal("5.5"), Decimal("5.0"), True, None],
    "unsignedInt": [-1, 2**31],
    "positiveInt": [0, -1],
    "decimal": ["5.0", True, None, [1]],
    "base64Binary": ["", "@@@", "QQ", "Q===", "QUJ", 1],
}


def check(type_, value):
    return CHECKS[type_](value, scope_of({"resourceType": "Patient"}))


@pytest.mark.parametrize(("type_", "value"), [(t, v) for t, values in VALID.items() for v in values])
def test_a_value_of_its_type_has_no_findings(type_, value):
    assert check(type_, value) is None


@pytest.mark.parametrize(("type_", "value"), [(t, v) for t, values in INVALID.items() for v in values])
def test_a_value_that_is_not_of_its_type_has_one_finding(type_, value):
    assert len(check(type_, value)) == 1


def test_every_primitive_of_r4_has_a_check():
    from fhir_server.fhirpath.model import r4_model

    assert set(CHECKS) == r4_model().primitives
    assert set(VALID) == set(INVALID) == r4_model().primitives - {"xhtml"}


@pytest.mark.parametrize(
    ("value", "key"),
    [("", "empty-string"), (" ", "blank-string"), ("a\x07", "string-control"), (5, "json-type"), (None, "null")],
)
def test_the_finding_says_what_is_wrong_with_a_string(value, key):
    assert [f.key for f in check("string", value)] == [f"validation.{key}"]


def test_a_day_that_does_not_exist_is_told_from_a_wrong_format():
    assert [f.key for f in check("date", "2023-02-29")] == ["validation.date-unknown"]
    assert [f.key for f in check("date", "2023-2-29")] == ["validation.primitive-format"]


@pytest.mark.parametrize("text", ["1.00", "1e3", "1E-22", "12345678901234567890.5"])
def test_a_decimal_as_the_codec_reads_it_is_a_decimal(text):
    value = decode(f'{{"resourceType":"X","v":{text}}}'.encode())["v"]
    assert check("decimal", value) is None


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("type_", sorted(VALID))
def test_long_hostile_texts_take_no_time(type_):
    started = time.process_time()
    for text in ("a" * 100_000 + "!", "a " * 50_000, "QUJD" * 25_000 + "@", "1." * 50_000, "0" * 100_000):
        check(type_, text)
    assert time.process_time() - started < 1
