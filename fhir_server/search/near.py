"""`near` of locations: `latitude|longitude[|distance[|units]]`, https://hl7.org/fhir/R4/location.html#search.

A position is filed as two points, `near:latitude` and `near:longitude`, in degrees of WGS 84. The distance is measured on a
sphere, after a box around the place has left out most of the others.
"""

from decimal import Decimal
from math import inf
from typing import Any

from fhir_server.definitions.registry import SearchParameter
from fhir_server.errors import SearchValueInvalid
from fhir_server.fhir import ucum
from fhir_server.search.context import SearchContext
from fhir_server.search.filing import Filing
from fhir_server.search.kinds.number import is_number, number_of, point
from fhir_server.search.query import AllOf, Clause, HasRange, Near, RangeOp, RangeTest
from fhir_server.search.rows import RangeRow
from fhir_server.search.sphere import degrees_around
from fhir_server.search.values import any_of, modifier_refused, split, unescape

CODE = "near"
LATITUDE, LONGITUDE = f"{CODE}:latitude", f"{CODE}:longitude"
DEFAULT_KM = Decimal(10)
"""Kilometres that are near when no distance is given: R4 leaves it to the server."""


def parse(parameter: SearchParameter, raw: str, modifier: str | None, context: SearchContext) -> Clause:
    """Returns the clause that a position is so near; units are UCUM codes of length, kilometres unless told.

    Raises:
        SearchValueInvalid: an alternative has no latitude and longitude, or no such distance.
        SearchParameterUnknown: a modifier; `near` takes none but `:missing`.
    """
    if modifier is not None:
        raise modifier_refused(parameter.code, modifier, frozenset())
    return any_of(parameter.code, raw, _clause)


def _clause(part: str) -> Clause:
    parts = [unescape(one) for one in split(part, "|")]
    latitude, longitude, distance = [*map(number_of, parts[:3]), None, None, None][:3]
    if len(parts) < 3 or not parts[2]:
        distance = DEFAULT_KM
    metres = (
        None if distance is None else ucum.convert(distance, parts[3] if len(parts) > 3 and parts[3] else "km", "m")
    )
    if latitude is None or longitude is None or metres is None or metres < 0 or len(parts) > 4:
        raise SearchValueInvalid.of("search.value-near", CODE, name=CODE, value=part)
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise SearchValueInvalid.of("search.value-near", CODE, name=CODE, value=part)
    around = degrees_around(float(metres))
    box = RangeTest(LATITUDE, RangeOp.EQ, float(latitude) - around, float(latitude) + around)
    near = Near(CODE, float(latitude), float(longitude), float(metres))
    return near if around == inf else AllOf((box, near))


def present() -> Clause:
    """Returns the clause that there is a position."""
    return HasRange(LATITUDE)


def rows(code: str, value: Any, type_name: str, filing: Filing) -> None:
    """Files a position that has both numbers."""
    if not isinstance(value, dict):
        return
    latitude, longitude = value.get("latitude"), value.get("longitude")
    if is_number(latitude) and is_number(longitude):
        for name, number in ((LATITUDE, latitude), (LONGITUDE, longitude)):
            low, high = point(number)
            filing.ranges[RangeRow(name, low, high)] = None
