import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.normal import normalise


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Wang", "wang"),
        ("ＷＡＮＧ　Ｘｉａｏ", "wang xiao"),
        ("José  Müller\t", "jose muller"),
        ("Straße", "strasse"),
        ("王小明", "王小明"),
        ("ﬁ", "fi"),
        ("①号楼", "1号楼"),
        ("한글", "한글"),
        (" \n", ""),
    ],
)
def test_width_case_marks_and_white_space_do_not_count(text, normal):
    assert normalise(text) == normal


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)
