from copy import copy
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.fhir.dates import OPEN_HIGH, OPEN_LOW, microseconds
from fhir_server.fhir.shapes import Canonical, ResourceType
from fhir_server.search.extract import ExpressionBroken, Extractor
from fhir_server.search.rows import IndexEntries, RangeRow, TextRow

ZONE = ZoneInfo("Asia/Shanghai")
UPDATED = datetime(2024, 6, 1, tzinfo=UTC)
US = "\x1f"
DAY = 86_400_000_000
MAY_6 = 1_714_924_800_000_000
"""2024-05-06T00:00+08:00 in microseconds."""


@cache
def extractor() -> Extractor:
    return Extractor(load_definitions(), ZONE, base_url="https://fhir.example/r4/")


def rows(type_: str, **content: Any) -> IndexEntries:
    return extractor().extract({"resourceType": type_, "id": "x", **content}, UPDATED)


def keys(type_: str, param: str, **content: Any) -> set[str]:
    found = rows(type_, **content).keys
    return {key.partition("=")[2] for key in found if key.partition("=")[0] == param}


def ranges(type_: str, param: str, **content: Any) -> set[RangeRow]:
    return {row for row in rows(type_, **content).ranges if row.param == param}


def test_a_patient_files_exactly_these_rows():
    entries = rows(
        "Patient",
        meta={"tag": [{"system": "urn:t", "code": "HTEST"}], "profile": ["http://p/1|2.0"], "source": "http://s#1"},
        identifier=[{"system": "urn:S", "value": "A-1"}],
        name=[{"family": "Wáng", "given": ["Li"]}],
        gender="female",
        birthDate="1990-03",
        deceasedBoolean=False,
        managingOrganization={"reference": "https://fhir.example/r4/Organization/o1/_history/2"},
    )
    march = RangeRow("birthdate", 636_220_800_000_000, 636_220_800_000_000 + 31 * DAY)
    assert set(entries.keys) == {
        f"_tag=htest{US}urn:t",
        "_profile=http://p/1",
        "_profile=http://p/1|2.0",
        "_source=http://s#1",
        f"identifier=a-1{US}urn:S",
        "name=wang",
        "name=li",
        "family=wang",
        "given=li",
        "phonetic=li",
        "phonetic=wangli",
        f"gender=female{US}http://hl7.org/fhir/administrative-gender",
        f"deceased=false{US}",
        "organization=Organization/o1",
    }
    assert list(entries.keys) == sorted(entries.keys)
    assert entries.ranges == (march,)
    assert set(entries.texts) == {
        TextRow("name", "wang", "Wáng"),
        TextRow("name", "li", "Li"),
        TextRow("family", "wang", "Wáng"),
        TextRow("given", "li", "Li"),
        TextRow("phonetic", "wangli", "Wáng Li"),
    }
    assert entries.sort_date == microseconds(UPDATED)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"code": {"coding": [{"system": "urn:S", "code": "A"}, {"code": "B"}]}}, {f"a{US}urn:S", f"b{US}"}),
        ({"code": {"coding": [{"system": "urn:S"}], "text": "A"}}, set()),
        ({"code": {"coding": [{"system": "urn:S", "code": "A"}] * 2}}, {f"a{US}urn:S"}),
        ({}, set()),
    ],
)
def test_a_codeable_concept_files_its_codings_and_not_its_text(content, expected):
    assert keys("Observation", "code", **content) == expected


