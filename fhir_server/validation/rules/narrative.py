"""Narrative: well-formed XHTML of the allowed elements, nothing that runs or loads, https://hl7.org/fhir/R4/narrative.html."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from fhir_server.validation.report import Findings, found
from fhir_server.validation.rules.json_types import wrong_json
from fhir_server.validation.site import Scope

XHTML = "{http://www.w3.org/1999/xhtml}"
ELEMENTS = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "address",
        "article",
        "aside",
        "b",
        "bdi",
        "bdo",
        "big",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "dir",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "main",
        "map",
        "area",
        "mark",
        "menu",
        "nav",
        "ol",
        "p",
        "pre",
        "q",
        "ruby",
        "rb",
        "rp",
        "rt",
        "rtc",
        "s",
        "samp",
        "section",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "template",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
        "wbr",
    ]
)
LINKS = frozenset({"href", "src", "cite", "longdesc", "background"})
NARRATIVE_MAX = 4 * 1024 * 1024
"""Longest narrative, in characters; a bound of ours, R4 has none."""

_DECLARATION = re.compile(r"<!(?!--|\[CDATA\[)|<\?")
_ENTITY = re.compile(r"&[A-Za-z][A-Za-z0-9]{0,30};")
_OF_XML = frozenset({"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"})
_SAFE_LINK = re.compile(r"(?:https?:|mailto:|tel:|urn:|cid:|#|\.{0,2}/|data:image/|[^:]*\Z)", re.IGNORECASE)
_ACTIVE_STYLE = re.compile(r"url\s*\(|expression\s*\(|@import|javascript:|behavior\s*:", re.IGNORECASE)


def has_declaration(text: str) -> bool:
    """Tells whether XHTML has a DOCTYPE or a processing instruction; a narrative has neither."""
    return _DECLARATION.search(text) is not None


def check_narrative(value: Any, _: Scope) -> Findings | None:
    """Tells whether a value is a narrative's `div`: XHTML that is safe to show."""
    if type(value) is not str:
        return wrong_json(value, "string")
    fault = _fault(value)
    return None if fault is None else found(fault[0], **dict(fault[1:]))


@lru_cache(maxsize=2048)
def _fault(text: str) -> tuple[Any, ...] | None:
    """Returns the first fault as (key, (param, value) ...), or None. The same text is judged once."""
    if len(text) > NARRATIVE_MAX:
        return ("validation.string-too-long", ("length", len(text)), ("max", NARRATIVE_MAX))
    if has_declaration(text):
        return ("validation.narrative-declaration",)
    try:
        root = fromstring(text)  # noqa: S314 -- no DOCTYPE, so no entities
    except (ParseError, ValueError) as error:
        entity = _unknown_entity(text) if "undefined entity" in str(error) else None
        if entity is not None:
            return ("validation.narrative-entity", ("found", entity))
        return ("validation.narrative-xml", ("reason", str(error)))
    if root.tag != XHTML + "div":
        return ("validation.narrative-root", ("found", root.tag))
    return next(_faults(root), None)


def _unknown_entity(text: str) -> str | None:
    """Returns the first entity that XML does not know; FHIR has none of HTML's, `&#160;` stands for a no-break space."""
    entities = (match[0] for match in _ENTITY.finditer(text) if match[0] not in _OF_XML)
    return next(entities, None)


def _faults(root: Element) -> Iterator[tuple[Any, ...]]:
    for element in root.iter():
        name = element.tag.removeprefix(XHTML)
        if name not in ELEMENTS:
            yield ("validation.narrative-element", ("name", name))
        for attribute, value in element.attrib.items():
            yield from _attribute_faults(name, attribute, value)
    if not "".join(root.itertext()).strip() and root.find(f".//{XHTML}img") is None:
        yield ("validation.narrative-empty",)


def _attribute_faults(name: str, attribute: str, value: str) -> Iterator[tuple[Any, ...]]:
    plain = attribute.rpartition("}")[2].lower()
    if plain.startswith("on") or plain in ("formaction", "srcdoc"):
        yield ("validation.narrative-attribute", ("name", attribute), ("element", name))
    if plain in LINKS and not _SAFE_LINK.match("".join(value.split())):
        yield ("validation.narrative-link", ("value", value[:80]))
    if plain == "style" and _ACTIVE_STYLE.search(value):
        yield ("validation.narrative-style", ("value", value[:80]))
