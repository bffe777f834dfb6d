import pytest

from fhir_server.errors import SearchParameterUnknown, SearchValueInvalid
from fhir_server.search.content import MOST_CHARACTERS, START, content_of, holds, holds_of, parse
from fhir_server.search.query import AllOf, AnyOf, ContentHas, Not

RESOURCE = {
    "resourceType": "Observation",
    "id": "x1",
    "meta": {"profile": ["http://p.example/a"], "tag": [{"code": "mark"}]},
    "text": {
        "status": "generated",
        "div": "<div><p>患者<b>高</b>血压 &amp; <i>sugar</i></p><td>张三</td><td>丰田</td></div>",
    },
    "code": {
        "coding": [{"system": "http://loinc.org", "code": "8480-6", "display": "Systolic ＢＰ"}],
        "text": "收縮壓",
    },
    "subject": {"reference": "Patient/p1", "display": "王 小明"},
    "valueString": "5mg，每日1次",
    "note": [{"text": "见 urn:x"}, {"text": "urn:oid:1.2"}, {"text": "http://a.example"}],
    "contained": [{"resourceType": "Basic", "id": "c", "text": {"div": "<div>内</div>"}}],
}


def words(text: str) -> str:
    return text.replace("|", START)


def test_words_are_characters_of_chinese_and_runs_of_other_letters_with_a_mark_before_each_text():
    narrative, rest = content_of(RESOURCE)
    assert narrative == words("| 患 者 高 血 压 sugar | 张 三 | 丰 田")
    assert rest == words("| 8480 6 | systolic bp | 收 缩 压 | 王 小 明 | 5mg 每 日 1 次 | 见 urn x | 内")


@pytest.mark.parametrize(
    "resource", [{}, {"text": 3}, {"text": {"div": None}}, {"text": {"status": "empty"}}, {"note": [[]]}]
)
def test_a_resource_without_texts_has_no_words(resource):
    assert content_of(resource) == ("", "")


def test_long_runs_of_letters_are_several_words_and_depth_does_not_matter():
    deep: object = "a" * 100
    for _ in range(3000):
        deep = [{"extension": deep}]
    assert content_of({"note": deep}).rest == words(f"| {'a' * 64} {'a' * 36}")


def test_comments_and_tags_are_no_text():
    assert content_of({"text": {"div": "<div><!-- 一 --><br/>二<span class='三'>四</span></div>"}}).narrative == words(
        "| 二 四"
    )


@pytest.mark.parametrize(
    ("value", "clause"),
    [
        ("高血压", ContentHas(("高 血 压",))),
        ("高血壓 随访 高血压", ContentHas(("高 血 压", "随 访"))),
        ('"血压 偏高"', ContentHas(("血 压 偏 高",))),
        ("“血压 偏高”随访", ContentHas(("血 压 偏 高", "随 访"))),
        ('"blood pressure" SBP', ContentHas(("blood pressure", "sbp"))),
        ("5mg/日", ContentHas(("5mg 日",))),
        ("a OR b c", AnyOf((ContentHas(("a",)), ContentHas(("b", "c"))))),
        ("a or b", ContentHas(("a", "or", "b"))),
        ("a,b", AnyOf((ContentHas(("a",)), ContentHas(("b",))))),
        ("a\\,b", ContentHas(("a b",))),
        ("a ！", ContentHas(("a",))),
    ],
)
def test_values_are_phrases_joined_by_and_and_or(value, clause):
    assert parse("_content", value, None) == clause


def test_the_narrative_alone_is_asked_by_text():
    assert parse("_text", "a", None) == ContentHas(("a",), narrative=True)
    assert parse("_text", "true", "missing") == Not(ContentHas((START,), narrative=True))
    assert parse("_content", "false", "missing") == AllOf(())


@pytest.mark.parametrize("value", ["！", '""', "a OR", "OR", "a OR ！", "\ue000", " "])
def test_a_value_that_leaves_nothing_to_look_for_is_refused(value):
    with pytest.raises(SearchValueInvalid) as refused:
        parse("_content", value, None)
    assert [issue.key for issue in refused.value.issues] == ["search.value-words"]


def test_modifiers_are_refused():
    with pytest.raises(SearchParameterUnknown):
        parse("_content", "a", "contains")
    with pytest.raises(SearchValueInvalid):
        parse("_content", "maybe", "missing")


@pytest.mark.parametrize(
    ("phrases", "in_narrative", "anywhere"),
    [
        (("高 血 压",), True, True),
        (("高 血",), True, True),
        (("血 高",), False, False),
        (("三 丰",), False, False),
        (("收 缩",), False, True),
        (("张 三", "小 明"), False, True),
        (("5mg",), False, True),
        (("5m",), False, False),
    ],
)
def test_phrases_are_found_within_one_text(phrases, in_narrative, anywhere):
    content = content_of(RESOURCE)
    found = holds(ContentHas(phrases, narrative=True), content), holds(ContentHas(phrases), content)
    assert found == (in_narrative, anywhere)


def test_a_deletion_has_no_words():
    assert not holds_of(ContentHas((START,)), None)


def test_a_text_without_end_is_searched_up_to_a_bound():
    words = content_of({"resourceType": "Patient", "text": {"div": f"<div>{'高' * 300_000}</div>"}}).narrative
    assert words.count("高") == MOST_CHARACTERS - 1  # the mark before the text is a character, too
