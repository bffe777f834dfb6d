"""Searches by the date that keys are filed in: a walk begins where the dates end, and passes over nothing.

https://hl7.org/fhir/R4/search.html#prefix
"""

import pytest

from fhir_server.fhir.json_codec import decode
from fhir_server.store.sqlite import drivers
from support.rest import ids_of

WHEN = {
    "year": {"effectiveDateTime": "2024"},
    "month": {"effectiveDateTime": "2024-03"},
    "day": {"effectiveDateTime": "2024-03-15"},
    "second": {"effectiveDateTime": "2024-03-15T08:00:00+08:00"},
    "new-year": {"effectiveDateTime": "2024-01-01T00:00:00+08:00"},
    "before": {"effectiveDateTime": "2023-12-31T23:59:59.999+08:00"},
    "after": {"effectiveDateTime": "2025-06-01"},
    "closed": {"effectivePeriod": {"start": "2023-11-01", "end": "2024-03-31"}},
    "begun": {"effectivePeriod": {"start": "2024-03-16"}},
    "ended": {"effectivePeriod": {"end": "2024-03-14"}},
    "long": {"effectivePeriod": {"start": "1950-01-01", "end": "2049-12-31"}},
    "often": {"effectiveTiming": {"event": ["2023-01-01", "2024-03-15", "2025-12-31"]}},
    "never": {},
}
VALUES = ("2023", "2024", "2024-01", "2024-01-01", "2024-03", "2024-03-15", "2024-03-15T08:00:00+08:00", "2025", "2049")
PREFIXES = ("", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


@pytest.fixture
def filled(lenient_server, monkeypatch):
    """A server whose planner takes these few for many, as it does in a large store."""
    monkeypatch.setattr(drivers, "CAPS", (1, 2))
    for id_, when in WHEN.items():
        code = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}
        lenient_server.put({"resourceType": "Observation", "id": id_, "status": "final", "code": code, **when})
    return lenient_server


@pytest.mark.parametrize(
    "others", ["", "&code=http://loinc.org|8480-6", "&date=le2024-06", "&date=ge2023-12&status=final"]
)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_order_never_decides_what_is_found(filled, prefix, others):
    orders = ("", "&_sort=-date", "&_sort=date", "&_sort=_id")
    for value in VALUES:
        ways = [ids_of(filled.get(f"Observation?date={prefix}{value}{others}{order}&_count=50")) for order in orders]
        assert [sorted(way) for way in ways[:-1]] == [ways[-1]] * 3, value


@pytest.mark.parametrize("others", ["&code=http://loinc.org|8480-6", "&date=ge2023-12&code=8480-6", ""])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_is_too_new_is_not_counted_and_all_else_is(filled, prefix, others):
    for value in VALUES:
        search = f"Observation?date={prefix}{value}{others}&_total=accurate"
        found = ids_of(filled.get(f"{search}&_sort=_id&_count=50"))
        assert decode(filled.get(f"{search}&_count=0").content)["total"] == len(found), value
        assert decode(filled.get(f"{search}&_count=1").content)["total"] == len(found), value


def test_what_is_too_new_is_passed_over_by_counting_too(filled):
    steps = decode(filled.get("Observation/$explain?code=http://loinc.org|8480-6&date=lt2024&_count=0").content)[
        "parameter"
    ]
    counts = [part["valueString"] for step in steps for part in step.get("part", ()) if part["name"] == "statement"]
    assert "sd <= ?" in counts[-1]
    assert counts[-1].startswith("SELECT count(*)")


def test_what_begins_on_the_very_end_of_a_date_is_found(filled):
    assert set(ids_of(filled.get("Observation?date=2024-01-01"))) == {"new-year"}
    assert "new-year" in ids_of(filled.get("Observation?date=le2024-01-01T00:00:00%2B08:00"))


def test_the_newest_come_first_and_a_window_is_read_from_its_end(filled):
    window = "date=ge2024-03-15&date=lt2025&_count=50"
    found = ids_of(filled.get(f"Observation?{window}"))
    assert found == ids_of(filled.get(f"Observation?{window}&_sort=-date"))
    assert found[0] == "begun"


@pytest.mark.parametrize(
    ("query", "begins"),
    [
        ("date=lt2024", True),
        ("date=ge2024-01&date=le2024-02", True),
        ("code=8480-6&date=2024&_sort=-date", True),
        ("date=ge2024", False),
        ("date=lt2024&_sort=_id", False),
        ("code=8480-6", False),
    ],
)
def test_only_a_walk_by_date_that_has_an_end_begins_there(filled, query, begins):
    explained = filled.get(f"Observation/$explain?{query}").text
    assert ("sd <= ?" in explained) is begins
