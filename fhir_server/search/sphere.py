"""Distances on the Earth taken as a sphere, for `near`, https://hl7.org/fhir/R4/location.html#search."""

from math import asin, cos, degrees, inf, radians, sin, sqrt

EARTH_METRES = 6_371_008.8
"""Mean radius of the Earth in metres (IUGG)."""


def metres_between(latitude: float, longitude: float, latitude2: float, longitude2: float) -> float:
    """Returns the great-circle distance of two places given in degrees, by the haversine formula."""
    half_latitude = sin(radians(latitude2 - latitude) / 2)
    half_longitude = sin(radians(longitude2 - longitude) / 2)
    chord = half_latitude * half_latitude + cos(radians(latitude)) * cos(radians(latitude2)) * half_longitude**2
    return 2 * EARTH_METRES * asin(min(1.0, sqrt(chord)))


def degrees_around(metres: float) -> float:
    """Returns how many degrees of latitude a distance spans, a little too many; infinite beyond a half turn."""
    angle = degrees(metres / EARTH_METRES) * 1.000001
    return angle if angle < 180 else inf
