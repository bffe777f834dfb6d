"""What contained resources are filed as, and what is asked of them."""

from datetime import UTC, datetime

import pytest

from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.contained import (
    entries_with_contained,
    inside,
    mark_value,
    marked_number,
    numbered,
    pointed_at,
    pointer,
)
from fhir_server.search.match import Indexed, matches
from fhir_server.search.query import (
    AllOf,
    AnyOf,
    Clause,
    Contains,
    ContentHas,
    HasRange,
    IdIs,
    KeyIs,
    Not,
    RangeOp,
    ReferredBy,
    RefersTo,
    UpdatedTest,
)
from fhir_server.search.rows import IndexEntries, RangeRow, TextRow

DRUG, ORDER = ResourceType("Medication"), ResourceType("MedicationRequest")
NOW = datetime(2024, 1, 1, tzinfo=UTC)
NEVER = AnyOf(())


def extract(resource, updated) -> IndexEntries:
    """Files `code` as a key, a range and a text, and each reference as a key."""
    code = [resource["code"]] if "code" in resource else []
    links = [f"{name}={value['reference']}" for name, value in resource.items() if isinstance(value, dict)]
    return IndexEntries(
        (*(f"code={one}" for one in code), *links),
        tuple(RangeRow("date", int(one), int(one) + 1) for one in code),
        tuple(TextRow("name", one, one) for one in code),
        7,
    )


def order(*contained: object, **more: object) -> dict[str, object]:
    return {"resourceType": ORDER, "id": "1", "contained": list(contained), **more}


def drug(id_: str, code: str, **more: object) -> dict[str, object]:
    return {"resourceType": DRUG, "id": id_, "code": code, **more}


def test_each_contained_resource_has_rows_of_its_own_beside_those_of_its_container():
    found = entries_with_contained(
        order(drug("a", "1"), drug("b", "2", maker={"reference": "#a"}), {"resourceType": "Basic"}, code="3"),
        NOW,
        extract,
        {DRUG, ORDER},
    )
    assert set(found.keys) == {
        "code=3",
        "_contained=Medication#0000",
        "#Medication0._id=a",
        "#Medication0.code=1",
        "_contained=Medication#0001",
        "#Medication1._id=b",
        "#Medication1.code=2",
        "#Medication1.maker=Medication/#0",
    }
    assert list(found.keys) == sorted(found.keys)
    assert [row.param for row in found.ranges] == ["date", "#Medication0.date", "#Medication1.date"]
    assert [row.param for row in found.texts] == ["name", "#Medication0.name", "#Medication1.name"]
    assert found.sort_date == 7


def test_a_reference_to_what_is_not_contained_stays():
    found = entries_with_contained(order(drug("a", "1"), drug={"reference": "#z"}), NOW, extract, {DRUG})
    assert "drug=#z" in found.keys


def test_more_than_a_thousand_of_a_type_are_not_numbered():
    many = order(*(drug(f"d{n}", "1") for n in range(1001)))
    assert [n for _, n, _ in numbered(many, {DRUG})] == list(range(1000))


def test_marks_are_in_the_order_of_their_numbers():
    values = [mark_value(DRUG, number) for number in (0, 9, 10, 999)]
    assert values == sorted(values)
    assert [marked_number(f"_contained={value}") for value in values] == [0, 9, 10, 999]


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (KeyIs("code", "x"), KeyIs("#Medication2.code", "x")),
        (HasRange("date"), HasRange("#Medication2.date")),
        (Not(KeyIs("code", "x")), Not(KeyIs("#Medication2.code", "x"))),
        (AllOf((KeyIs("a", "x"), AnyOf(()))), AllOf((KeyIs("#Medication2.a", "x"), AnyOf(())))),
        (IdIs(("a", "b")), AnyOf((KeyIs("#Medication2._id", "a"), KeyIs("#Medication2._id", "b")))),
        (RefersTo("maker", DRUG, (KeyIs("code", "x"),)), RefersTo("#Medication2.maker", DRUG, (KeyIs("code", "x"),))),
        (UpdatedTest(RangeOp.GT, 0, 1), NEVER),
        (ContentHas(("x",)), NEVER),
        (ReferredBy(ORDER, "medication", ()), NEVER),
        (Contains(DRUG, ()), NEVER),
    ],
)
def test_a_clause_is_asked_of_the_rows_of_one_contained_resource(clause, expected):
    assert inside(clause, DRUG, 2) == expected


def test_a_chain_into_the_container_needs_the_pointer_and_everything_else_of_the_same_one():
    chain = RefersTo("drug", DRUG, (KeyIs("code", "x"), IdIs(("a",))))
    assert pointed_at(chain, 1) == AllOf(
        (
            KeyIs("drug", pointer(DRUG, 1)),
            KeyIs("#Medication1.code", "x"),
            AnyOf((KeyIs("#Medication1._id", "a"),)),
        )
    )


TWO = Indexed(
    "1",
    0,
    entries_with_contained(
        order(drug("a", "1", maker={"reference": "#b"}), drug("b", "2"), drug={"reference": "#a"}), NOW, extract, {DRUG}
    ),
    ORDER,
)


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (Contains(DRUG, (KeyIs("code", "1"),)), True),
        (Contains(DRUG, (KeyIs("code", "1"),), number=1), False),
        (Contains(DRUG, (KeyIs("code", "2"),), number=1), True),
        (Contains(DRUG, (KeyIs("code", "1"), IdIs(("b",)))), False),
        (Contains(DRUG, ()), True),
        (Contains(ORDER, ()), False),
        (RefersTo("drug", DRUG, (KeyIs("code", "1"),)), True),
        (RefersTo("drug", DRUG, (KeyIs("code", "2"),)), False),
        (RefersTo("drug", DRUG, (RefersTo("maker", DRUG, (KeyIs("code", "2"),)),)), True),
        (RefersTo("drug", DRUG, (RefersTo("maker", DRUG, (KeyIs("code", "1"),)),)), False),
    ],
)
def test_everything_must_hold_of_one_and_the_same_contained_resource(clause: Clause, expected):
    assert matches(clause, TWO) is expected
