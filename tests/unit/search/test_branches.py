import pytest

from fhir_server.search.branches import union_branches


@pytest.mark.parametrize(
    ("expression", "branches"),
    [
        ("Patient.name", ("Patient.name",)),
        ("a.b | a.c.d", ("a.b", "a.c.d")),
        ("(a.value as Quantity) | (a.value as SampledData)", ("(a.value as Quantity)", "(a.value as SampledData)")),
        ("a.where(x = 1 | 2)", ("a.where(x = 1 | 2)",)),
        ("a.where(url='x|y') | b", ("a.where(url='x|y')", "b")),
        (r"a.where(x='it\'s|') | b", (r"a.where(x='it\'s|')", "b")),
        ("a | b and c", ("a | b and c",)),
        ("a as Quantity | b", ("a as Quantity | b",)),
        ("a.b.exists() and a.b != false", ("a.b.exists() and a.b != false",)),
    ],
)
def test_only_unions_at_the_top_are_split(expression, branches):
    assert union_branches(expression) == branches
