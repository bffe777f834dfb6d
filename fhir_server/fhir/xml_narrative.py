"""The XHTML of a narrative: text in JSON, elements in XML, https://hl7.org/fhir/R4/narrative.html."""

from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from fhir_server.fhir.xml_tree import XHTML, Node

_XML = "http://www.w3.org/XML/1998/namespace "


def narrative_text(node: Node) -> str:
    """Returns a narrative as JSON has it: as it was written if that stands on its own, else written anew."""
    return node.source if stands_alone(node.source) else _rewritten(node, "")


def stands_alone(text: str) -> bool:
    """Tells whether a text is one well-formed XHTML div that needs no namespace of its surroundings."""
    if not text.startswith("<div"):
        return False
    parser = expat.ParserCreate("utf-8", " ")
    roots: list[str] = []

    def outermost(name: str, _: dict[str, str]) -> None:
        roots.append(name)
        parser.StartElementHandler = None

    parser.StartElementHandler = outermost
    try:
        parser.Parse(text.encode(errors="replace"), True)
    except expat.ExpatError:
        return False
    return roots == [f"{XHTML} div"]


def _rewritten(node: Node, around: str) -> str:
    """Returns an element with the prefixes gone that were declared outside; `around` is the namespace outside."""
    own = {} if node.space == around else {"xmlns": node.space}
    attributes = own | {name.replace(_XML, "xml:").rpartition(" ")[2]: v for name, v in node.attributes.items()}
    head = node.name + "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    inner = "".join(escape(c) if isinstance(c, str) else _rewritten(c, node.space) for c in node.content)
    return f"<{head}>{inner}</{node.name}>" if inner else f"<{head}/>"
