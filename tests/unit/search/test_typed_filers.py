"""The fast way of extracting files exactly what the careful way files."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from fhir_server.search.extract import Extractor, _sort_date
from tests.support.search_samples import DEFINITIONS, some_resource

UPDATED = datetime(2024, 6, 1, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[3] / "profiles" / "fd-contract" / "examples" / "valid"


@cache
def extractor() -> Extractor:
    return Extractor(DEFINITIONS, ZoneInfo("Asia/Shanghai"), base_url="https://fhir.example/r4/")


CODE = {"coding": [{"code": "Ab", "system": "s", "display": "Name"}, {"code": "c"}], "text": "Text"}
KILOGRAMS = {"value": Decimal("5.0"), "unit": "kg", "code": "kg", "system": "http://unitsofmeasure.org"}


def in_order(entries):
    """Rows are in the order found, which is another in each way."""
    return entries._replace(ranges=sorted(entries.ranges), texts=sorted(entries.texts))


def with_care(resource):
    made = extractor()
    of_type = made._made_of_type(resource["resourceType"])
    filing = made._filed_with_care(of_type, resource)
    return filing.entries(_sort_date(of_type.sort_date, filing, UPDATED))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_both_ways_file_the_same_of_an_example(path):
    resource = json.loads(path.read_bytes())
    found = extractor().extract(resource, UPDATED)
    assert found.keys
    assert in_order(found) == in_order(with_care(resource))


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
        {"component": [{"code": CODE, "valueQuantity": KILOGRAMS}, {"code": CODE, "valueCodeableConcept": CODE}]},
        {"component": [{"code": CODE, "valueQuantity": {**KILOGRAMS, "comparator": "<", "unit": "公斤"}}]},
        {"component": [{"code": {"text": "x"}, "valueQuantity": KILOGRAMS}, {"valueQuantity": KILOGRAMS}]},
        {"component": [{"code": {"coding": [{"system": "s"}]}, "valueCodeableConcept": {"text": "y"}}]},
        {"component": [{"code": {"coding": [{"code": 5}]}, "valueQuantity": KILOGRAMS}]},
        {"component": [{"code": CODE, "valueQuantity": {"value": True}}, {"code": CODE, "valueQuantity": {}}]},
        {"component": {"code": CODE}},
    ],
)
def test_both_ways_file_the_same_of_odd_values(content):
    resource = {"resourceType": "Observation", "id": "o", "status": "final", **content}
    found = extractor().extract(resource, UPDATED)
    assert "status=final\x1fhttp://hl7.org/fhir/observation-status" in found.keys
    assert in_order(found) == in_order(with_care(resource))


@pytest.mark.parametrize("type_", sorted(DEFINITIONS.resources))
def test_every_expression_of_a_type_compiles(type_):
    assert extractor()._made_of_type(type_).branches


@pytest.mark.parametrize("type_", sorted(DEFINITIONS.resources))
def test_both_ways_file_the_same_of_full_resources(type_):
    rng, of_type = Random(11), extractor()._made_of_type(type_)
    made = [some_resource(rng, type_, str(n), share=share) for n, share in enumerate((1, 1, 1, 0.7, 0.4, 0.2))]
    quick = [extractor()._filed(of_type, resource).entries(0) for resource in made]
    careful = [extractor()._filed_with_care(of_type, resource).entries(0) for resource in made]
    assert quick[0].keys
    assert list(map(in_order, quick)) == list(map(in_order, careful))
