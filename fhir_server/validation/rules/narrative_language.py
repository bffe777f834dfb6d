"""The languages of a narrative: its own, the resource's, and those that a profile asks for.

See https://hl7.org/fhir/R4/narrative.html and http://hl7.org/fhir/StructureDefinition/narrative-language-control.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import ParseError, fromstring

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, found, warned
from fhir_server.validation.rules.narrative import NARRATIVE_MAX, XHTML, has_declaration
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.site import Build, Check, Scope, Site

CONTROL = "http://hl7.org/fhir/StructureDefinition/narrative-language-control"
NONE, SOME, RESOURCE = "_no", "_yes", "_resource"
"""What a profile may say besides a language: no sections by language, at least one, one of the resource's language."""
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@lru_cache(maxsize=2048)
def languages(div: str) -> tuple[str, tuple[str, ...]]:
    """Returns the language of a narrative as a whole, or an empty text, and those of its sections by language."""
    if "lang" not in div or len(div) > NARRATIVE_MAX or has_declaration(div):
        return "", ()
    try:
        root = fromstring(div)  # noqa: S314 -- no DOCTYPE, so no entities
    except (ParseError, ValueError):
        return "", ()
    sections = (one.get(_LANG) or one.get("lang") for one in root if one.tag == XHTML + "div")
    return root.get(_LANG) or root.get("lang") or "", tuple(one for one in sections if one)


def build_language(_: Build) -> Check:
    """Returns the check that a Narrative is in the language that its resource names."""

    def check(value: Any, scope: Scope) -> Findings | None:
        language, div = scope.resource.get("language"), value.get("div")
        if type(language) is not str or type(div) is not str:
            return None
        own = languages(div)[0]
        if not own or _plain(own) == _plain(language):
            return None
        return warned("validation.narrative-language", found=own, expected=language)

    return check


def build_language_control(site: Site, build: Build) -> Check | None:
    """Returns the check of the sections by language that a profile asks of a Narrative, or None when it asks nothing."""
    wanted = tuple(_controls(site, build)) if site.type == "Narrative" else ()
    if not wanted:
        return None

    def check(value: Any, scope: Scope) -> Findings | None:
        div = value.get("div") if type(value) is dict else None
        sections = languages(div)[1] if type(div) is str else ()
        faults = [one for code in wanted for one in _control_faults(code, sections, scope)]
        return faults or None

    return check


def _controls(site: Site, build: Build) -> Iterator[str]:
    raw = build.definitions.resource("StructureDefinition", site.profile)
    for view in ("differential", "snapshot"):
        part = raw.get(view) if raw else None
        for _, element in objects(part, "element") if type(part) is dict else ():
            if element.get("id") == site.place:
                yield from _codes(element)
                return


def _codes(element: JsonObject) -> Iterator[str]:
    for _, extension in objects(element, "extension"):
        if extension.get("url") == CONTROL:
            yield text_of(extension, "valueCode")


def _control_faults(code: str, sections: tuple[str, ...], scope: Scope) -> Findings:
    if code == NONE:
        return found("validation.narrative-sections", found=", ".join(sections)) if sections else []
    if code == SOME:
        return [] if sections else found("validation.narrative-no-sections")
    wanted = text_of(scope.resource, "language") if code == RESOURCE else code
    if not wanted or any(_plain(one) == _plain(wanted) for one in sections):
        return []
    return found("validation.narrative-section-missing", expected=wanted, found=", ".join(sections) or "-")


def _plain(language: str) -> str:
    return language.partition("-")[0].lower()
