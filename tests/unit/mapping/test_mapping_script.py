"""Source that is written for maps: constants by name, shared values once, lines in their order."""

from decimal import Decimal

import pytest

from fhir_server.mapping.script import Script


def run(script: Script, result: str, values: object) -> object:
    return script.compiled("f", "values", result)(values)


def test_constants_are_the_very_objects_and_texts_are_quoted():
    script, constant = Script(), {"a": Decimal("1.00")}
    names = script.constant(constant), script.constant("'\n{x}"), script.constant(constant)
    found = run(script, f"({', '.join(names)})", {})
    assert found == (constant, "'\n{x}", constant)
    assert found[0] is constant


def test_a_shared_value_is_written_once_and_above_the_block_that_wants_it_first():
    script = Script()
    calls: list[str] = []

    def write(inner: Script) -> str:
        return inner.set(f"{inner.constant(calls)}.append('made') or 7")

    with script.block("if values:"):
        script.line(f"first = {script.shared('key', write)}")
    second = script.shared("key", write)
    assert [run(script, second, given) for given in (True, False)] == [7, 7]
    assert (calls, script.uses["key"]) == (["made", "made"], 2)


def test_what_is_not_to_be_shared_is_written_where_it_is_wanted():
    script = Script(frozenset())
    with script.block("if values:"):
        atom = script.shared("key", lambda inner: inner.set("7"))
        script.line(f"return {atom}")
    assert [run(script, "None", given) for given in (True, False)] == [7, None]


def test_a_line_is_that_of_the_innermost_loop():
    script = Script()
    found = script.set("[]")
    with script.loop("for outer in values:", "outer"):
        with script.loop("for inner in outer:", "inner"):
            script.line(f"{found}.append({script.line_name})")
        script.line(f"{found}.append({script.line_name})")
    assert run(script, found, [[1], [2]]) == [1, [1], 2, [2]]


def test_what_does_not_compile_is_an_error_of_syntax():
    script = Script()
    script.line("1 +")
    with pytest.raises(SyntaxError):
        run(script, "None", {})
