"""Tests of one value against several texts as one test: `a == 'x' or a == 'y'` is `a in ('x', 'y')`."""

import ast


def parsed(source: str) -> ast.expr:
    """Returns the tree of an expression."""
    return ast.parse(source, mode="eval").body


def merged(source: str) -> str:
    """Returns the same expression in flat alternatives, those against one value as one, and in flat sums of texts."""
    tree = parsed(source)
    nodes = [n for n in ast.walk(tree) if _is_or(n) or _is_sum(n)]
    for node in reversed(nodes):
        if isinstance(node, ast.BoolOp):
            node.values = _joined(_flat(node.values))
        elif isinstance(node, ast.Call):
            first, *rest = node.args
            node.args = [*(first.args if isinstance(first, ast.Call) and _is_sum(first) else [first]), *rest]
    return ast.unparse(tree) if nodes else source


def _is_or(node: ast.AST) -> bool:
    return isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)


def _is_sum(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "added"


def _flat(values: list[ast.expr]) -> list[ast.expr]:
    """The operands of `(a or b) or c`, which has the value of `a or b or c`."""
    found: list[ast.expr] = []
    for value in values:
        found.extend(value.values if isinstance(value, ast.BoolOp) and _is_or(value) else [value])
    return found


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    found: list[ast.expr] = []
    for value in values:
        both = _both(found[-1], value) if found else None
        found[-1:] = [found[-1], value] if found and both is None else [both or value]
    return found


def _both(a: ast.expr, b: ast.expr) -> ast.expr | None:
    """One test that is true where either of two tests against texts is, or None."""
    x, y = _texts(a), _texts(b)
    if not x or not y or not isinstance(a, ast.Compare) or not isinstance(b, ast.Compare):
        return None
    if ast.dump(a.left) != ast.dump(b.left):
        return None
    return ast.Compare(a.left, [ast.In()], [ast.Tuple([*x, *y], ast.Load())])


def _texts(test: ast.expr) -> list[ast.expr]:
    """The texts that a value is compared with."""
    if not isinstance(test, ast.Compare) or len(test.ops) > 1:
        return []
    other = test.comparators[0]
    found = other.elts if isinstance(other, ast.Tuple) and isinstance(test.ops[0], ast.In) else [other]
    is_test = isinstance(test.ops[0], ast.Eq | ast.In)
    return found if is_test and all(isinstance(f, ast.Constant) and isinstance(f.value, str) for f in found) else []
