"""Comparisons by Python's own operators, where the functions of `values` are called for what may be empty."""

import ast
from collections.abc import Callable
from typing import NamedTuple

from fhir_server.fhirpath.transpiler.searches import kind_of

_SYMBOLS = {
    "number_order": {"(-1,)": "<", "(1,)": ">", "(-1, 0)": "<=", "(0, 1)": ">="},
    "same": {"True": "==", "False": "!="},
}


class Plain(NamedTuple):
    """A comparison: what to compute first, and Python for the test, given the variables that hold it."""

    operands: list[ast.expr]
    test: Callable[[list[str]], str]


def plain_comparison(node: ast.expr) -> Plain | None:
    """Returns how to compare without a call, or None."""
    if not isinstance(node, ast.Compare) or not isinstance(node.left, ast.Call):
        return None
    operands, wanted = node.left.args, ast.unparse(node.comparators[0])
    if kind_of(node.left) == "same_lists":
        return _only_item(operands) if wanted == "True" else None
    symbol = _SYMBOLS.get(kind_of(node.left), {}).get(wanted)
    return None if symbol is None else _both(operands, symbol)


def _both(operands: list[ast.expr], symbol: str) -> Plain:
    """`number_order(a, b) in (1,)` as `a > b`, `same(a, b) is True` as `a == b`, where neither is empty."""

    def test(names: list[str]) -> str:
        present = [f"{n} is not None" for n, o in zip(names, operands, strict=True) if not _is_sure(o)]
        return " and ".join((*present, f"{names[0]} {symbol} {names[1]}"))

    return Plain(operands, test)


def _only_item(operands: list[ast.expr]) -> Plain | None:
    """`same_lists(a, (True,), same) is True`: one item, and that is it."""
    found, other, _ = operands
    if not isinstance(other, ast.Tuple) or len(other.elts) != 1 or not _is_plain(other.elts[0]):
        return None
    item = ast.unparse(other.elts[0])
    symbol = "is" if item in ("True", "False") else "=="
    return Plain([found], lambda names: f"len({names[0]}) == 1 and {names[0]}[0] {symbol} {item}")


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool | str)


def _is_sure(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant) or kind_of(node) == "len" or (isinstance(node, ast.Name) and node.id[0] == "K")
    )
