"""fhirpath.transpiler.statements: what is written as loops gives the answers and errors of the evaluator, and no more work."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fhir_server.fhirpath import EvaluationError, compile, r4_model  # noqa: A004 - the room's own name
from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.transpiler import generate, statements

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MODEL = r4_model()
ONLY_EXTENSION = {"extension": [{"url": "u", "valueCode": "x"}]}
OLD = {"use": "old", "given": ["a"], "period": {"start": "2020-01-01"}}
USUAL = {"use": "usual", "given": ["b", "c"], "text": "B C"}
SILENT = {"_use": ONLY_EXTENSION}


def answers(text, type_, focus):
    """What the transpiled code says, and what the evaluator says."""
    focus = {"resourceType": type_, **focus} if type_ in MODEL.resources else focus
    runs = generate.predicate(parse(text), type_, MODEL), compile(text, type_)._evaluated_test
    return {outcome(run, focus) for run in runs}


def outcome(run, focus):
    try:
        return run(focus, focus, focus, NOW)
    except EvaluationError:
        return "error"


def names(*items):
    return {"name": list(items)}


@pytest.mark.parametrize(
    ("text", "focus", "wanted"),
    [
        # searches, at the end of the function and before it
        ("name.where(use = 'old').exists()", names(USUAL, OLD), True),
        ("name.where(use = 'old').exists()", names(USUAL), False),
        ("name.where(use = 'old').empty()", names(USUAL, OLD), False),
        ("name.where(use = 'old').empty()", names(USUAL), True),
        ("name.where(use = 'old').exists() and name.where(use = 'usual').exists()", names(OLD), False),
        ("name.where(use = 'old').exists() or name.where(use = 'usual').exists()", names(USUAL), True),
        ("name.where(use = 'old').exists() implies name.where(use = 'usual').exists()", names(OLD), False),
        ("name.where(use = 'old').exists() implies name.where(use = 'usual').exists()", names(SILENT), True),
        ("(name.where(use = 'old').exists() and active).not()", {"active": False, **names(OLD)}, True),
        ("(name.where(use = 'old').exists() or active).not()", {"active": False, **names(USUAL)}, True),
        ("(name.where(use = 'old').exists() or active) and gender = 'male'", {"gender": "male", **names(OLD)}, True),
        ("name.where(use = 'old').exists() xor name.where(use = 'usual').exists()", names(OLD, USUAL), False),
        ("name.where(use = 'old').exists() = active", {"active": False, **names(USUAL)}, True),
        ("iif(name.where(use = 'old').exists(), gender, id) = 'x'", {"id": "x", **names(USUAL)}, True),
        ("iif(active, name.where(use = 'old').count(), name.count()) = 2", {"active": False, **names(OLD, USUAL)}, True),
        # all items
        ("name.all(use = 'old')", {}, True),
        ("name.all(use = 'old')", names(OLD, USUAL), False),
        ("name.all(use = 'old')", names(OLD, SILENT), False),
        ("name.all(given.exists() and text.exists())", names(USUAL, OLD), False),
        ("name.all(use = 'old' or given.where($this = 'b').exists())", names(OLD, USUAL), True),
        ("name.all(use = 'old' or given.where($this = 'x').exists())", names(OLD, USUAL), False),
        ("name.all(use = 'old').not()", names(USUAL), True),
        ("name.all(use = 'old') or name.all(use = 'usual')", names(USUAL, USUAL), True),
        ("name.all(given.all($this = 'a'))", names(OLD, OLD), True),
        ("name.all(given.all($this = 'a'))", names(OLD, USUAL), False),
        ("name.where(given.all($this = 'a')).count() = 1", names(OLD, USUAL), True),
        ("name.select(use = 'old').allTrue()", names(OLD, USUAL), False),
        # loops within loops
        ("name.where(given.where($this = 'b').exists()).text = 'B C'", names(OLD, USUAL), True),
        ("name.given.where($this = 'c').exists()", names(OLD, USUAL), True),
        ("name.where(use = 'usual').given.where($this = 'a').exists()", names(OLD, USUAL), False),
        ("name.where(given.where($this = 'b' or $this = 'a').exists() or use.empty()).count() = 2", names(OLD, USUAL), True),
        ("name.select(given | text).count() = 4", names(OLD, USUAL), True),
        ("name.where(use = 'usual').period.start.empty()", names(OLD, USUAL), True),
        ("name.period.start.count() = 1", names(OLD, USUAL), True),
        ("name.use.count() = 2", names(OLD, SILENT), True),
        ("name.given.count() = 2", names({"given": ["a", None], "_given": [None, ONLY_EXTENSION]}), True),
        ("name.where(use in ('old' | 'usual')).given.count() = 3", names(OLD, USUAL), True),
        ("name.given.aggregate($this + $total, '') = 'cba'", names(OLD, USUAL), True),
        ("name.select(given.count()).aggregate($this + $total, 0) = 3", names(OLD, USUAL), True),
        ("name.extension('u').value.exists()", names({"extension": [{"url": "u", "valueCode": "x"}]}), True),
        ("extension.where(url = 'u').value = true", {"extension": [{"url": "u", "valueBoolean": True}]}, True),
        ("extension.where(url = 'u').value = true", {"extension": [{"url": "u", "valueBoolean": False}]}, False),
        ("extension.where(url = 'u').value = true", {"extension": [{"url": "u", "valueInteger": 1}]}, False),
        ("extension.where(url = 'u').value.count() = 1", {"extension": [{"url": "u", "_valueCode": ONLY_EXTENSION}]}, True),
        # what is used twice
        ("name.where(use = 'old').exists() and name.where(use = 'old').count() = 2", names(OLD, OLD), True),
        ("name.where(use = 'old').given.first() = 'a' and name.where(use = 'old').given.count() = 1", names(OLD), True),
        ("(name.where(use = 'old').exists() and active) or name.where(use = 'old').exists()", names(OLD), True),
        ("name.all(use = 'old') and (name.all(use = 'old') or active)", names(OLD), True),
        ("name.where(given.first() = 'a' or given.first() = 'b').count() = 2", names(OLD, USUAL), True),
        ("(gender = 'male' or gender = 'female' or gender = 'other') and name.exists()", {"gender": "other", **names(OLD)}, True),
        ("name.where(use = 'old' or use = 'usual').count() = 2", names(OLD, USUAL, SILENT), True),
        ("name.where(text = 'x1').count() = 1 and name.where(text = 'x2').count() = 0", names({"text": "x1"}), True),
        # several items where one is wanted: an error, unless nobody asks
        ("name.use > 'a'", names(OLD, USUAL), "error"),
        ("active or name.use > 'a'", {"active": True, **names(OLD, USUAL)}, True),
        ("active or name.use > 'a'", {"active": False, **names(OLD, USUAL)}, "error"),
        ("active and name.use > 'a'", {"active": False, **names(OLD, USUAL)}, False),
        ("gender > name.use", names(OLD, USUAL), "error"),
        ("(gender > name.use) or true", names(OLD, USUAL), "error"),
        ("name.all(given > 'a')", names(OLD, USUAL), False),
        ("name.all(given >= 'a')", names(OLD, USUAL), "error"),
        ("name.where(given >= 'a').exists()", names(OLD, USUAL), "error"),
        ("name.exists(given >= 'a')", names(OLD, USUAL), "error"),
        ("name.where(given >= 'a').all(use = 'usual')", names(OLD, USUAL), "error"),
        ("name.where(given >= 'a').given.exists()", names(OLD, OLD), True),
        # texts
        ("name.where((given.first() + '-' + text + '-' + text) = 'b-B C-B C').exists()", names(USUAL, OLD), True),
        ("name.where((text + 'x').empty()).count() = 1", names(USUAL, OLD), True),
        ("id.substring(0, 2) + '-' + id.substring(2, 1) = 'ab-c'", {"id": "abc"}, True),
        ("(id.substring(0, 2) + '-' + id.substring(2, 1)).empty()", {"id": "ab"}, True),
        ("'abc'.substring(id.toInteger(), 1) = 'b'", {"id": "1"}, True),
        ("'abc'.substring(id.toInteger(), 2) = 'c'", {"id": "2"}, True),
        ("'abc'.substring(id.toInteger(), 1).empty()", {"id": "3"}, True),
        ("'abc'.substring(id.toInteger(), 1).empty()", {"id": "x"}, True),
        ("name.given.all(matches('^[ab]$'))", names(OLD, USUAL), False),
        ("name.given.where(matches('^[ab]$')).count() = 2", names(OLD, USUAL), True),
        ("name.given.where(matches('^[ab]$').not()).count() = 1", names(OLD, USUAL), True),
    ],
)  # fmt: skip
def test_loops_answer_as_the_evaluator_does(text, focus, wanted):
    assert answers(text, "Patient", focus) == {wanted}


WEIGHTS = (7, 9, 10, 5, 8, 4)
CHECK_SUM = "+".join(f"substring({place},1).toInteger() * {weight}" for place, weight in enumerate(WEIGHTS))


@pytest.mark.parametrize(
    ("id_", "wanted"),
    [("123456", 139), ("000000", 0), ("99999999", 387), ("12345", None), ("12345x", None), ("1234５6", None)],
)
def test_check_sum_of_digits_is_empty_where_a_digit_is_missing(id_, wanted):
    patient = {"identifier": [{"value": id_}]}
    assert answers(f"identifier.value.all(({CHECK_SUM}) = {wanted or 0})", "Patient", patient) == {wanted is not None}
    assert answers(f"identifier.value.all(({CHECK_SUM}).empty())", "Patient", patient) == {wanted is None}


def test_money_is_added_exactly():
    parts = [{"url": "a", "valueMoney": {"value": Decimal(v)}} for v in ("0.10", "0.20")]
    text = "extension.value.ofType(Money).value.aggregate($this + $total, 0) = 0.3"
    assert answers(text, "Patient", {"extension": parts}) == {True}


def body(text, type_="Patient"):
    """The statements of an expression."""
    constants = generate.navigate.Constants()
    yes, _ = generate.logic.truth(generate._on_element(type_, MODEL, constants).code(parse(text)))
    return statements.body_of(yes)


def test_what_is_used_twice_is_computed_once():
    where = "component.where(code.coding.where(code = 'x').exists()).value.ofType(Quantity).value"
    written = body(f"{where}.exists() and {where} > 5 and {where} < 9", "Observation")
    assert len(re.findall(r"get\('component'\)", written)) == 1
    assert len(re.findall(r"\bfor\b", written)) == 2


def test_a_search_that_cannot_fail_ends_at_the_first_hit():
    assert "return True" in body("name.where(use = 'old').exists()").splitlines()[2]
    assert "break" in body("name.where(given.where($this = 'a').exists()).count() = 1")
    assert "break" not in body("name.where(given > 'a').exists() and active")


def test_no_collection_is_a_function_of_its_own():
    for text in ("name.where(use = 'a').given.where($this = 'b').count() = 2", "name.all(given.all($this = 'a'))"):
        assert not re.search(r"\[.* for |lambda|\b(lists|singles|single_texts|list_texts)\(", body(text))


def test_an_expression_with_more_loops_than_python_nests_is_transpiled_as_one_expression():
    deep = "extension.where(" * 22 + "url = 'u'" + ").exists()" * 22
    inner = {"url": "u"}
    for _ in range(21):
        inner = {"url": "x", "extension": [inner]}
    with pytest.raises(SyntaxError):
        exec("def run(n, r):\n" + body(deep))  # noqa: S102 - our own source
    assert answers(deep, "Patient", {"extension": [inner]}) == {True}
    assert answers(deep, "Patient", {"extension": inner["extension"]}) == {False}
