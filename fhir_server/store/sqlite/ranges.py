"""The prefixes of R4 as comparisons of half-open ranges, https://hl7.org/fhir/R4/search.html#prefix.

`lo` and `hi` are columns of `rng`, always with lo <= hi; a bound on `lo` that follows from one on `hi` is said as well,
because `lo` is what the index is ordered by.
"""

from collections.abc import Mapping

from fhir_server.search.query import RangeOp, RangeTest, UpdatedTest
from fhir_server.search.rows import SEPARATOR
from fhir_server.store.sqlite.fragments import Sql

_RELATIONS: Mapping[RangeOp, tuple[str, str]] = {
    RangeOp.EQ: ("(lo >= ? AND lo <= ? AND hi <= ?)", "LHH"),
    RangeOp.NE: ("NOT (lo >= ? AND hi <= ?)", "LH"),
    RangeOp.GT: ("hi > ?", "H"),
    RangeOp.LT: ("lo < ?", "L"),
    RangeOp.GE: ("(hi > ? OR (lo >= ? AND hi <= ?))", "HLH"),
    RangeOp.LE: ("(lo < ? OR (lo >= ? AND hi <= ?))", "LLH"),
    RangeOp.SA: ("lo >= ?", "H"),
    RangeOp.EB: ("(lo <= ? AND hi <= ?)", "LL"),
    RangeOp.AP: ("(lo < ? AND hi > ?)", "HL"),
}
"""A condition, and which end of the search range each `?` is."""

_UPDATED: Mapping[RangeOp, tuple[str, str]] = {
    RangeOp.EQ: ("(r.lu >= ? AND r.lu < ?)", "LH"),
    RangeOp.NE: ("NOT (r.lu >= ? AND r.lu < ?)", "LH"),
    RangeOp.GT: ("r.lu >= ?", "H"),
    RangeOp.LT: ("r.lu < ?", "L"),
    RangeOp.GE: ("r.lu >= min(?, ?)", "LH"),
    RangeOp.LE: ("r.lu < max(?, ?)", "LH"),
    RangeOp.SA: ("r.lu >= ?", "H"),
    RangeOp.EB: ("r.lu < ?", "L"),
    RangeOp.AP: ("(r.lu < ? AND r.lu >= ?)", "HL"),
}
"""The same for a point in whole microseconds, which is the range [lu, lu + 1)."""

BOUNDED = frozenset({RangeOp.EQ, RangeOp.LT, RangeOp.SA, RangeOp.EB})
"""Relations whose rows are one stretch of the index, so that finding the first ones is cheap."""


def range_condition(test: RangeTest) -> Sql:
    """Returns the condition that `[lo, hi)` stands in the test's relation to its range."""
    return _filled(_RELATIONS[test.op], test.low, test.high)


def updated_condition(test: UpdatedTest) -> Sql:
    """Returns the condition that the last update stands in the test's relation to its range."""
    return _filled(_UPDATED[test.op], test.low, test.high)


def unit_condition(unit: str | None) -> tuple[Sql, ...]:
    """Returns the condition on the unit of a range, or nothing when any will do."""
    if unit is None:
        return ()
    if unit.startswith(SEPARATOR):
        return (Sql("substr(u, ?) = ?", (-len(unit), unit)),)
    if unit.endswith(SEPARATOR):
        return (Sql("(u >= ? AND u < ?)", (unit, unit[:-1] + chr(ord(SEPARATOR) + 1))),)
    return (Sql("u = ?", (unit,)),)


def _filled(relation: tuple[str, str], low: float, high: float) -> Sql:
    text, ends = relation
    return Sql(text, tuple(low if end == "L" else high for end in ends))
