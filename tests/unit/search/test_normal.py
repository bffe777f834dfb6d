import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.han import simplified
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
        ("張三", "张三"),
        ("歐陽娜娜", "欧阳娜娜"),
        ("王　小明", "王小明"),
        ("买买提·艾力", "买买提艾力"),
        ("買買提・艾力", "买买提艾力"),
        ("买买提．艾力 ", "买买提艾力"),
        ("王 Wang  Xm", "王wang xm"),
        ("3.5 ·kg", "3.5 ·kg"),
        ("J. Smith", "j. smith"),
    ],
)
def test_width_case_marks_and_white_space_do_not_count(text, normal):
    assert normalise(text) == normal


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(alphabet="王小明張艾·.・ 　aＡé\u0301\ue000"))
def test_normalising_chinese_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


def test_every_simplified_form_is_its_own():
    every = "".join(map(chr, range(0x3400, 0x323B0)))
    simple = simplified(every)
    changed = sum(a != b for a, b in zip(every, simple, strict=True))
    assert (simplified(simple) == simple, changed) == (True, 4105)
