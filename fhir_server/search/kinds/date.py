"""Date parameters: every date is a range of time, https://hl7.org/fhir/R4/search.html#date."""

from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.fhir.dates import DateError, Range, microseconds, period_range, range_of, timing_range
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.query import Clause, RangeOp, RangeTest
from fhir_server.search.rows import RangeRow
from fhir_server.search.values import any_of, modifier_refused, prefixed

MODIFIERS: frozenset[str] = frozenset()


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause of a date value, `[prefix]yyyy[-mm[-dd[Thh:mm[:ss[.f]][offset]]]]`.

    Raises:
        SearchValueInvalid: an alternative is no date, or a day that does not exist.
        SearchParameterUnknown: a modifier; dates take none but `:missing`.
    """
    if modifier is not None:
        raise modifier_refused(parameter.code, modifier, MODIFIERS)
    return any_of(parameter.code, raw, lambda part: _clause(parameter.code, part, context))


def _clause(code: str, part: str, context: SearchContext) -> Clause:
    op, searched = searched_range(code, part, context)
    return RangeTest(code, op, searched.low, searched.high)


def searched_range(code: str, part: str, context: SearchContext) -> tuple[RangeOp, Range]:
    """Returns the comparison and the range of one alternative; `ap` widens by a tenth of the distance from now.

    Raises:
        SearchValueInvalid: no date, or a day that does not exist.
    """
    op, text = prefixed(part)
    try:
        # In a URL an unescaped `+` of an offset arrives as a blank.
        searched = range_of(text.replace(" ", "+"), context.zone)
    except DateError:
        raise SearchValueInvalid.of("search.value-date", code, name=code, value=part) from None
    return op, _widened(searched, microseconds(context.now)) if op is RangeOp.AP else searched


def _widened(searched: Range, now: int) -> Range:
    """Returns the range with a tenth of the gap to now on both sides, https://hl7.org/fhir/R4/search.html#prefix."""
    gap = max(searched.low - now, now - searched.high, 0) // 10
    return Range(searched.low - gap, searched.high + gap)


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files the range of a date, dateTime, instant, Period or Timing; one that cannot be read is not filed."""
    try:
        found = _range(value, type_name, filing)
    except DateError:
        return
    if found is not None:
        filing.ranges[RangeRow(code, found.low, found.high)] = None


def _range(value: Any, type_name: str, filing: Filing) -> Range | None:
    if isinstance(value, str):  # a text may look like a date, and is none
        return None if type_name == "string" else range_of(value, filing.zone)
    if not isinstance(value, dict):
        return None
    return timing_range(value, filing.zone) if type_name == "Timing" else period_range(value, filing.zone)
