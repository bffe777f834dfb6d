import pytest

from fhir_server.errors import SearchValueInvalid
from fhir_server.search.query import AnyOf, KeyIs, RangeOp
from fhir_server.search.values import any_of, modifier_refused, prefixed, split, unescape


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        (r"a\,b,c", [r"a\,b", "c"]),
        (r"a\\,b", [r"a\\", "b"]),
        (r"a\\\,b", [r"a\\\,b"]),
        ("a,", ["a", ""]),
        ("", [""]),
        ("a\\", ["a\\"]),
    ],
)
def test_values_split_at_marks_that_no_backslash_escapes(raw, parts):
    assert split(raw, ",") == parts


@pytest.mark.parametrize(
    ("part", "text"), [(r"a\,b\|c\$d\\e", r"a,b|c$d\e"), (r"\n", r"\n"), ("plain", "plain"), ("a\\", "a\\")]
)
def test_the_four_escapes_lose_their_backslash_and_no_other_does(part, text):
    assert unescape(part) == text


def test_alternatives_are_joined_by_or_and_a_lone_one_stands_alone():
    assert any_of("x", "a", lambda p: KeyIs("x", p)) == KeyIs("x", "a")
    assert any_of("x", "a,b", lambda p: KeyIs("x", p)) == AnyOf((KeyIs("x", "a"), KeyIs("x", "b")))


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("a,,b", "search.value-empty"),
        (",", "search.value-empty"),
        ("a\x1fb", "search.value-control-character"),
        ("a\x00", "search.value-control-character"),
    ],
)
def test_empty_alternatives_and_control_characters_are_refused(raw, key):
    with pytest.raises(SearchValueInvalid) as caught:
        any_of("x", raw, lambda p: KeyIs("x", p))
    assert [(i.key, i.path) for i in caught.value.issues] == [(key, "x")]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("5", (RangeOp.EQ, "5")),
        ("eq5", (RangeOp.EQ, "5")),
        ("ne-5", (RangeOp.NE, "-5")),
        ("gt2024", (RangeOp.GT, "2024")),
        ("lt2024", (RangeOp.LT, "2024")),
        ("ge2024", (RangeOp.GE, "2024")),
        ("le2024", (RangeOp.LE, "2024")),
        ("sa2024", (RangeOp.SA, "2024")),
        ("eb2024", (RangeOp.EB, "2024")),
        ("ap2024", (RangeOp.AP, "2024")),
        ("GT2024", (RangeOp.EQ, "GT2024")),
        ("gt", (RangeOp.EQ, "gt")),
    ],
)
def test_the_nine_prefixes_stand_before_a_number(part, expected):
    assert prefixed(part) == expected


def test_a_modifier_that_r4_defines_is_told_apart_from_an_unknown_one():
    refused = [modifier_refused("code", m, frozenset({"not"})).issues[0] for m in ("text", "fuzzy")]
    assert [(i.key, i.path, i.params["valid"]) for i in refused] == [
        ("search.modifier-not-offered", "code:text", ":missing, :not"),
        ("search.modifier-unknown", "code:fuzzy", ":missing, :not"),
    ]
