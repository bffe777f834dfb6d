"""XHTML as R4's txt-1 has it: HTML 4.0's basic formatting, each element where it may stand, https://hl7.org/fhir/R4/narrative.html#xhtml.

What a careless page would run or load is refused by `narrative.py` whatever the policy; the form is for a strict one.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from fhir_server.validation.report import Finding, Findings, at, shown
from fhir_server.validation.rules.narrative import NARRATIVE_MAX, XHTML, has_declaration
from fhir_server.validation.site import Build, Check, Scope

INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "bdo",
        "big",
        "cite",
        "code",
        "dfn",
        "em",
        "i",
        "kbd",
        "q",
        "samp",
        "small",
        "strong",
        "sub",
        "sup",
        "tt",
        "var",
    ]
)
"""Elements that do not stand in themselves."""
TEXT = INLINE | {"address", "caption", "dd", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "span"}
"""Elements that hold text, and no blocks."""
BLOCKS = frozenset({"div", "ol", "pre", "table", "ul"})
HOLDS: Mapping[str, frozenset[str]] = {
    "table": frozenset({"caption", "col", "colgroup", "tbody", "tfoot", "thead", "tr"}),
    "tr": frozenset({"td", "th"}),
    "tbody": frozenset({"tr"}),
    "thead": frozenset({"tr"}),
    "tfoot": frozenset({"tr"}),
    "ul": frozenset({"li"}),
    "ol": frozenset({"li"}),
    "dl": frozenset({"dd", "dt"}),
    "map": frozenset({"area"}),
    "br": frozenset(),
    "img": frozenset(),
    "hr": frozenset(),
    "area": frozenset(),
}
"""Elements that hold only these elements, and no text."""
WITHIN: Mapping[str, frozenset[str]] = {
    "tr": frozenset({"table", "tbody", "tfoot", "thead"}),
    "tbody": frozenset({"table"}),
    "thead": frozenset({"table"}),
    "tfoot": frozenset({"table"}),
    "caption": frozenset({"table"}),
    "colgroup": frozenset({"table"}),
    "col": frozenset({"colgroup", "table"}),
    "td": frozenset({"tr"}),
    "th": frozenset({"tr"}),
    "li": frozenset({"ol", "ul"}),
    "dd": frozenset({"dl"}),
    "dt": frozenset({"dl"}),
}
"""Elements that stand only in these."""
ELEMENTS = TEXT | HOLDS.keys() | WITHIN.keys() | {"blockquote", "div"}

_EVERYWHERE = frozenset(
    [
        "abbr",
        "accesskey",
        "align",
        "axis",
        "char",
        "charoff",
        "class",
        "colspan",
        "dir",
        "headers",
        "id",
        "lang",
        "rowspan",
        "scope",
        "span",
        "style",
        "tabindex",
        "title",
        "valign",
        "width",
    ]
)
_ON: Mapping[str, frozenset[str]] = {
    "a": frozenset({"charset", "coords", "href", "hreflang", "name", "rel", "rev", "shape", "type"}),
    "area": frozenset({"alt", "coords", "href", "nohref", "shape"}),
    "blockquote": frozenset({"cite"}),
    "img": frozenset({"alt", "border", "height", "ismap", "longdesc", "src", "usemap"}),
    "map": frozenset({"name"}),
    "q": frozenset({"cite"}),
    "table": frozenset({"border", "cellpadding", "cellspacing", "frame", "rules", "summary"}),
    "td": frozenset({"nowrap"}),
}
"""Attributes of HTML 4.0 beside those that stand everywhere."""
_URL = re.compile(r"[\w;?:@&=+$.,/%\-~#\[\]!'()*|]*\Z")
_DATA = re.compile(r"data:\s*[^,]*,[^,]*\Z")

Fault = tuple[str, tuple[tuple[str, str], ...]]
"""The key of a finding and its parameters."""


def build_structure(_: Build) -> Check:
    """Returns the check of the form of a Narrative's XHTML."""

    def check(value: Any, scope: Scope) -> Findings | None:
        div = value.get("div") if scope.policy.strict else None
        faults = _faults(div) if type(div) is str else ()
        return at([Finding(key, dict(params)) for key, params in faults], "div") or None

    return check


@lru_cache(maxsize=2048)
def _faults(div: str) -> tuple[Fault, ...]:
    """Returns what is wrong, each sort once; the same text is judged once."""
    if len(div) > NARRATIVE_MAX or has_declaration(div):
        return ()
    try:
        root = fromstring(div)  # noqa: S314 -- no DOCTYPE, so no entities
    except (ParseError, ValueError):
        return ()
    found: dict[Fault, None] = {}
    for parent in root.iter():
        found.update(dict.fromkeys(_of_element(parent)))
    return tuple(found)


def _of_element(parent: Element) -> Iterator[Fault]:
    name, children = _name(parent), [_name(child) for child in parent]
    for child in children:
        if child not in ELEMENTS:
            yield "validation.narrative-form-element", (("name", child),)
        elif name not in WITHIN.get(child, {name}):
            yield _misplaced(child, name)
    allowed = HOLDS.get(name)
    if allowed is not None:
        yield from (_misplaced(child, name) for child in children if child in ELEMENTS and child not in allowed)
        if _has_text(parent):
            yield _misplaced("#text", name)
    if name in TEXT:
        barred = BLOCKS | ({name} if name in INLINE else frozenset())
        yield from (_misplaced(_name(one), name) for one in parent.iter() if one is not parent and _name(one) in barred)
    yield from _of_attributes(name, parent.attrib)


def _misplaced(child: str, parent: str) -> Fault:
    return "validation.narrative-form-place", (("name", child), ("parent", parent))


def _of_attributes(name: str, attributes: Mapping[str, str]) -> Iterator[Fault]:
    for attribute, value in attributes.items():
        plain = attribute.rpartition("}")[2]
        is_known = plain in _EVERYWHERE or plain in _ON.get(name, ()) or attribute.startswith("{")
        if not is_known:
            yield "validation.narrative-form-attribute", (("name", attribute), ("element", name))
        if plain in ("href", "src") and not (_DATA if value.startswith("data:") else _URL).match(value):
            yield "validation.narrative-form-url", (("value", shown(value)),)


def _has_text(element: Element) -> bool:
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def _name(element: Element) -> str:
    return element.tag.removeprefix(XHTML) if isinstance(element.tag, str) else "#comment"
