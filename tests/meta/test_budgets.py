"""The budgets of the house: short functions, files that fit a screenful of screens, small protocols."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "fhir_server"
FILES = sorted(PACKAGE.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager", "base"}


def functions(tree: ast.AST) -> Iterator[Function]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(function: Function) -> int:
    """Lines of a function without its docstring."""
    docstring = ast.get_docstring(function, clean=False)
    return function.end_lineno - function.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)


SIZES = {f"{f.name}:{n.name}": lines_of(n) for f in FILES for n in functions(ast.parse(f.read_text("utf-8")))}


def test_the_median_function_has_at_most_eight_lines():
    assert statistics.median(SIZES.values()) <= 8


def test_nine_functions_in_ten_have_at_most_twenty_lines():
    assert sorted(SIZES.values())[int(len(SIZES) * 0.9)] <= 20


def test_no_function_has_more_than_sixty_lines():
    assert {name: size for name, size in SIZES.items() if size > 60} == {}


def test_no_file_has_more_than_five_hundred_lines():
    assert {f.name: n for f in FILES if (n := f.read_text("utf-8").count("\n")) > 500} == {}


def test_no_protocol_has_more_than_six_methods():
    protocols = {
        node.name: sum(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in node.body)
        for f in FILES
        for node in ast.walk(ast.parse(f.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and any(getattr(b, "id", "") == "Protocol" for b in node.bases)
    }
    assert {"Store", "Snapshot", "Clock"} <= set(protocols)
    assert {name: n for name, n in protocols.items() if n > 6} == {}


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_a_file_is_named_after_what_it_holds(file):
    assert file.stem not in FORBIDDEN_NAMES


def test_every_module_opens_with_a_docstring():
    assert [f.name for f in FILES if not ast.get_docstring(ast.parse(f.read_text("utf-8")))] == []


def test_every_public_function_has_a_docstring():
    bare = [
        f"{f.relative_to(PACKAGE)}:{n.name}"
        for f in FILES
        for n in _public_functions(ast.parse(f.read_text("utf-8")))
        if not ast.get_docstring(n)
    ]
    assert bare == []


def _public_functions(tree: ast.Module) -> Iterator[Function]:
    """Functions of modules and classes; those inside functions are private by nature."""
    bodies = [tree.body, *(n.body for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))]
    for body in bodies:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                yield node
