"""Units of measure that quantities are compared and converted in: UCUM and the calendar words, https://ucum.org/ucum.

`measure_of` is the seam: whoever has further units passes a function of the same shape into the evaluation.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import TypeAlias

from fhir_server.fhir.ucum import SYSTEM as UCUM
from fhir_server.fhir.ucum import Unit as Measure
from fhir_server.fhir.ucum import code_of, parse, power, times
from fhir_server.fhir.ucum_scales import is_known

__all__ = [
    "CALENDAR",
    "UCUM",
    "UCUM_OF_CALENDAR",
    "Measure",
    "Units",
    "code_of",
    "measure_of",
    "power",
    "scale_of",
    "times",
]

Units: TypeAlias = Callable[[str], Measure | None]
"""UCUM code -> its measure, or None when the code is unknown or not a plain factor (such as Cel)."""

CALENDAR = MappingProxyType(
    {
        "year": "year", "years": "year", "month": "month", "months": "month", "week": "week", "weeks": "week",
        "day": "day", "days": "day", "hour": "hour", "hours": "hour", "minute": "minute", "minutes": "minute",
        "second": "second", "seconds": "second", "millisecond": "millisecond", "milliseconds": "millisecond",
    }
)  # fmt: skip
"""Calendar words -> their singular, which is how a calendar unit is written in a Quantity here."""

UCUM_OF_CALENDAR = MappingProxyType(
    {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
)
"""Calendar units that equal a UCUM unit; years and months do not, http://hl7.org/fhirpath/N1/#time-valued-quantities."""


def measure_of(code: str) -> Measure | None:
    """Returns what a UCUM code measures, or None when it is no code or a special unit, whose values do not add up."""
    unit = parse(code)
    return unit if unit is not None and unit.scale is None else None


def scale_of(code: str) -> Measure | None:
    """Returns a special UCUM unit, whose values can be compared with others though they do not add up; None for others."""
    unit = parse(code)
    return unit if unit is not None and unit.scale is not None and is_known(unit.scale) else None
