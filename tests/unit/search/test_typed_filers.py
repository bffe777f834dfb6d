"""The fast way of extracting files exactly what the careful way files."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.search.extract import Extractor

UPDATED = datetime(2024, 6, 1, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[3] / "profiles" / "fd-contract" / "examples" / "valid"


@cache
def extractor() -> Extractor:
    return Extractor(load_definitions(), ZoneInfo("Asia/Shanghai"), base_url="https://fhir.example/r4/")


def with_care(resource):
    made = extractor()
    filing = made._filed_with_care(resource["resourceType"], resource)
    return filing.entries(made._sort_date(resource["resourceType"], filing, UPDATED))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_both_ways_file_the_same_of_an_example(path):
    resource = json.loads(path.read_bytes())
    found = extractor().extract(resource, UPDATED)
    assert found.keys
    assert found == with_care(resource)


@pytest.mark.parametrize(
    "content",
    [
        {"code": {"coding": [{"code": 5}, {"system": "s"}, {"code": "A", "system": "s"}]}},
        {"code": {"coding": [{"code": "a", "system": None}], "text": "x"}},
        {"code": {"coding": "abc"}},
        {"code": "abc"},
        {"code": None},
        {"identifier": [{"value": "V", "system": 5}, {"value": 7}, {"system": "s"}]},
        {"subject": {"reference": 5}},
        {"subject": {"reference": "#p", "identifier": {"value": "Q", "system": "s"}}},
        {"subject": {"reference": "https://fhir.example/r4/Patient/1/_history/2", "identifier": "q"}},
        {"subject": {"reference": "https://other.example/Patient/1"}},
        {"subject": {"identifier": {"value": "Q"}}},
        {"effectiveDateTime": "2024-05-06"},
        {"effectiveDateTime": "soon"},
        {"effectiveDateTime": 2024},
        {"effectivePeriod": {"start": "2024"}},
        {"valueQuantity": {"value": 5, "unit": "kg", "code": "kg", "system": "u"}},
        {"valueQuantity": {"value": "5"}},
        {"valueQuantity": "5"},
        {"meta": {"profile": ["http://a/p|1.0", "http://a/q"], "source": "http://a|b", "tag": [{"code": "T"}]}},
        {"meta": {"profile": [5], "source": 5}},
    ],
)
def test_both_ways_file_the_same_of_odd_values(content):
    resource = {"resourceType": "Observation", "id": "o", "status": "final", **content}
    found = extractor().extract(resource, UPDATED)
    assert "status=final\x1fhttp://hl7.org/fhir/observation-status" in found.keys
    assert found == with_care(resource)


@pytest.mark.parametrize("type_", sorted(load_definitions().resources))
def test_every_expression_of_a_type_compiles(type_):
    assert extractor()._branches_of(type_)
