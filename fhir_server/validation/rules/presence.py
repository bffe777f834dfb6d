"""Primitives that may not stand without a value, or only with an extension that says why.

R5 has it in the definition of an element, R4 in an extension of it:
https://hl7.org/fhir/R5/elementdefinition-definitions.html#ElementDefinition.mustHaveValue.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, listing
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.site import Build, Check, Scope, Site

_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition."
MUST_HAVE_VALUE, ALTERNATIVES = f"{_R5}mustHaveValue", f"{_R5}valueAlternatives"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A primitive child that needs a value or, where there are some, one of these extensions."""

    name: str
    alternatives: frozenset[str]


def build_presence(site: Site, build: Build) -> Check | None:
    """Returns the check that the primitives of a value have the values that the profile wants, or None."""
    if ":" not in site.profile:
        return None  # R4's own types want none
    definition = build.definitions.resource("StructureDefinition", site.profile) or {}
    wanted = list(_wanted(definition, site.element.path))
    if not wanted:
        return None

    def check(value: Any, _: Scope) -> Findings | None:
        result: Findings | None = None
        for one in wanted if type(value) is dict else ():
            beside = value.get(f"_{one.name}")
            if isinstance(beside, dict) and one.name not in value and not _has_alternative(beside, one):
                fault = found(
                    "validation.value-missing", expected=listing(one.alternatives) or "-", profile=site.profile
                )
                result = joined(result, at(fault, one.name))
        return result

    return check


def _wanted(definition: JsonObject, owner: str) -> Iterator[Wanted]:
    differential = definition.get("differential")
    for _, element in objects(differential if isinstance(differential, dict) else {}, "element"):
        parent, _, name = text_of(element, "path").rpartition(".")
        if parent == owner:
            said = list(objects(element, "extension"))
            urls = frozenset(str(one.get("valueCanonical")) for _, one in said if one.get("url") == ALTERNATIVES)
            if urls or any(one.get("url") == MUST_HAVE_VALUE and one.get("valueBoolean") is True for _, one in said):
                yield Wanted(name, urls)


def _has_alternative(beside: JsonObject, wanted: Wanted) -> bool:
    return any(text_of(one, "url") in wanted.alternatives for _, one in objects(beside, "extension"))
