"""Limits that need a calculation: relative to now, or in another unit.

See https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.minValue_x_.
"""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fhir_server.fhir import ucum
from fhir_server.fhirpath.environment import clock_now
from fhir_server.validation.report import Findings, found, shown
from fhir_server.validation.rules.fixed import ordered
from fhir_server.validation.site import Build, Check, Scope, Site

DATES = frozenset({"date", "dateTime", "instant"})
QUANTITIES = frozenset({"Quantity", "Age", "Count", "Distance", "Duration", "SimpleQuantity"})
UCUM = "http://unitsofmeasure.org"
MONTHS = {"a": 12, "mo": 1}
"""Units of calendar time, in months."""
FARTHEST_YEARS = 1000
"""Durations beyond this limit nothing."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One end of a range: the finding of a value beyond it, which side it bounds (1: from above), its type and value."""

    key: str
    side: int
    type: str
    quantity: Mapping[str, Any]


def build_limits(site: Site, _: Build) -> Check | None:
    """Returns the check of limits that are durations from now, or quantities; None when the element has none.

    A quantity of the very unit of the limit is left to `rules/fixed.py`; of a unit without conversion nothing is said.
    """
    limits = list(_limits(site))
    if not limits or site.type not in DATES | QUANTITIES:
        return None
    is_relative = site.type in DATES

    def check(value: Any, _: Scope) -> Findings | None:
        for limit in limits:
            bound = _from_now(limit) if is_relative else limit.quantity
            order = ordered(value, bound) if is_relative else _converted_order(value, limit, site.type)
            if order == limit.side:
                return found(limit.key, limit=_sentence(bound), found=_sentence(value), profile=site.profile)
        return None

    return check


def _limits(site: Site) -> Iterator[Limit]:
    element = site.element
    for fact, key, side in (
        (element.min_value, "validation.min-value", -1),
        (element.max_value, "validation.max-value", 1),
    ):
        if fact is not None and fact[0] in QUANTITIES and isinstance(fact[1], Mapping):
            yield Limit(key, side, fact[0], fact[1])


def _from_now(limit: Limit) -> str | None:
    """Returns the date and time at the duration from now, into the past for a lower limit; None when it is no duration."""
    number, code = limit.quantity.get("value"), limit.quantity.get("code") or limit.quantity.get("unit")
    if not isinstance(number, int | Decimal) or not isinstance(code, str):
        return None
    amount, now = Decimal(number) * limit.side, clock_now()
    if code in MONTHS:
        months = int(amount * MONTHS[code])
        return _months_later(now, months).isoformat() if abs(months) < FARTHEST_YEARS * 12 else None
    seconds = ucum.convert(amount, code, "s")
    if seconds is None or abs(seconds) > FARTHEST_YEARS * 366 * 86_400:
        return None
    return (now + timedelta(seconds=float(seconds))).isoformat()


def _months_later(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def _converted_order(value: Any, limit: Limit, type_: str) -> int | None:
    bound = limit.quantity
    if not isinstance(value, Mapping):
        return None
    if value.get("code") == bound.get("code"):
        return None if limit.type == type_ else ordered(value, bound)
    number, code, target = value.get("value"), value.get("code"), bound.get("code")
    if value.get("system") != UCUM or bound.get("system") != UCUM or not isinstance(number, int | Decimal):
        return None
    converted = ucum.convert(Decimal(number), str(code), str(target))
    return None if converted is None else ordered(converted, bound.get("value"))


def _sentence(value: Any) -> str:
    if not isinstance(value, Mapping):
        return shown(value)
    return shown(f"{value.get('value')} {value.get('code') or value.get('unit') or ''}".strip())
