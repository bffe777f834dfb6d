"""Contained resources: each referenced, each with an id of its own (dom-3), https://hl7.org/fhir/R4/references.html#contained."""

import re
from collections.abc import Iterator
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined
from fhir_server.validation.rules.invariant import failed
from fhir_server.validation.rules.objects import text_of
from fhir_server.validation.site import Scope

DOM_3 = (
    "If the resource is contained in another resource, it SHALL be referred to from elsewhere in the resource "
    "or SHALL refer to the containing resource"
)
DOM_3_ZH = "contained 中的资源必须被所在资源引用,或引用所在资源"
_NARRATIVE_LINK = re.compile(r"""\s(?:href|src)\s*=\s*["']#([^"']*)["']""")


def check_contained(value: Any, scope: Scope) -> Findings | None:
    """Tells whether each contained resource is referred to, or refers to the container, and has an id of its own."""
    contained = value.get("contained")
    if type(contained) is not list or not scope.policy.check_contained:
        return None
    items = {i: one for i, one in enumerate(contained) if isinstance(one, dict)}
    result = joined(_twice(items), _nameless(items) if scope.policy.strict else None)
    linked = _linked(value, items)
    for index in items.keys() - linked:
        result = joined(result, at(failed("dom-3", DOM_3, DOM_3_ZH), index, "contained"))
    return result


def _twice(items: dict[int, JsonObject]) -> Findings | None:
    result: Findings | None = None
    seen: set[str] = set()
    for index, item in items.items():
        id_ = item.get("id")
        if isinstance(id_, str) and id_ in seen:
            result = joined(result, at(found("validation.contained-id", id=id_), index, "contained"))
        seen.add(str(id_))
    return result


def _nameless(items: dict[int, JsonObject]) -> Findings | None:
    faults: Findings = []
    for index, item in items.items():
        faults += at(found("validation.contained-no-id"), index, "contained") if "id" not in item else []
    return faults or None


def _linked(container: JsonObject, items: dict[int, JsonObject]) -> set[int]:
    """Returns the items referred to from the container, from one so referred to, or that refer to the container."""
    links = {index: set(links_in(item)) for index, item in items.items()}
    reached = set(links_in({k: v for k, v in container.items() if k != "contained"}))
    linked = {index for index, own in links.items() if "" in own}
    while True:
        for index in linked:
            reached |= links[index]
        more = {index for index, item in items.items() if text_of(item, "id") in reached} - linked
        if not more:
            return linked
        linked |= more


def links_in(value: Any) -> Iterator[str]:
    """Yields the id of every local link (`#id` as a whole value, or a link of a narrative) anywhere below `value`."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, str):
            yield from _links_of_text(one)


def _links_of_text(text: str) -> Iterator[str]:
    if text.startswith("#"):
        yield text[1:]
    elif "#" in text and "<" in text:
        yield from _NARRATIVE_LINK.findall(text)
