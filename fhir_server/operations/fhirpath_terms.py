"""What memberOf() and subsumes() ask of the terminology, https://hl7.org/fhir/R4/fhirpath.html#functions."""

from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology import LocalTerminology


def member_of(terminology: LocalTerminology, value: Any, type_: str, value_set: str) -> bool | None:
    """Tells whether a code, Coding or CodeableConcept is in a value set; None when that cannot be told.

    A code without a system counts with any system of the value set; of a CodeableConcept one coding is enough.
    """
    if isinstance(value, str):
        return terminology.validate(value_set, None, value)
    found = {_has(terminology, coding, value_set) for coding in _codings(value)}
    return True if True in found else None if None in found or not found else False


def _codings(value: Any) -> list[JsonObject]:
    if type(value) is not dict:
        return []
    inner = value.get("coding", [value])
    return [c for c in inner if type(c) is dict] if isinstance(inner, list) else []


def _has(terminology: LocalTerminology, coding: JsonObject, value_set: str) -> bool | None:
    code, system = coding.get("code"), coding.get("system")
    if not isinstance(code, str) or not isinstance(system, str | None):
        return None
    return terminology.validate(value_set, system, code)


def subsumes(terminology: LocalTerminology, a: JsonObject, b: JsonObject) -> bool | None:
    """Tells whether the concept of one Coding is that of the other or above it; None when the system is not listed here."""
    system, one, other = a.get("system"), a.get("code"), b.get("code")
    if system != b.get("system") or not isinstance(system, str) or not isinstance(one, str):
        return False
    if one == other:
        return True
    known = terminology.system(system)
    if known is None or known.find(one) is None or known.find(str(other)) is None:
        return None
    return other in known.descendants(one)
