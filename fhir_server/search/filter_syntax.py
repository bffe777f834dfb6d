"""The grammar of `_filter`, https://hl7.org/fhir/R4/search_filter.html.

`and` and `or` are read from left to right, neither before the other; brackets say it otherwise.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from fhir_server.errors import SearchValueInvalid

OPERATIONS = frozenset(
    {"eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap", "sa", "eb", "pr", "po", "ss", "sb", "in", "re"}
)
MOST_DEPTH = 20
"""Brackets within each other."""

MOST_COMPARISONS = 100
"""Comparisons of one filter; each is a level of the clause that it becomes."""

_NAME = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_-]*)(?::(?P<target>[A-Z][A-Za-z]*))?")
_WORD = re.compile(r"[a-z]+(?=[\s(]|$)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_TOKEN = re.compile(r"[^\s\])]+")


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path; `where` is the filter on what it leads to, `target` the type of that."""

    name: str
    target: str | None = None
    where: "Filter | None" = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path operation value`; the value as it is meant, quotes resolved."""

    path: tuple[Step, ...]
    operation: str
    value: str


@dataclass(frozen=True, slots=True)
class Negation:
    """`not (filter)`."""

    inner: "Filter"


@dataclass(frozen=True, slots=True)
class Junction:
    """`filter and filter`, `filter or filter`."""

    left: "Filter"
    is_and: bool
    right: "Filter"


Filter: TypeAlias = Comparison | Negation | Junction


def parse_filter(text: str) -> Filter:
    """Returns the structure of a `_filter`.

    Raises:
        SearchValueInvalid: not the grammar; the message says where.
    """
    reader = _Reader(text)
    found = reader.junction(0)
    if reader.at < len(text):
        raise reader.wrong("and, or, or the end")
    return found


class _Reader:
    """Reads a filter from left to right; `at` is the place of the next character that counts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._comparisons = 0
        self._skip()

    def junction(self, depth: int) -> Filter:
        """Reads filters joined by `and` and `or`."""
        if depth > MOST_DEPTH:
            raise self.wrong(f"at most {MOST_DEPTH} brackets within each other")
        found = self._single(depth)
        while (word := self._word({"and", "or"})) is not None:
            found = Junction(found, word == "and", self._single(depth))
        return found

    def wrong(self, expected: str) -> SearchValueInvalid:
        """Returns the error that something else was expected here."""
        place, rest = self.at + 1, self.text[self.at : self.at + 30]
        return SearchValueInvalid.of("search.filter-syntax", "_filter", at=place, found=rest, expected=expected)

    def _single(self, depth: int) -> Filter:
        negated = self._word({"not"}) is not None
        if negated or self._mark("("):
            if negated and not self._mark("("):
                raise self.wrong("( after not")
            inner = self.junction(depth + 1)
            if not self._mark(")"):
                raise self.wrong(")")
            return Negation(inner) if negated else inner
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Filter:
        self._comparisons += 1
        if self._comparisons > MOST_COMPARISONS:
            raise self.wrong(f"at most {MOST_COMPARISONS} comparisons")
        path = [self._step(depth)]
        while self._mark("."):
            path.append(self._step(depth))
        if path[-1].where is not None:
            raise self.wrong(". after ]")
        operation = self._word(OPERATIONS)
        if operation is None:
            raise self.wrong(f"one of {', '.join(sorted(OPERATIONS))}")
        return Comparison(tuple(path), operation, self._value())

    def _step(self, depth: int) -> Step:
        found = self._take(_NAME)
        if found is None:
            raise self.wrong("the name of a search parameter")
        where = None
        if self._mark("["):
            where = self.junction(depth + 1)
            if not self._mark("]"):
                raise self.wrong("]")
        return Step(found["name"], found["target"], where)

    def _value(self) -> str:
        quoted = self._take(_STRING)
        if quoted is not None:
            return self._unquoted(quoted[0])
        plain = self._take(_TOKEN)
        if plain is None or plain[0].startswith('"'):
            raise self.wrong("a value")
        return plain[0]

    def _unquoted(self, quoted: str) -> str:
        try:
            return msgspec.json.decode(quoted, type=str)
        except msgspec.DecodeError:
            raise self.wrong("a JSON string before this") from None

    def _word(self, words: "frozenset[str] | set[str]") -> str | None:
        found = _WORD.match(self.text, self.at)
        return self._take(_WORD)[0] if found and found[0] in words else None  # type: ignore[index]

    def _mark(self, mark: str) -> bool:
        is_there = self.text.startswith(mark, self.at)
        if is_there:
            self.at += 1
            self._skip()
        return is_there

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
            self._skip()
        return found

    def _skip(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
