"""Places in a JSON text: lines, columns, where a key, a number or an escape stands, https://www.rfc-editor.org/rfc/rfc8259.

Nothing here runs for a text that is in order: it finds the place of what is already known to be wrong.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf"{_STRING}|[{{}}\[\]:,]|[^\s{{}}\[\]:,\"]+", re.DOTALL)
_STRUCTURE = re.compile(rf"{_STRING}|[{{}}\[\]]", re.DOTALL)
_SPACE = re.compile(r"[\s,:]*")
_STRING_AT = re.compile(_STRING, re.DOTALL)
_SCALAR_AT = re.compile(r"[^\s,\]}]*")
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.")


class Place(NamedTuple):
    """A place in a text: line and column, both from 1; a column is a character, whatever its bytes."""

    line: int
    column: int


class Lines:
    """The line starts of one text."""

    __slots__ = ("_starts",)

    def __init__(self, text: str) -> None:
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]

    def place(self, offset: int) -> Place:
        """Returns the place of a character offset."""
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)


class Member(NamedTuple):
    """One property of an object: the offsets of its key and of its value."""

    key: int
    value: int


class JsonText:
    """A well-formed JSON text that can be walked by offsets; each step costs the children of one object or array."""

    __slots__ = ("_ends", "_items", "_members", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = _ends_of(text)
        self._members: dict[int, dict[str, Member]] = {}
        self._items: dict[int, list[int]] = {}

    def start(self) -> int:
        """Returns the offset of the outermost value."""
        return self._skip(0)

    def members(self, offset: int) -> dict[str, Member]:
        """Returns the properties of the object at `offset`; empty when no object is there."""
        if offset not in self._members:
            self._members[offset] = dict(self._read_members(offset))
        return self._members[offset]

    def items(self, offset: int) -> list[int]:
        """Returns the offsets of the items of the array at `offset`; empty when no array is there."""
        if offset not in self._items:
            self._items[offset] = list(self._read_items(offset))
        return self._items[offset]

    def string(self, offset: int) -> str:
        """Returns the string at `offset`; empty when none is there."""
        match = _STRING_AT.match(self._text, offset)
        return "" if match is None else str(json.loads(match[0], strict=False))

    def _read_members(self, offset: int) -> Iterator[tuple[str, Member]]:
        if self._text[offset : offset + 1] != "{":
            return
        key = self._skip(offset + 1)
        while (match := _STRING_AT.match(self._text, key)) is not None:
            value = self._skip(match.end())
            yield json.loads(match[0], strict=False), Member(key, value)
            key = self._skip(self._end(value))

    def _read_items(self, offset: int) -> Iterator[int]:
        if self._text[offset : offset + 1] != "[":
            return
        item = self._skip(offset + 1)
        while self._text[item : item + 1] not in ("]", ""):
            yield item
            item = self._skip(self._end(item))

    def _skip(self, offset: int) -> int:
        match = _SPACE.match(self._text, offset)
        return match.end() if match else offset

    def _end(self, offset: int) -> int:
        if offset in self._ends:
            return self._ends[offset]
        match = _STRING_AT.match(self._text, offset) or _SCALAR_AT.match(self._text, offset)
        return match.end() if match else offset


def _ends_of(text: str) -> dict[int, int]:
    """Returns for each object and array where it starts and where it ends, in one pass."""
    ends: dict[int, int] = {}
    open_: list[int] = []
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if mark in "{[":
            open_.append(match.start())
        elif mark in "}]" and open_:
            ends[open_.pop()] = match.end()
    return ends


def offset_too_deep(text: str, limit: int) -> int:
    """Returns the offset of the first object or array that has more than `limit` levels; 0 when there is none."""
    depth = 0
    for match in _STRUCTURE.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(match[0], 0)
        if depth > limit:
            return match.start()
    return 0


def offset_of_scalar(text: str, is_wanted: Callable[[str], bool]) -> int:
    """Returns the offset of the first number or bare word that is wanted; 0 when there is none."""
    for match in _TOKEN.finditer(text):
        if match[0][0] not in '"{}[]:,' and is_wanted(match[0]):
            return match.start()
    return 0


def offset_of_lone_surrogate(text: str) -> int | None:
    """Returns the offset of the first half of a surrogate pair that stands alone, or None."""
    for match in _ESCAPE.finditer(text):
        if len(match[0]) == len("\\ud800"):
            return match.start()
    return None


def offset_of_duplicate(text: str) -> tuple[str, int] | None:
    """Returns the first key that its object has already, with the offset of the second one; or None."""
    seen: list[set[str]] = []
    for mark, offset, is_key in _tokens(text):
        if mark == "{":
            seen.append(set())
        elif mark == "}":
            seen.pop()
        elif is_key:
            name = json.loads(mark, strict=False)
            if name in seen[-1]:
                return name, offset
            seen[-1].add(name)
    return None


def _tokens(text: str) -> Iterator[tuple[str, int, bool]]:
    """Yields the tokens of a well-formed text with their offsets, and whether each is a key: a string before a colon."""
    before: tuple[str, int] | None = None
    for match in _TOKEN.finditer(text):
        if before is not None:
            yield *before, match[0] == ":"
        before = (match[0], match.start())
    if before is not None:
        yield *before, False
