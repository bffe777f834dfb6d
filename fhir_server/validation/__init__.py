"""Validation against R4 and profiles, https://hl7.org/fhir/R4/validation.html.

validator = Validator(load_definitions())
validator.check(resource) -> [Issue, ...]
"""

from fhir_server.validation.run import Validator
from fhir_server.validation.site import ProfileError

__all__ = ["ProfileError", "Validator"]
