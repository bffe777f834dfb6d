"""Code systems and value sets, https://hl7.org/fhir/R4/terminology-module.html."""

from fhir_server.terminology.local import Codes, LocalTerminology

__all__ = ["Codes", "LocalTerminology"]