@pytest.mark.parametrize(
    ("type_", "param", "content", "expected"),
    [
        ("Patient", "active", {"active": True}, {f"true{US}"}),
        ("Patient", "active", {"active": False}, {f"false{US}"}),
        ("Patient", "deceased", {"deceasedDateTime": "2024"}, {f"true{US}"}),
        ("Patient", "language", {"communication": [{"language": {"coding": [{"code": "zh"}]}}]}, {f"zh{US}"}),
        (
            "Patient",
            "phone",
            {
                "telecom": [
                    {"system": "phone", "use": "home", "value": "010-1"},
                    {"system": "phone", "value": "2"},
                    {"system": "email", "value": "a@b.example"},
                ]
            },
            {f"010-1{US}phone", f"010-1{US}home", f"2{US}phone"},
        ),
        (
            "Task",
            "intent",
            {"intent": "unknown"},
            {f"unknown{US}http://hl7.org/fhir/task-intent"},
        ),
        ("Task", "intent", {"intent": "order"}, {f"order{US}http://hl7.org/fhir/request-intent"}),
        ("ValueSet", "version", {"version": "1.0"}, {f"1.0{US}"}),
    ],
)
def test_tokens_come_from_every_type_that_r4_names(type_, param, content, expected):
    assert keys(type_, param, **content) == expected


def test_references_are_filed_by_target_and_by_identifier_but_contained_ones_not():
    content = {"subject": {"reference": "Patient/1", "identifier": {"system": "urn:S", "value": "V"}}}
    assert keys("Observation", "subject", **content) == {"Patient/1"}
    assert keys("Observation", "subject:identifier", **content) == {f"v{US}urn:S"}
    assert keys("Observation", "subject", subject={"reference": "#p"}) == set()
    assert keys("Observation", "subject", subject={"reference": "http://o/Group/1"}) == {f"Group/1{US}http://o"}


def test_what_others_file_is_not_filed_twice():
    content = {
        "subject": {"reference": "Patient/1"},
        "code": {"coding": [{"code": "a"}]},
        "component": [{"code": {"coding": [{"code": "b"}]}}],
    }
    assert keys("Observation", "patient", **content) == set()
    assert keys("Observation", "combo-code", **content) == set()
    assert keys("Observation", "component-code", **content) == {f"b{US}"}


def test_a_canonical_reference_is_found_with_and_without_its_version():
    found = keys("CarePlan", "instantiates-canonical", instantiatesCanonical=["http://p/plan|1.0"])
    assert found == {"http://p/plan|1.0", "http://p/plan"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"effectiveDateTime": "2024-05-06"}, {RangeRow("date", MAY_6, MAY_6 + DAY)}),
        ({"effectiveInstant": "2024-05-05T16:00:00.000Z"}, {RangeRow("date", MAY_6, MAY_6 + 1000)}),
        ({"effectivePeriod": {"start": "2024-05-06"}}, {RangeRow("date", MAY_6, OPEN_HIGH)}),
        ({"effectivePeriod": {"end": "2024-05-05"}}, {RangeRow("date", OPEN_LOW, MAY_6)}),
        ({"effectiveTiming": {"event": ["2024-05-06"]}}, {RangeRow("date", MAY_6, MAY_6 + DAY)}),
        ({"effectivePeriod": {}}, set()),
        ({"effectiveDateTime": "2024-02-30"}, set()),
    ],
)
def test_dates_are_filed_as_the_whole_time_that_they_leave_open(content, expected):
    assert ranges("Observation", "date", **content) == expected


def test_the_sort_date_is_the_start_of_the_clinical_date_or_else_last_updated():
    assert rows("Observation", effectiveDateTime="2024-05-06").sort_date == MAY_6
    assert rows("Observation").sort_date == microseconds(UPDATED)


