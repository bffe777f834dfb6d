"""What generated expressions are: the functions called in them, loops, and searches that may end at the first hit."""

import ast
import re
from typing import NamedTuple

LOOPS = frozenset({"ListComp", "lists", "list_texts", "extensions", "singles", "single_texts", "choices"})
"""Collections that are made by going through another one."""
WRITTEN = LOOPS | {"all", "any", "one", "folded", "whole_or", "converted", "number_order", "same", "same_lists"}
"""What is written as statements, or wants a variable."""
_WORDS = re.compile(rf"\b({'|'.join(sorted(WRITTEN | {'for', 'moved'}))})\b")
_TOTAL = frozenset(
    {"all", "any", "at", "choice", "choices", "cut", "extensions", "has", "has_choice", "has_sibling", "items", "last", "len"}
    | {"list_texts", "lists", "optional", "same", "same_json", "same_lists", "single_texts", "singles", "texts"}
)  # fmt: skip
"""Functions that never end in an EvaluationError."""


def is_simple(source: str) -> bool:
    """Tells whether an expression has nothing that is better written as statements."""
    return _WORDS.search(source) is None


def kind_of(node: ast.AST) -> str:
    """Returns the name of the function that is called, or of the kind of expression."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return type(node).__name__


class Search(NamedTuple):
    """Is there an item, of which a test comes out as wanted? `is_hit`: then the whole is true; otherwise it is false."""

    source: ast.expr
    variable: str | None = None
    test: ast.expr | None = None
    wanted: bool = True
    is_hit: bool = True

    def ends_early(self) -> bool:
        """Tells whether nothing can fail behind the first hit; `all()` itself ends at the first item that is not true."""
        return is_total(self.source) and (not self.is_hit or self.test is None or is_total(self.test))


def search_of(node: ast.expr) -> Search | None:
    """Returns the search that a test is: a collection by itself, `any([...])` or `all([...])`; None for other tests."""
    kind = kind_of(node)
    if kind in LOOPS:
        return Search(node)
    if kind not in ("all", "any") or not isinstance(node, ast.Call) or not isinstance(node.args[0], ast.ListComp):
        return None
    found, is_any = node.args[0], kind == "any"
    return Search(found.generators[0].iter, target_of(found.generators[0]), found.elt, is_any, is_any)


def target_of(generator: ast.comprehension) -> str:
    """Returns the name of a loop variable."""
    return ast.unparse(generator.target)


def is_total(node: ast.expr) -> bool:
    """Tells whether an expression cannot end in an EvaluationError."""
    calls = (n for n in ast.walk(node) if isinstance(n, ast.Call))
    return all(isinstance(c.func, ast.Attribute) or kind_of(c) in _TOTAL for c in calls)
