from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from fhir_server.search.bigrams import contains, pairs
from fhir_server.search.filing import Filing
from fhir_server.search.kinds import string
from fhir_server.search.match import Indexed, matches
from fhir_server.search.normal import normalise
from fhir_server.search.query import AllOf, KeyIs, KeyStarts, TextContains
from fhir_server.search.rows import SEPARATOR

FEW = st.text(alphabet="王小明𠀀a b·", max_size=12)


def filed(*texts: str) -> Indexed:
    filing = Filing(UTC)
    for text in texts:
        string.rows("name", text, "string", filing)
    return Indexed("x", 0, filing.entries(int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())))


def test_each_chinese_character_is_filed_with_the_next_and_the_last_with_an_end_mark():
    assert list(pairs("王小明")) == ["王小", "小明", f"明{SEPARATOR}"]
    assert list(pairs("5号楼a座")) == ["号楼", "楼a", f"座{SEPARATOR}"]


def test_texts_without_chinese_have_no_pairs():
    assert filed("Wang Xiaoming").entries.keys == ("name=wang xiaoming",)


def test_one_character_is_the_start_of_a_key_two_are_a_key_and_more_need_the_text():
    assert contains("name", "小") == KeyStarts("name~", "小")
    assert contains("name", "小明") == KeyIs("name~", "小明")
    assert contains("name", "王小明") == AllOf(
        (KeyIs("name~", "王小"), KeyIs("name~", "小明"), TextContains("name", "王小明"))
    )
    assert contains("name", "5号") == AllOf((KeyStarts("name~", "号"), TextContains("name", "5号")))
    assert contains("name", "ang") == TextContains("name", "ang")


def test_a_long_part_asks_for_eight_pairs_and_the_text():
    part = "湖南省益阳市桃江县灰山港镇"
    clause = contains("address", part)
    assert isinstance(clause, AllOf)
    assert [type(one) for one in clause.clauses] == [KeyIs] * 8 + [TextContains]


@given(st.lists(FEW, min_size=1, max_size=3), FEW)
@example(["小明明王"], "明小")
@example(["王小", "小明"], "王小明")
@example(["明"], "明 ")
def test_pairs_find_exactly_the_texts_that_contain_the_part(texts, part):
    wanted = normalise(part)
    if wanted:
        expected = any(wanted in normalise(text) for text in texts)
        assert matches(contains("name", wanted), filed(*texts)) is expected