MG = f"mg{US}http://unitsofmeasure.org"
BELOW_5, ABOVE_5 = 5.0, 5.000000000000001


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ({"value": 5}, {(5.0, ABOVE_5, "")}),
        ({"value": Decimal("5.00"), "unit": "mg"}, {(5.0, ABOVE_5, "mg")}),
        ({"value": 5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}, {(5.0, ABOVE_5, MG)}),
        (
            {"value": 5, "unit": "毫克", "system": "http://unitsofmeasure.org", "code": "mg"},
            {(5.0, ABOVE_5, f"{MG}{US}毫克")},
        ),
        ({"value": 5, "comparator": "<"}, {(-1e308, 5.0, "")}),
        ({"value": 5, "comparator": "<="}, {(-1e308, ABOVE_5, "")}),
        ({"value": 5, "comparator": ">="}, {(5.0, 1e308, "")}),
        ({"value": 5, "comparator": ">"}, {(ABOVE_5, 1e308, "")}),
        ({"unit": "mg"}, set()),
    ],
)
def test_a_quantity_is_filed_with_its_unit_and_its_comparator(quantity, expected):
    found = ranges("Observation", "value-quantity", valueQuantity=quantity)
    assert found == {RangeRow("value-quantity", *row) for row in expected}


def test_a_range_covers_from_its_low_to_its_high():
    onset = {"low": {"value": 30, "unit": "a"}, "high": {"value": 40, "unit": "a"}}
    assert ranges("Condition", "onset-age", onsetRange=onset) == {
        RangeRow("onset-age", 30.0, 40.00000000000001, "a"),
    }
    assert ranges("Condition", "onset-age", onsetRange={"low": {"value": 30}}) == {RangeRow("onset-age", 30.0, 1e308)}
    assert ranges("Condition", "onset-age", onsetAge={"value": 5}) == {RangeRow("onset-age", 5.0, ABOVE_5)}
    assert ranges("Condition", "onset-age", onsetRange={}) == set()


def test_money_is_filed_under_its_currency():
    found = ranges("ChargeItem", "price-override", priceOverride={"value": 5, "currency": "CNY"})
    assert found == {RangeRow("price-override", 5.0, ABOVE_5, f"CNY{US}urn:iso:std:iso:4217")}


def test_numbers_are_points():
    assert ranges("ChargeItem", "factor-override", factorOverride=Decimal("5.0")) == {
        RangeRow("factor-override", BELOW_5, ABOVE_5)
    }


def test_an_address_files_its_parts():
    address = {
        "line": ["长安街1号"],
        "city": "北京市",
        "postalCode": "100000",
        "use": "home",
        "period": {"start": "2024"},
    }
    assert keys("Patient", "address", address=[address]) == {"长安街1号", "北京市", "100000"}


def test_contained_resources_are_filed_by_their_number_among_those_of_their_type():
    contained = [
        {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "2024-05-06"},
        {"resourceType": "Patient", "id": "q", "link": [{"other": {"reference": "#p"}, "type": "seealso"}]},
        {"resourceType": "Nonsense", "id": "x"},
    ]
    found = rows("Patient", contained=contained, link=[{"other": {"reference": "#q"}, "type": "seealso"}])
    assert set(found.keys) - set(rows("Patient").keys) == {
        "link=Patient/#1",
        "_contained=Patient#0000",
        "#Patient0._id=p",
        f"#Patient0.gender=male{US}http://hl7.org/fhir/administrative-gender",
        f"#Patient0.deceased=false{US}",
        "_contained=Patient#0001",
        "#Patient1._id=q",
        "#Patient1.link=Patient/#0",
        f"#Patient1.deceased=false{US}",
    }
    assert [row.param for row in found.ranges] == ["#Patient0.birthdate"]


def test_a_parameter_whose_expression_is_broken_stops_the_start_by_its_name():
    type_ = ResourceType("Patient")
    broken = SearchParameter("bad", Canonical("http://p/bad"), "token", (type_,), "Patient.name.where(")
    support = ResourceSupport(type_, (), (), None, {"bad": broken})
    definitions = copy(load_definitions())
    definitions.resources = {type_: support}
    with pytest.raises(ExpressionBroken, match=r"http://p/bad \(Patient\?bad\)"):
        Extractor(definitions, ZONE)


def test_every_type_of_the_server_can_be_indexed():
    lonely = {type_ for type_ in load_definitions().resources if rows(type_).sort_date != microseconds(UPDATED)}
    assert lonely == set()
