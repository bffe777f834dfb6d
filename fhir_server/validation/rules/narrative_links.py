"""Links within a narrative lead to something in the same resource, https://hl7.org/fhir/R4/narrative.html#id."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from fhir_server.validation.report import Finding, Findings, at, shown
from fhir_server.validation.rules.narrative import NARRATIVE_MAX, XHTML, has_declaration
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Build, Check, Scope

LINKS = (("a", "href"), ("img", "src"))
"""Elements with the attribute that may lead to something in the resource."""
_IDS = "narrative-links.ids"


def build_links(_: Build) -> Check:
    """Returns the check of the links (`href="#x"`) and images of a Narrative."""

    def check(value: Any, scope: Scope) -> Findings | None:
        div = value.get("div")
        if type(div) is not str or ('"#' not in div and "'#" not in div):
            return None
        lost = [link for link in links_and_ids(div)[0] if link not in _ids(scope)]
        severity = by_policy(scope.policy)
        return (
            at([Finding("validation.narrative-target", {"value": shown(f"#{one}")}, severity) for one in lost], "div")
            or None
        )

    return check


@lru_cache(maxsize=512)
def links_and_ids(div: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Returns the targets of the links and images within a narrative, without `#`, and the ids and anchors that it has."""
    if len(div) > NARRATIVE_MAX or has_declaration(div):
        return (), frozenset()
    try:
        root = fromstring(div)  # noqa: S314 -- no DOCTYPE, so no entities
    except (ParseError, ValueError):
        return (), frozenset()
    links = (one.get(name, "") for tag, name in LINKS for one in root.iter(XHTML + tag))
    return tuple(link[1:] for link in links if len(link) > 1 and link[0] == "#"), frozenset(_anchors(root))


def _anchors(root: Element) -> Iterator[str]:
    for one in root.iter():
        yield from filter(None, (one.get("id"), one.get("name") if one.tag == XHTML + "a" else None))


def _ids(scope: Scope) -> frozenset[str]:
    """Returns every id in the root resource: of elements, of contained resources, and in narratives."""
    key = (_IDS, id(scope.root))
    if key not in scope.memo:
        scope.memo[key] = frozenset(_ids_in(scope.root))
    found: frozenset[str] = scope.memo[key]
    return found


def _ids_in(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is list:
            waiting.extend(one)
        elif type(one) is dict:
            waiting.extend(one.values())
            if type(one.get("id")) is str:
                yield one["id"]
            if type(one.get("div")) is str:
                yield from links_and_ids(one["div"])[1]
