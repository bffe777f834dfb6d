"""Pieces of SQL with their values, so that no value is ever part of a statement's text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of a statement; `args` has one value for each `?`, in the order of the text."""

    text: str
    args: tuple[Any, ...] = ()

    def __add__(self, other: "Sql") -> "Sql":
        return Sql(self.text + other.text, self.args + other.args)


ALWAYS = Sql("1")
NEVER = Sql("?", (0,))
"""Bound, because SQLite drops the other conditions beside a constant 0, and with them the index that it was told to use."""


def listed(parts: Sequence[Sql], separator: str) -> Sql:
    """Returns the parts one after the other with the separator between them."""
    return Sql(separator.join(part.text for part in parts), tuple(arg for part in parts for arg in part.args))


def all_of(parts: Sequence[Sql]) -> Sql:
    """Returns the condition that every part holds; of none: always."""
    return _balanced(parts, "AND") if parts else ALWAYS


def any_of(parts: Sequence[Sql]) -> Sql:
    """Returns the condition that at least one part holds; of none: never."""
    return _balanced(parts, "OR") if parts else NEVER


def _balanced(parts: Sequence[Sql], word: str) -> Sql:
    # SQLite allows expressions 1,000 levels deep, and a plain chain is as deep as it is long.
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = _balanced(parts[:middle], word), _balanced(parts[middle:], word)
    return Sql(f"({left.text} {word} {right.text})", left.args + right.args)
