"""Names of parameters with a hole in them: what composites are searched by, https://hl7.org/fhir/R4/search.html#composite.

`component-code-value-quantity=8480-6␟*␞` names the values beside a code of whatever system.
"""

import re
from functools import lru_cache

WILD = "\x1d"
"""Stands for any text, in clauses alone; nothing that is filed carries it."""

PAIR = "\x1e"
"""Stands between the first component of a composite and the second."""


def is_wild(name: str) -> bool:
    """Tells whether a name stands for several."""
    return WILD in name


def fits(text: str, pattern: str) -> bool:
    """Tells whether a text is the pattern, each WILD in it being any text."""
    return _compiled(pattern).fullmatch(text) is not None if WILD in pattern else text == pattern


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split(WILD))), re.DOTALL)
