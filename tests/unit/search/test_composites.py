"""What composites file, and what their searches become."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.composites import files_rows, find_composite
from fhir_server.search.context import SearchContext
from fhir_server.search.extract import Extractor
from fhir_server.search.parse import parse_query
from fhir_server.search.query import AllOf, AnyOf, Clause, KeyEnds, KeyIs, KeyStarts, RangeOp, RangeTest
from fhir_server.search.rows import SEPARATOR as US
from fhir_server.search.wild import PAIR, WILD

DEFINITIONS = load_definitions()
ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2024, 6, 1, tzinfo=UTC)
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


def clause(type_: str, name: str, value: str) -> Clause:
    context = SearchContext(DEFINITIONS, ZONE, NOW)
    (found,) = parse_query(ResourceType(type_), [(name, value)], context).query.where
    return found


@pytest.mark.parametrize(
    ("type_", "code", "filed"),
    [
        ("Observation", "code-value-quantity", False),
        ("Observation", "code-value-date", False),
        ("Observation", "component-code-value-quantity", True),
        ("Observation", "combo-code-value-quantity", False),
        ("DocumentReference", "relationship", True),
        ("Group", "characteristic-value", True),
    ],
)
def test_only_composites_of_repeating_elements_file_rows(type_, code, filed):
    support = DEFINITIONS.resources[ResourceType(type_)]
    assert files_rows(support.search[code], support, DEFINITIONS.model) is filed


def test_the_components_that_r4_names_the_wrong_way_round_go_by_their_paths():
    support = DEFINITIONS.resources[ResourceType("DocumentReference")]
    found = find_composite(support.search["relationship"], support, DEFINITIONS.model)
    assert found is not None
    assert (found.first.code, found.second.code) == ("relation", "relatesto")


def test_a_composite_of_single_elements_is_both_its_parameters():
    assert clause("Observation", "code-value-concept", f"{LOINC}|a$b") == AllOf(
        (KeyIs("code", f"a{US}{LOINC}"), KeyStarts("value-concept", f"b{US}"))
    )


@pytest.mark.parametrize(
    ("first", "pattern"),
    [
        (f"{LOINC}|8480-6", f"8480-6{US}{LOINC}"),
        ("8480-6", f"8480-6{US}{WILD}"),
        ("|8480-6", f"8480-6{US}"),
        (f"{LOINC}|", f"{WILD}{US}{LOINC}"),
    ],
)
def test_the_first_component_names_the_rows_of_the_second(first, pattern):
    name = f"component-code-value-quantity={pattern}{PAIR}"
    expected = RangeTest(f"{name}:ucum", RangeOp.GT, 150.0, pytest.approx(150.0), "g")
    assert clause("Observation", "component-code-value-quantity", f"{first}$gt150|{UCUM}|g") == expected


def test_tokens_and_references_of_the_second_component_are_keys():
    name = f"relationship=signs{US}{WILD}{PAIR}"
    assert clause("DocumentReference", "relationship", "signs$1") == KeyIs(name, "DocumentReference/1")
    name = f"characteristic-value=sex{US}{WILD}{PAIR}"
    assert clause("Group", "characteristic-value", "sex$s|") == KeyEnds(name, f"{US}s")


def test_a_combined_composite_is_that_of_the_resource_or_of_a_component():
    found = clause("Observation", "combo-code-value-concept", "a$b")
    assert found == AnyOf(
        (
            clause("Observation", "code-value-concept", "a$b"),
            clause("Observation", "component-code-value-concept", "a$b"),
        )
    )


def test_every_coding_of_a_component_files_the_value():
    coding = [{"system": LOINC, "code": "8480-6"}, {"code": "SBP"}]
    component = {"code": {"coding": coding}, "valueQuantity": {"value": 140, "unit": "mmHg"}}
    resource = {"resourceType": "Observation", "id": "a", "component": [component]}
    rows = Extractor(DEFINITIONS, ZONE).extract(resource, NOW).ranges
    name = "component-code-value-quantity"
    assert {row.param for row in rows} == {
        "component-value-quantity",
        f"{name}=8480-6{US}{LOINC}{PAIR}",
        f"{name}=sbp{US}{PAIR}",
    }


def test_a_dollar_in_a_value_is_escaped():
    assert clause("Observation", "code-value-concept", "a\\$b$c") == AllOf(
        (KeyStarts("code", f"a$b{US}"), KeyStarts("value-concept", f"c{US}"))
    )
