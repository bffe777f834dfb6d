r"""The parts of a raw search value: alternatives, `|` parts, escapes and prefixes.

https://hl7.org/fhir/R4/search.html#escaping and https://hl7.org/fhir/R4/search.html#prefix
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from fhir_server.errors import SearchParameterUnknown, SearchValueInvalid
from fhir_server.search.query import AnyOf, Clause, RangeOp
from fhir_server.search.rows import SEPARATOR

_ESCAPE = re.compile(r"\\([,|$\\])")
_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[-\d])")
_R4_MODIFIERS = frozenset({"text", "in", "not-in", "above", "below", "of-type", "ofType", "iterate", "recurse"})


class Prefixed(NamedTuple):
    """A value of an ordered kind: its comparison and the rest."""

    op: RangeOp
    text: str


def split(raw: str, mark: str) -> list[str]:
    r"""Splits at every `mark` that no backslash escapes; the escapes stay in the parts (`a\,b,c` -> `a\,b`, `c`)."""
    if "\\" not in raw:
        return raw.split(mark)
    parts, start, at = [], 0, 0
    while at < len(raw):
        if raw[at] == "\\":
            at += 1
        elif raw[at] == mark:
            parts.append(raw[start:at])
            start = at + 1
        at += 1
    return [*parts, raw[start:]]


def unescape(part: str) -> str:
    r"""Returns the text that a part stands for: `\,` `\|` `\$` and `\\` lose their backslash."""
    return _ESCAPE.sub(r"\1", part) if "\\" in part else part


def alternatives(code: str, raw: str) -> list[str]:
    """Returns the comma-separated alternatives of a value, escapes still in them.

    Raises:
        SearchValueInvalid: one is empty or carries a control character.
    """
    parts = split(raw, ",")
    if not all(parts):
        raise SearchValueInvalid.of("search.value-empty", code, name=code, value=raw)
    if SEPARATOR in raw or "\x00" in raw:
        raise SearchValueInvalid.of("search.value-control-character", code, name=code)
    return parts


def any_of(code: str, raw: str, clause_of: Callable[[str], Clause]) -> Clause:
    """Returns the clause that any alternative holds; a lone one stands for itself.

    Raises:
        SearchValueInvalid: an alternative is empty, carries a control character, or is refused by `clause_of`.
    """
    clauses = tuple(clause_of(part) for part in alternatives(code, raw))
    return clauses[0] if len(clauses) == 1 else AnyOf(clauses)


def prefixed(part: str) -> Prefixed:
    """Returns the comparison of `ge2024` and its rest; no prefix is `eq`."""
    found = _PREFIX.match(part)
    return Prefixed(RangeOp(found[1]), part[2:]) if found else Prefixed(RangeOp.EQ, part)


def modifier_refused(code: str, modifier: str, valid: frozenset[str]) -> SearchParameterUnknown:
    """Returns the error for a modifier that the parameter does not take here, naming those that it takes.

    One that R4 defines is told apart from one that nobody knows.
    """
    key = "search.modifier-not-offered" if modifier in _R4_MODIFIERS else "search.modifier-unknown"
    allowed = ", ".join(f":{m}" for m in sorted(valid | {"missing"}))
    return SearchParameterUnknown.of(key, f"{code}:{modifier}", modifier=modifier, name=code, valid=allowed)
