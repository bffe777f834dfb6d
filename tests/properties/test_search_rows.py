"""What holds of every date, number, string and token that is filed and searched."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fhir_server.definitions.packages import load_definitions
from fhir_server.errors import ResourceInvalid
from fhir_server.fhir.dates import range_of
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.extract import Extractor
from fhir_server.search.match import Indexed, matches
from fhir_server.search.normal import normalise
from fhir_server.search.parse import parse_query
from fhir_server.search.rows import RangeRow

unhurried = settings(deadline=None)
"""The first example of a run loads the definitions."""

ZONE = ZoneInfo("Asia/Shanghai")
UPDATED = datetime(2024, 6, 1, tzinfo=UTC)

days = st.dates(date(1900, 1, 1), date(2100, 1, 1))
partial_dates = st.builds(lambda day, length: day.isoformat()[:length], days, st.sampled_from([4, 7, 10]))
instants = st.builds(
    lambda instant, minutes: (
        (instant + timedelta(minutes=minutes)).isoformat() + f"+{minutes // 60:02}:{minutes % 60:02}"
    ),
    st.datetimes(datetime(1900, 1, 2), datetime(2100, 1, 1)),  # noqa: DTZ001 -- the offset is appended
    st.integers(0, 14 * 60),
)
dates = partial_dates | instants
decimals = st.decimals(-1_000_000, 1_000_000, places=3) | st.integers(-1000, 1000).map(Decimal)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(normalise)


@cache
def context() -> SearchContext:
    return SearchContext(load_definitions(), ZONE, UPDATED)


@cache
def extractor() -> Extractor:
    return Extractor(load_definitions(), ZONE)


def indexed(type_: str, content: JsonObject) -> Indexed:
    return Indexed("x", 0, extractor().extract({"resourceType": type_, "id": "x", **content}, UPDATED))


def finds(item: Indexed, type_: str, name: str, value: str) -> bool:
    (clause,) = parse_query(ResourceType(type_), [(name, value)], context()).query.where
    return matches(clause, item)


def escaped(text: str) -> str:
    for mark in "\\,|$":
        text = text.replace(mark, "\\" + mark)
    return text


@unhurried
@given(dates, dates)
def test_prefixes_of_dates_agree_with_each_other(filed, searched):
    item = indexed("Observation", {"effectiveDateTime": filed})
    holds = {
        op
        for op in ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
        if finds(item, "Observation", "date", op + searched)
    }
    row, search = range_of(filed, ZONE), range_of(searched, ZONE)
    assert ("eq" in holds) == (search.low <= row.low and row.high <= search.high)
    assert ("eq" in holds) != ("ne" in holds)
    assert ("ge" in holds) == bool(holds & {"gt", "eq"})
    assert ("le" in holds) == bool(holds & {"lt", "eq"})
    assert "sa" not in holds or holds >= {"gt", "ge", "ne"}
    assert "eb" not in holds or holds >= {"lt", "le", "ne"}
    assert holds & {"sa", "eb"} or "ap" in holds


@unhurried
@given(dates)
def test_a_date_is_found_by_itself_and_by_each_coarser_text_in_its_zone(filed):
    item = indexed("Observation", {"effectiveDateTime": filed})
    assert finds(item, "Observation", "date", filed)
    if "T" not in filed:
        assert [finds(item, "Observation", "date", filed[:n]) for n in (4, 7) if n <= len(filed)].count(False) == 0


@unhurried
@given(days)
def test_the_days_of_a_month_and_the_months_of_a_year_leave_no_gap(day):
    this, after = range_of(day.isoformat(), ZONE), range_of((day + timedelta(days=1)).isoformat(), ZONE)
    month, year = range_of(day.isoformat()[:7], ZONE), range_of(day.isoformat()[:4], ZONE)
    assert this.low < this.high == after.low
    assert year.low <= month.low <= this.low
    assert this.high <= month.high <= year.high


@unhurried
@given(decimals, decimals)
def test_comparisons_of_numbers_are_those_of_decimals(filed, searched):
    item = indexed("ChargeItem", {"factorOverride": filed})
    holds = {
        op
        for op in ("gt", "lt", "ge", "le", "sa", "eb")
        if finds(item, "ChargeItem", "factor-override", f"{op}{searched:f}")
    }
    expected = {"gt", "sa", "ge"} if filed > searched else {"lt", "eb", "le"} if filed < searched else {"ge", "le"}
    assert holds == expected


@unhurried
@given(decimals, decimals)
def test_equal_numbers_agree_to_the_digits_that_were_given(filed, searched):
    item = indexed("ChargeItem", {"factorOverride": filed})
    half = Decimal(5).scaleb(int(searched.as_tuple().exponent) - 1)
    within = searched - half <= filed < searched + half
    assert finds(item, "ChargeItem", "factor-override", f"{searched:f}") is within
    assert finds(item, "ChargeItem", "factor-override", f"ne{searched:f}") is not within


@unhurried
@given(texts, st.data())
def test_a_name_is_found_by_its_start_its_inside_and_itself(name, data):
    item = indexed("Patient", {"name": [{"text": name}]})
    normal = normalise(name)
    end = data.draw(st.integers(1, len(normal)))
    start = data.draw(st.integers(0, end - 1))
    assume(normal[start:end].strip())
    assert finds(item, "Patient", "name", escaped(normal[:end]))
    assert finds(item, "Patient", "name:contains", escaped(normal[start:end]))
    assert finds(item, "Patient", "name:exact", escaped(name))
    assert finds(item, "Patient", "name", escaped(name.upper())) is normal.startswith(normalise(name.upper()))


@unhurried
@given(texts, texts)
def test_an_identifier_is_found_by_value_by_system_and_by_both(system, value):
    item = indexed("Patient", {"identifier": [{"system": system, "value": value}]})
    assert finds(item, "Patient", "identifier", escaped(value))
    assert finds(item, "Patient", "identifier", f"{escaped(system)}|{escaped(value)}")
    assert finds(item, "Patient", "identifier", f"{escaped(system)}|")
    assert not finds(item, "Patient", "identifier", f"|{escaped(value)}")
    assert not finds(item, "Patient", "identifier", f"{escaped(system)}x|{escaped(value)}")


SEEDS: tuple[JsonObject, ...] = (
    {
        "resourceType": "Patient",
        "meta": {"tag": [{"system": "s", "code": "c"}], "profile": ["http://p|1"]},
        "identifier": [{"system": "s", "value": "v"}],
        "name": [{"family": "f", "given": ["g"]}],
        "telecom": [{"system": "phone", "value": "1"}],
        "birthDate": "1990",
        "address": [{"line": ["l"], "city": "c"}],
        "generalPractitioner": [{"reference": "Practitioner/1", "identifier": {"value": "v"}}],
        "deceasedDateTime": "2024",
    },
    {
        "resourceType": "Observation",
        "code": {"coding": [{"code": "c"}], "text": "t"},
        "effectivePeriod": {"start": "2024", "end": "2025"},
        "valueQuantity": {"value": 5, "unit": "mg", "system": "s", "code": "c", "comparator": "<"},
        "component": [{"code": {"coding": [{"code": "c"}]}, "valueQuantity": {"value": 5}}],
    },
    {
        "resourceType": "Observation",
        "effectiveTiming": {"event": ["2024"], "repeat": {"boundsPeriod": {"start": "2024"}}},
    },
    {"resourceType": "Condition", "onsetRange": {"low": {"value": 1}, "high": {"value": 2}}, "recordedDate": "2024"},
)
junk = st.sampled_from(
    [None, True, 5, Decimal("1.5"), "", "x", "\x1f", [], [None], [5], ["x"], [[]], {}, {"value": []}, {"coding": 5}]
)


def damaged(data: st.DataObject, value: object) -> object:
    if data.draw(st.integers(0, 5)) == 0:
        return data.draw(junk)
    if isinstance(value, dict):
        return {k: v if k == "resourceType" else damaged(data, v) for k, v in value.items()}
    return [damaged(data, v) for v in value] if isinstance(value, list) else value


@unhurried
@given(st.sampled_from(SEEDS), st.data())
def test_a_resource_of_any_shape_is_indexed_or_refused_as_invalid(seed, data):
    resource = {k: v if k == "resourceType" else damaged(data, v) for k, v in seed.items()}
    keys, ranges, refusals = outcome(resource)
    assert keys == sorted(set(keys))
    assert all(row.low < row.high for row in ranges)
    assert set(refusals) <= {"search.not-indexable"}


def outcome(resource: JsonObject) -> tuple[list[str], tuple[RangeRow, ...], list[str]]:
    try:
        entries = extractor().extract(resource, UPDATED)
    except ResourceInvalid as error:
        return [], (), [found.key for found in error.issues]
    return list(entries.keys), entries.ranges, []
