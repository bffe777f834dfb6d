"""Pairs of characters that Chinese texts are found by, wherever the searched part stands.

https://hl7.org/fhir/R4/search.html#string: `:contains`. Each Chinese character of a text is filed with the one after it,
the last with an end mark, so that one character is the start of a key, two are a key, and more are several keys and a look at
the text. Texts without Chinese characters have none.
"""

import re

from fhir_server.search.han import HAN_RANGES
from fhir_server.search.query import AllOf, Clause, KeyIs, KeyStarts, TextContains
from fhir_server.search.rows import SEPARATOR

PAIRS = "~"
"""After a parameter's code: the keys of its pairs, `name~=小明`."""

MOST_PAIRS = 8
"""Pairs that a search asks for; the text decides about the rest."""

_PAIR = re.compile(f"(?=([{HAN_RANGES}].?))", re.DOTALL)


def pairs(normal: str) -> list[str]:
    """Returns what a normalised text is filed by: one pair for each Chinese character."""
    found: list[str] = _PAIR.findall(normal)
    if found and len(found[-1]) == 1:  # only the last character of a text has none behind it
        found[-1] += SEPARATOR
    return found


def contains(code: str, part: str) -> Clause:
    """Returns the clause that a text of `code` contains the normalised part, answered by pairs as far as there are any."""
    found = list(dict.fromkeys(_PAIR.findall(part)))
    tests = [_test(code, pair) for pair in found if len(pair) == 2][:MOST_PAIRS] or [_test(code, one) for one in found]
    if tests and len(part) <= 2 and found[0] == part:
        return tests[0]
    text = TextContains(code, part)
    return AllOf((*tests, text)) if tests else text


def _test(code: str, pair: str) -> Clause:
    return KeyIs(code + PAIRS, pair) if len(pair) == 2 else KeyStarts(code + PAIRS, pair)
