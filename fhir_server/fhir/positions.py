"""FHIRPath expressions of findings -> lines and columns of the text that was sent, JSON or XML.

It runs only when there is something to tell. See https://hl7.org/fhir/R4/operationoutcome.html#loc.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeVar

from fhir_server.errors import BadStructure, Issue
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.json_text import JsonText, Lines, Place
from fhir_server.fhir.xml_tree import Node, read_tree

T = TypeVar("T")

_COMMENT = re.compile(r"/\*.*?\*/")
_STEP = re.compile(r"\.?([A-Za-z_]\w*)(?:\.ofType\((\w+)\))?(?:\[(\d+)\])?")


TYPE = "resourceType"
"""The one path that may stand without a type: it is JSON's, not FHIRPath's."""


class Step(NamedTuple):
    """One step of a path: an element, the type that its choice has or "", and which of several it is, if it says so."""

    name: str
    type: str
    nth: int | None

    @property
    def key(self) -> str:
        """The element's name in JSON and XML: `value.ofType(Quantity)` is `valueQuantity`."""
        return self.name + self.type[:1].upper() + self.type[1:]

    def picks(self, key: str) -> bool:
        """Tells whether a name may be that of a choice whose type the step does not say."""
        rest = key.removeprefix(self.name)
        return not self.type and rest != key and rest[:1].isupper()


class Spot(Protocol):
    """A value in a text."""

    def place(self) -> Place:
        """Returns where its key, its item or its start tag stands."""

    def type_name(self) -> str:
        """Returns the resource type that it has, or ""."""

    def children(self, step: Step) -> Iterable["Spot"]:
        """Returns what a step may mean here: none, one, or a primitive's value and its sibling."""


def located(issues: Sequence[Issue], data: bytes, root: str = "") -> list[Issue]:
    """Returns the issues with the line and column, in a JSON or XML text, of what their paths name.

    An element that is missing has the place of the nearest one around it. `root` is the path of the resource at which
    the issues' paths start (`Parameters.parameter[0].resource`); without it they start at the outermost. An issue that
    has its place already keeps it; one whose path speaks of something else (a header, a search parameter) gets none, and
    so do all when the text cannot be read.
    """
    if all(i.line or not i.path for i in issues):
        return list(issues)
    outermost = _spot_of(data)
    if outermost is None:
        return list(issues)
    start = _nearest(outermost, _steps(root)[1:]) if root else outermost
    return [i if i.line or not i.path else _with_place(i, start) for i in issues]


def _with_place(found: Issue, start: Spot) -> Issue:
    steps = _steps(found.path)
    if found.path == TYPE:
        place = _nearest(start, steps).place()
    elif steps and steps[0].name == start.type_name():
        place = _nearest(start, steps[1:]).place()
    else:
        return found
    return replace(found, line=place.line, column=place.column)


def _steps(path: str) -> list[Step]:
    """Splits a path as far as it is made of elements and indices."""
    text, found, offset = _COMMENT.sub("", path), [], 0
    while (match := _STEP.match(text, offset)) is not None:
        name, type_, index = match.groups()
        found.append(Step(name, type_ or "", int(index) if index else None))
        offset = match.end()
    return found


def _nearest(spot: Spot, steps: Sequence[Step]) -> Spot:
    """Returns where the steps lead as far as they lead somewhere.

    It never turns back, so that no text makes it slow: of a value and its sibling it takes the one that has the next step.
    """
    for number, step in enumerate(steps):
        meant = list(spot.children(step))
        if not meant:
            return spot
        following = steps[number + 1 : number + 2]
        spot = next((s for s in meant if all(list(s.children(f)) for f in following)), meant[0])
    return spot


def _spot_of(data: bytes) -> Spot | None:
    """Returns the outermost value of a text, or None when it cannot be read."""
    try:
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
            return XmlSpot(read_tree(data), {})
        decode(data)  # what walks the text relies on its being JSON
    except BadStructure:
        return None
    text = data.decode().removeprefix("\ufeff")
    json = JsonText(text)
    return JsonSpot(json, Lines(text), json.start(), json.start())


@dataclass(frozen=True, slots=True)
class JsonSpot:
    """A value of a JSON text; `at` is its own offset, or that of its key."""

    text: JsonText
    lines: Lines
    at: int
    value: int

    def place(self) -> Place:
        """Returns the place of the key, of the item in an array, or of the outermost value."""
        return self.lines.place(self.at)

    def type_name(self) -> str:
        """Returns the object's resourceType."""
        member = self.text.members(self.value).get("resourceType")
        return "" if member is None else self.text.string(member.value)

    def children(self, step: Step) -> Iterator["JsonSpot"]:
        """Yields the property that a step names, and its sibling with an underscore."""
        value = next(iter(self.text.items(self.value)), self.value)
        for member in _picked(self.text.members(value), step):
            if step.nth is None:
                yield JsonSpot(self.text, self.lines, member.key, member.value)
            else:
                items = self.text.items(member.value)[step.nth : step.nth + 1]
                yield from (JsonSpot(self.text, self.lines, item, item) for item in items)


def _picked(by_name: Mapping[str, T], step: Step) -> list[T]:
    """Returns what a step names: by its key, else by a choice whose type the step does not say."""
    found = [by_name[key] for key in (step.key, "_" + step.key) if key in by_name]
    return found or [item for name, item in by_name.items() if step.picks(name.removeprefix("_"))]


@dataclass(frozen=True, slots=True)
class XmlSpot:
    """An element of an XML text; `seen` has the children by name of those elements that were walked already."""

    node: Node
    seen: dict[int, Mapping[str, list[Node]]]

    def place(self) -> Place:
        """Returns the place of the start tag."""
        return Place(self.node.line, self.node.column)

    def type_name(self) -> str:
        """Returns the resource type: the element's own name, or that of the resource which it holds."""
        inner = self._resource()
        return self.node.name if inner is None else inner.name

    def children(self, step: Step) -> Iterator["XmlSpot"]:
        """Yields the element that a step names; an attribute is where its element is."""
        inner = self._resource()
        if inner is not None:
            yield from XmlSpot(inner, self.seen).children(step)
            return
        for named in _picked(self._by_name(), step):
            yield from (XmlSpot(c, self.seen) for c in named[step.nth or 0 :][:1])
        if step.name in self.node.attributes:
            yield self

    def _by_name(self) -> Mapping[str, list[Node]]:
        if id(self.node) not in self.seen:
            found: dict[str, list[Node]] = {}
            for child in self.node.content:
                if isinstance(child, Node):
                    found.setdefault(child.name, []).append(child)
            self.seen[id(self.node)] = found
        return self.seen[id(self.node)]

    def _resource(self) -> Node | None:
        """Returns the resource in `contained` and `resource`, whose element no path names."""
        inner = self.node.content[0] if len(self.node.content) == 1 else None
        return inner if isinstance(inner, Node) and inner.name[:1].isupper() else None
