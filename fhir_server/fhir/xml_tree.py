"""XML bytes -> a tree of elements with their places, and nothing that makes XML dangerous, https://hl7.org/fhir/R4/xml.html.

No document type, no entities of its own, nothing fetched, bounds on depth and size. Comments and processing instructions
are no part of a resource and are left out.
"""

from typing import NamedTuple, NoReturn
from xml.parsers import expat

from fhir_server.errors import BadStructure, Issue, Severity, catalogue
from fhir_server.fhir.json_codec import MAX_DEPTH
from fhir_server.fhir.json_text import Lines

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
MAX_ELEMENTS = 250_000
"""Most elements of one document, about 15 MB of FHIR; reading more would block the server for more than a second."""

_UTF_16 = (b"\xfe\xff", b"\xff\xfe")
_ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class Node(NamedTuple):
    """One element: its namespace, local name, attributes, and its content in order.

    Attributes in a namespace are named `namespace name`. Text between FHIR elements that is only space is left out.
    `source` is the text of a narrative's outermost XHTML element as it was written, empty for all others.
    """

    space: str
    name: str
    attributes: dict[str, str]
    content: "list[Node | str]"
    line: int
    column: int
    source: str


class _Open(NamedTuple):
    """An element whose end has not been met."""

    space: str
    name: str
    attributes: dict[str, str]
    content: list[Node | str]
    line: int
    column: int
    start: int


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.count = 0
        self.root: list[Node | str] = []
        self.open = [_Open("", "", {}, self.root, 0, 0, 0)]
        self.parser = expat.ParserCreate("utf-8", " ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.XmlDeclHandler = self.declaration

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Opens an element."""
        parser = self.parser
        self.count += 1
        if len(self.open) > MAX_DEPTH:
            self.refuse("xml.too-deep", limit=MAX_DEPTH)
        if self.count > MAX_ELEMENTS:
            self.refuse("xml.too-many", limit=MAX_ELEMENTS)
        space, _, local = name.rpartition(" ")
        line, column = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        self.open.append(_Open(space, local, attributes, [], line, column, parser.CurrentByteIndex))

    def end(self, _: str) -> None:
        """Closes the innermost element and hangs it below its parent."""
        space, name, attributes, content, line, column, start = self.open.pop()
        parent = self.open[-1]
        source = self.source_from(start) if space == XHTML != parent.space else ""
        parent.content.append(Node(space, name, attributes, content, line, column, source))

    def source_from(self, start: int) -> str:
        """Returns the text from an element's start to the end tag just met."""
        end = self.data.index(b">", self.parser.CurrentByteIndex) + 1
        return self.data[start:end].decode()

    def text(self, data: str) -> None:
        """Keeps text within narratives, and text that has no business between elements."""
        if self.open[-1].space == XHTML or not data.isspace():
            self.open[-1].content.append(data)

    def doctype(self, name: str, *_: object) -> None:
        """Refuses a document type before anything in it is read."""
        self.refuse("xml.doctype", name=name)

    def declaration(self, _: str, encoding: str | None, __: int) -> None:
        """Refuses every encoding but UTF-8."""
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            self.refuse("xml.encoding", found=encoding)

    def refuse(self, key: str, **params: object) -> NoReturn:
        """Stops reading at the place where the parser is."""
        place = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
        raise BadStructure(Issue(Severity.FATAL, catalogue()[key].code, key, "", params, *place))


def read_tree(data: bytes) -> Node:
    """Returns the root element of a document.

    Raises:
        BadStructure: not well-formed, not UTF-8, with a document type, or beyond a bound; the issue says where.
    """
    text = data.removeprefix(b"\xef\xbb\xbf")
    builder = _Builder(text)
    if text.startswith(_UTF_16):
        builder.refuse("xml.encoding", found="UTF-16")
    if text.count(b"<") > 2 * MAX_ELEMENTS:  # told at once, before time is spent on the elements
        builder.refuse("xml.too-many", limit=MAX_ELEMENTS)
    try:
        builder.parser.Parse(text, True)
    except expat.ExpatError as error:
        _refuse_malformed(text, error)
    root = builder.root[0]
    assert isinstance(root, Node)
    return root


def _refuse_malformed(text: bytes, error: expat.ExpatError) -> NoReturn:
    reason, line, column = expat.ErrorString(error.code) or "", error.lineno, error.offset + 1
    try:
        text.decode()
    except UnicodeDecodeError as undecodable:
        before = text[: undecodable.start].decode()
        reason, (line, column) = f"byte 0x{text[undecodable.start]:02x} is no UTF-8", Lines(before).place(len(before))
    params = {"reason": reason, "line": line, "column": column}
    code = catalogue()["xml.malformed"].code
    raise BadStructure(Issue(Severity.FATAL, code, "xml.malformed", "", params, line, column)) from None
