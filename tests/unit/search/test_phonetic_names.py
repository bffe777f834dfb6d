import subprocess
import sys
from datetime import UTC

import pytest

from fhir_server.search import phonetic
from fhir_server.search.filing import Filing
from fhir_server.search.phonetic import MOST_READINGS, form_of
from fhir_server.search.query import AnyOf, KeyStarts
from fhir_server.search.rows import TextRow


@pytest.mark.parametrize(
    ("name", "first", "spellings"),
    [
        ("王刚", "wanggang", {"wanggang", "gang", "wg", "wangg"}),
        ("王", "wang", {"wang", "w"}),
        ("歐陽刚", "ouyanggang", {"ouyanggang", "gang", "oyg", "ouyangg"}),
        ("José María", "josemaria", {"josemaria", "maria"}),
        ("O'Brien-Lee", "obrienlee", {"obrienlee"}),
        ("--", "--", {"--"}),
        ("龘", "da", {"da", "d"}),
    ],
)
def test_a_name_is_filed_in_full_by_given_name_and_by_initials(name, first, spellings):
    assert form_of(name) == (first, spellings)


@pytest.mark.parametrize(
    ("name", "usual"),
    [("单丹", "shandan"), ("仇军", "qiujun"), ("解军", "xiejun"), ("任军", "renjun"), ("曾军", "zengjun"),
     ("查军", "zhajun"), ("盖军", "gejun"), ("朴军", "piaojun"), ("尉迟军", "yuchijun"), ("区军", "oujun"),
     ("万俟军", "moqijun"), ("长孙军", "zhangsunjun"), ("员军", "yunjun"), ("黑军", "hejun"), ("卜军", "bujun"),
     ("缪军", "miaojun"), ("種军", "chongjun"), ("召军", "shaojun"), ("秘军", "bijun"), ("乐军", "yuejun")],
)  # fmt: skip
def test_surnames_are_read_as_surnames(name, usual):
    form = form_of(name)
    assert form is not None
    assert form.first == usual


def test_umlauts_are_typed_in_three_ways():
    form = form_of("刘吕")
    assert form is not None
    assert {one for one in form.spellings if one.startswith("liu")} == {
        "liulv", "liulu", "liulyu", "liul",
    }  # fmt: skip


def test_readings_of_several_characters_are_combined_up_to_a_bound():
    form, many = form_of("张乐行"), form_of("张" + "行" * 12)
    assert form is not None
    assert many is not None
    full = {one for one in form.spellings if one.startswith("zhang") and len(one) > 10}
    assert full == {"zhanglexing", "zhanglehang", "zhangyuexing", "zhangyuehang"}
    assert len({one for one in many.spellings if one.startswith("zhang") and len(one) > 30}) == MOST_READINGS


@pytest.mark.parametrize("name", ["", " ", "\u0301"])
def test_what_cannot_be_read_has_no_form(name):
    assert form_of(name) is None


def test_a_human_name_files_its_text_and_its_parts_together():
    filing = Filing(UTC)
    phonetic.rows(
        "phonetic", {"text": "王刚", "family": "王", "given": ["小", "刚"], "use": "usual"}, "HumanName", filing
    )
    assert list(filing.texts) == [
        TextRow("phonetic", "wanggang", "王刚"),
        TextRow("phonetic", "wangxiaogang", "王小刚"),
    ]
    assert {"phonetic=wgang", "phonetic=wangxg", "phonetic=wg"} & filing.keys == {"phonetic=wangxg", "phonetic=wg"}


@pytest.mark.parametrize(
    "value", [3, [], "王刚", {"given": "王刚"}, {"family": 7, "given": [None]}, {"text": ["王刚"]}]
)
def test_a_human_name_of_another_shape_files_nothing(value):
    filing = Filing(UTC)
    phonetic.rows("phonetic", value, "HumanName", filing)
    assert (filing.keys, filing.texts) == (set(), {})


def test_chinese_is_searched_by_its_readings():
    assert phonetic.starts("phonetic", "曾乐") == AnyOf(
        (KeyStarts("phonetic", "zengle"), KeyStarts("phonetic", "zengyue"))
    )
    assert phonetic.starts("phonetic", "xi'an wei") == KeyStarts("phonetic", "xianwei")


def test_neither_start_nor_use_runs_the_library():
    code = (
        "import sys; import fhir_server.search.extract as e; from fhir_server.search import phonetic, readings;"
        "idle = readings._table.cache_info().currsize;"
        "print(idle, phonetic.form_of('王刚').first, 'pypinyin' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "wanggang", "False"]
