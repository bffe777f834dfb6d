"""Parameters that are answered by others' rows."""

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.search.aliases import Alias, find_alias, without_aliases
from fhir_server.search.query import AnyOf, KeyIs, KeyStarts, Not, RangeOp, RangeTest

RESOURCES = load_definitions().resources


@pytest.mark.parametrize(
    ("type_", "code", "alias"),
    [
        ("Observation", "patient", Alias(("subject",), "Patient")),
        ("ServiceRequest", "receiving-organization", Alias(("performer",), "Organization")),
        ("Observation", "subject", None),
        ("Observation", "code", None),
        ("EpisodeOfCare", "patient", None),
        ("Patient", "name", None),
    ],
)
def test_an_alias_is_told_by_its_expression(type_, code, alias):
    support = RESOURCES[type_]
    assert find_alias(support.search[code], support) == alias


@pytest.mark.parametrize(
    "code", ["combo-code", "combo-value-quantity", "combo-value-concept", "combo-data-absent-reason"]
)
def test_a_combined_parameter_is_both_its_parts(code):
    support = RESOURCES["Observation"]
    alias = find_alias(support.search[code], support)
    name = code.removeprefix("combo-")
    assert alias is not None
    assert set(alias.codes) == {name, f"component-{name}"}


BOTH = Alias(("a", "b"))
PATIENT = Alias(("subject",), "Patient")


@pytest.mark.parametrize(
    ("clause", "alias", "expected"),
    [
        (KeyIs("p", "x"), BOTH, AnyOf((KeyIs("a", "x"), KeyIs("b", "x")))),
        (Not(KeyStarts("p", "")), BOTH, Not(AnyOf((KeyStarts("a", ""), KeyStarts("b", ""))))),
        (
            RangeTest("p", RangeOp.GT, 1, 2),
            BOTH,
            AnyOf((RangeTest("a", RangeOp.GT, 1, 2), RangeTest("b", RangeOp.GT, 1, 2))),
        ),
        (KeyIs("p", "Patient/1"), PATIENT, KeyIs("subject", "Patient/1")),
        (KeyIs("p", "Group/1"), PATIENT, AnyOf(())),
        (KeyStarts("p", ""), PATIENT, KeyStarts("subject", "Patient/")),
        (KeyIs("p:identifier", "v\x1fs"), PATIENT, KeyIs("subject:identifier", "v\x1fs")),
    ],
)
def test_a_clause_is_made_of_what_stands_for_it(clause, alias, expected):
    assert without_aliases(clause, "p", alias) == expected
