"""Rules that R4 states in words for one type, beside what its definition says, https://hl7.org/fhir/R4/resourcelist.html."""

from collections.abc import Callable, Mapping

from fhir_server.validation.site import Build, Check

OWN_RULES: Mapping[str, tuple[Callable[[Build], Check], ...]] = {}
"""Builders of the rules of a type or backbone path; each check sees the whole object, after its elements."""
