"""The rules for narrative, https://hl7.org/fhir/R4/narrative.html#xhtml: txt-1 and txt-2."""

import re
from functools import lru_cache
from html.entities import name2codepoint
from xml.parsers import expat

_ELEMENTS = frozenset(
    {"a", "abbr", "acronym", "address", "b", "big", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul", "var"}
)  # fmt: skip
_ATTRIBUTES = frozenset(
    {"abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign", "cellpadding", "cellspacing", "cellvalign", "char", "charoff", "charset", "cite", "class", "colspan", "compact", "coords", "dir", "frame", "headers", "height", "href", "hreflang", "hspace", "id", "lang", "longdesc", "name", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "shape", "span", "src", "start", "style", "summary", "tabindex", "title", "type", "valign", "value", "vspace", "width", "xml:lang", "xmlns"}
)  # fmt: skip
_ENTITY = re.compile(r"&([A-Za-z]\w*);")
_SCRIPT = re.compile(r"\s*(javascript|vbscript|data:text/html)", re.IGNORECASE)
_REMOTE_STYLE = re.compile(r"url\s*\(|expression\s*\(|@import", re.IGNORECASE)
_XML_ENTITIES = ("lt", "gt", "amp", "quot", "apos")


class _Refused(Exception):
    """The narrative breaks a rule."""


class _Checker:
    def __init__(self) -> None:
        self.depth = 0
        self.has_content = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name not in _ELEMENTS or (self.depth == 0 and name != "div"):
            raise _Refused(name)
        if (
            self.depth == 0
            and attributes.get("xmlns", "http://www.w3.org/1999/xhtml") != "http://www.w3.org/1999/xhtml"
        ):
            raise _Refused("xmlns")
        for key, value in attributes.items():
            if key not in _ATTRIBUTES or (key in ("href", "src") and _SCRIPT.match(value)):
                raise _Refused(key)
            if key == "style" and _REMOTE_STYLE.search(value):
                raise _Refused(key)
        self.has_content |= name == "img"
        self.depth += 1

    def end(self, name: str) -> None:
        self.depth -= 1

    def text(self, data: str) -> None:
        self.has_content |= bool(data.strip())

    def refuse(self, *arguments: object) -> None:
        raise _Refused


def is_narrative(text: str) -> bool:
    """Tells whether `text` is one well-formed XHTML div of the allowed elements and attributes, with some content.

    No document type, script, form, event handler, or style that fetches something. Answers on short texts are kept.
    """
    return _known(text) if len(text) <= _KEPT else _checked(text)


_KEPT = 8_192
"""Characters of a text that the cache keeps: resources are strangers' and may be big."""


@lru_cache(1024)
def _known(text: str) -> bool:
    return _checked(text)


def _checked(text: str) -> bool:
    checker = _Checker()
    parser = expat.ParserCreate()
    parser.StartElementHandler = checker.start
    parser.EndElementHandler = checker.end
    parser.CharacterDataHandler = checker.text
    parser.StartDoctypeDeclHandler = checker.refuse
    parser.ProcessingInstructionHandler = checker.refuse
    try:
        parser.Parse(_ENTITY.sub(_named, text), True)
    except (expat.ExpatError, _Refused):
        return False
    return checker.has_content


def _named(match: re.Match[str]) -> str:
    name = match[1]
    return match[0] if name in _XML_ENTITIES or name not in name2codepoint else f"&#{name2codepoint[name]};"
