"""The index model: what is filed about a resource so that it can be found.

One extractor computes `IndexEntries` above the stores; the stores only file and compare them. Three shapes serve all
kinds of search parameter:

- a key, `param=value`: tokens, references, uris, normalised strings (equality and prefix);
- a range, half-open `[low, high)`: dates in microseconds, numbers and quantities;
- a text, verbatim and normalised: `:contains`, `:exact`, and sorting by string.
"""

from typing import NamedTuple

from fhir_server.fhir import dates

SEPARATOR = "\x1f"
"""Stands between the parts of a key. No FHIR string may carry it."""

LABEL = ":text"
"""A parameter that ends so has the words of codes: asked for seldom, and a quarter of all keys if they were indexed."""

OPEN_LOW = dates.OPEN_LOW
OPEN_HIGH = dates.OPEN_HIGH
"""Ends of a period that has no start or end, in microseconds since 1970-01-01T00:00:00Z."""


class RangeRow(NamedTuple):
    """`param` covers `[low, high)`. Dates: integers, microseconds. Numbers: floats, a point is `[v, next float)`.

    `unit` is `code SEPARATOR system` of a quantity, `SEPARATOR`-less text of a unit without code, or empty.
    """

    param: str
    low: int | float
    high: int | float
    unit: str = ""


class TextRow(NamedTuple):
    """A string value of `param`: normalised (see `search/kinds/string.py`) and as it stands."""

    param: str
    normal: str
    exact: str


class IndexEntries(NamedTuple):
    """All index rows of one version of one resource.

    No row is there twice. `keys` are `param=value` texts, sorted; those of a `LABEL` parameter are kept with the resource, and
    no index leads to them. `sort_date` is the type's clinical date (the start of
    its range) or the last-updated instant, in microseconds.
    """

    keys: tuple[str, ...]
    ranges: tuple[RangeRow, ...]
    texts: tuple[TextRow, ...]
    sort_date: int
