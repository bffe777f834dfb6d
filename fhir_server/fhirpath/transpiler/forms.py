"""Which parts of a generated expression say the same: their text with the names of inner loop variables left out."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, KeysView
from typing import NamedTuple

_SHARED = (ast.Call, ast.ListComp)
"""What costs more than a variable."""


class _Use(NamedTuple):
    start: int
    end: int
    name: str


class Forms:
    """The forms of the parts of one expression; a part that occurs several times is shared."""

    def __init__(self, source: str, tree: ast.expr) -> None:
        self._source = source.encode()
        nodes = list(ast.walk(tree))
        self._binders = _binders(nodes)
        self._uses = sorted(_uses(nodes, self._binders.keys()))
        self._count: Counter[bytes] = Counter()
        self._add(tree)

    def of(self, node: ast.expr) -> bytes:
        """Returns the text of a part, loop variables of its own numbered in the order in which they appear."""
        start, end = _span(node)
        numbers: dict[str, int] = {}
        text, at = [], start
        for use in self._uses:
            if start <= use.start < end and self._is_own(use, start, end):
                number = numbers.setdefault(use.name, len(numbers))
                text += [self._source[at : use.start], b"$%d" % number]
                at = use.end
        return b"".join((*text, self._source[at:end]))

    def shared(self, node: ast.expr) -> bytes | None:
        """Returns the form of a part that occurs more than once, or None."""
        if not isinstance(node, _SHARED) or not hasattr(node, "col_offset"):
            return None
        form = self.of(node)
        return form if self._count[form] > 1 else None

    def _is_own(self, use: _Use, start: int, end: int) -> bool:
        return any(start <= low <= use.start < high <= end for low, high in self._binders[use.name])

    def _add(self, node: ast.AST) -> None:
        """Counts a part and, the first time, its own parts: those of a repetition are not computed again."""
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, _SHARED):
            form = self.of(node)
            self._count[form] += 1
            if self._count[form] > 1:
                return
        for child in ast.iter_child_nodes(node):
            self._add(child)


def _span(node: ast.expr) -> tuple[int, int]:
    return node.col_offset, node.end_col_offset or node.col_offset


def _binders(nodes: Iterable[ast.AST]) -> dict[str, list[tuple[int, int]]]:
    """Loop variable or parameter -> the places of the comprehensions and functions that bind it."""
    found: dict[str, list[tuple[int, int]]] = {}
    for node in nodes:
        for name in _bound(node):
            found.setdefault(name, []).append(_span(node))  # type: ignore[arg-type]  # only expressions bind names
    return found


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ListComp):
        yield from (g.target.id for g in node.generators if isinstance(g.target, ast.Name))
    elif isinstance(node, ast.Lambda):
        yield from (a.arg for a in node.args.args)


def _uses(nodes: Iterable[ast.AST], names: KeysView[str]) -> Iterator[_Use]:
    for node in nodes:
        name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else None
        if name is not None and name in names:
            yield _Use(node.col_offset, node.end_col_offset or 0, name)  # type: ignore[attr-defined]
