"""Names and texts that are not whole: how they start, or with WILD for any text, https://www.sqlite.org/lang_expr.html#glob."""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

import msgspec

from fhir_server.search.wild import WILD, is_wild
from fhir_server.store.sqlite.fragments import NEVER, Sql

MOST_PATTERN_BYTES = 50_000
"""SQLite's own limit of a GLOB pattern; no code or label that is filed is so long."""


def prefix_bounds(prefix: str) -> tuple[str, str]:
    """Returns the half-open range of the texts that start with `prefix`, which is not empty."""
    body = prefix.rstrip("\U0010ffff")
    # Surrogates are no characters: what follows U+D7FF is U+E000.
    successor = 0xE000 if body[-1] == "\ud7ff" else ord(body[-1]) + 1
    return prefix, body[:-1] + chr(successor)


def named(column: str, name: str) -> Sql:
    """Returns the condition that a column is this name, each WILD in it being any text."""
    if not is_wild(name):
        return Sql(f"{column} = ?", (name,))
    pattern = _glob(name)
    if len(pattern.encode()) > MOST_PATTERN_BYTES:
        return NEVER
    bounds = prefix_bounds(name.partition(WILD)[0])
    return Sql(f"({column} >= ? AND {column} < ? AND {column} GLOB ?)", (*bounds, pattern))


def row_named(table: str, name: str, code: int) -> Sql:
    """Returns the condition that a row of `rng` or `txt` is of this parameter, each WILD in its name being any text.

    Such names are looked up first, by leaps through the index: mostly they are one or two, and rows by the thousand.
    """
    if not is_wild(name):
        return Sql("p = ?", (name,))
    low, high = prefix_bounds(name.partition(WILD)[0])
    leap = f"SELECT min(p) AS p FROM {table} WHERE t = ? AND p >= ? AND p < ?"
    further = f"SELECT (SELECT min(n.p) FROM {table} n WHERE n.t = ? AND n.p > name.p AND n.p < ?) FROM name"
    leaps = f"WITH RECURSIVE name AS ({leap} UNION ALL {further} WHERE name.p IS NOT NULL) SELECT p FROM name WHERE "
    names = Sql(leaps, (code, low, high, code, high)) + named("p", name)
    return Sql("p IN (") + names + Sql(")")


def _glob(pattern: str) -> str:
    literal = pattern.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
    return literal.replace(WILD, "*")


def as_json(text: str) -> str:
    """Returns a text as it is written among the keys of a resource, in its quotes."""
    return msgspec.json.encode(text).decode()


def written(start: str) -> Sql:
    """Returns the condition that an item of the array `keys` is written so from its opening quote on.

    No text within the array holds a comma, a quote and then a name: a quote inside has a backslash before it, one that
    closes has a comma or a bracket behind it. Looking at the text is quicker than parsing it.
    """
    return Sql("(instr(r.keys, ?) > 0 OR substr(r.keys, 2, ?) = ?)", ("," + start, len(start), start))
