"""fhirpath.limits and functions.regular: what a stranger's expression may cost."""

import re
from time import process_time

import pytest

from fhir_server.fhirpath import EvaluationError, budget_of, compile, compile_once  # noqa: A004 - the room's own name
from fhir_server.fhirpath.limits import MAX_ITEMS
from fhir_server.fhirpath.narrative import is_narrative
from fhir_server.fhirpath.temporal import parse_date

MANY = {"resourceType": "Patient", "name": [{"text": str(n)} for n in range(2000)]}
COSTLY = [
    f"'{'a' * 40}!'.matches('^(a|aa)+$')",
    f"'{'a' * 40}!'.matchesFull('(a|aa)+')",
    f"'{'a' * 40}!'.replaceMatches('(a|aa)+b', 'x')",
    "name.select(%resource.name.select(%resource.name.text))",
    "name.where(%resource.name.exists(%resource.name.text = 'x'))",
    "(1|2|3|4|5|6|7|8|9|10|11|12).aggregate($total.combine($total).combine($total).combine($total).combine($total), 1 | 2)",
    "name ~ name.tail().combine(name.first())",
    "name.sort(text.length() + %resource.name.count()).count() + name.select(%resource.name.count()).count() + name.select(%resource.name.distinct().count()).count()",
]  # fmt: skip


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("text", COSTLY)
def test_a_budget_ends_what_would_take_long(text):
    started = process_time()
    with pytest.raises(EvaluationError) as caught:
        compile_once(text, "Patient").evaluate(MANY, budget=budget_of(300))
    assert caught.value.key == "fhirpath.too-costly"
    assert caught.value.position is not None
    assert process_time() - started < 1


@pytest.mark.parametrize(
    "text",
    [
        "'" + "ab" * 4000 + "'.replaceMatches('', 'x')" + ".replaceMatches('.', '$0$0$0$0$0$0')" * 5,
        "'x'" + ".replace('x', 'xxxxxxxxxxxxxxxxxxxx')" * 8,
        "'aaaaaaaaaaaaaaaaaaaa'" + ".replace('', 'aaaaaaaaaaaaaaaaaaaa')" * 6,
    ],
)
def test_a_text_is_not_built_beyond_its_limit_even_without_a_budget(text):
    with pytest.raises(EvaluationError) as caught:
        compile(text).evaluate(None)
    assert caught.value.key == "fhirpath.too-costly"


def test_a_budget_bounds_the_items_of_a_collection():
    many = {"resourceType": "Patient", "name": [{"text": "x"}] * (MAX_ITEMS + 1)}
    assert compile_once("name.count()", "Patient").evaluate(many) == [MAX_ITEMS + 1]
    with pytest.raises(EvaluationError, match=f"limit of {MAX_ITEMS} items"):
        compile_once("name.count()", "Patient").evaluate(many, budget=budget_of(10_000))


@pytest.mark.parametrize(
    ("text", "pattern", "flags"),
    [
        ("abc", "b", ""), ("abc", "^b", ""), ("a\nb", "^b$", "m"), ("a\nb", "a.b", ""), ("ABC", "b", "i"), ("明天", r"\w+天", ""),
        ("a-b", r"[a\-]+b", ""), ("x1", r"(?<n>\d)", ""), ("aa", r"(a)\1", ""), ("ab", "a(?=b)", ""), ("", "^$", ""), ("é", "[[a-z]", ""),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Possible nested set")
def test_a_pattern_means_the_same_with_and_without_a_budget(text, pattern, flags):
    expression = compile("%t.matches(%p, %f)")
    given = {"t": text, "p": pattern, "f": flags}
    assert expression.evaluate(1, **given) == expression.evaluate(1, budget=budget_of(1000), **given)


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "(?P<x>", "[z-a]", "a" * 2001, "\\p{L}"])
def test_a_bad_pattern_is_an_error_with_and_without_a_budget(pattern):
    for budget in (None, budget_of(1000)):
        with pytest.raises(EvaluationError):
            compile("'a'.matches(%p)").evaluate(1, p=pattern, budget=budget)


def test_an_error_says_where_it_arose():
    text = "1 + 1 and\n  'a'.single() > 'b'.first() + 2"
    with pytest.raises(EvaluationError) as caught:
        compile(text).evaluate(1)
    assert text[caught.value.position] == "+"
    assert re.match(r"\+ 2", text[caught.value.position :])


def test_long_texts_of_strangers_are_not_kept_in_caches():
    from fhir_server.fhirpath import narrative, temporal

    for cached, call, text in (
        (narrative._known, is_narrative, "<div>" + "x" * 10_000 + "</div>"),
        (temporal._date_of, parse_date, "2024-01-01T10:00:00." + "0" * 10_000),
    ):
        before = cached.cache_info().currsize
        call(text)
        assert cached.cache_info().currsize == before


def test_an_expression_compiled_once_is_not_kept():
    from fhir_server.fhirpath import _compiled, _parsed

    before = (_compiled.cache_info().currsize, _parsed.cache_info().currsize)
    assert compile_once("1 + 41 + 100").evaluate(None) == [142]
    assert (_compiled.cache_info().currsize, _parsed.cache_info().currsize) == before
