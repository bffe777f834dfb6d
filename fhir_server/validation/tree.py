"""The elements of a snapshot as a tree of children and slices, https://hl7.org/fhir/R4/elementdefinition.html#id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fhir_server.definitions.registry import Element
from fhir_server.validation.site import ProfileError


@dataclass(frozen=True, slots=True)
class Node:
    """An element with its children by name (`value[x]`) and its slices by name; re-slices stand below their slice."""

    element: Element
    children: dict[str, "Node"] = field(default_factory=dict)
    slices: dict[str, "Node"] = field(default_factory=dict)

    def child(self, name: str) -> "Node | None":
        """Returns the child `name`, the choice `name[x]`, or None."""
        return self.children.get(name) or self.children.get(f"{name}[x]")

    def variants(self) -> Iterator["Node"]:
        """Yields the node itself and every slice of it, re-slices included."""
        yield self
        for one in self.slices.values():
            yield from one.variants()


def build_tree(elements: Sequence[Element]) -> Node:
    """Returns the tree of a snapshot.

    Raises:
        ProfileError: an element comes before its parent, or there is none at all.
    """
    if not elements:
        raise ProfileError("the snapshot has no elements")
    root = Node(elements[0])
    by_id = {elements[0].id: root}
    for element in elements[1:]:
        by_id[element.id] = _attach(element, by_id)
    return root


def _attach(element: Element, by_id: dict[str, Node]) -> Node:
    parent_id, _, last = element.id.rpartition(".")
    parent = by_id.get(parent_id)
    if parent is None:
        raise ProfileError(f"{element.id}: the parent element {parent_id!r} does not come before it")
    node = Node(element)
    name, colon, slice_name = last.partition(":")
    if not colon:
        parent.children[name] = node
        return node
    sliced = parent.children.setdefault(name, Node(_implied(f"{parent_id}.{name}", element.path)))
    _sliced_by(sliced, slice_name).slices[slice_name] = node
    return node


def _sliced_by(sliced: Node, slice_name: str) -> Node:
    # `a/b` re-slices the slice `a`
    outer = slice_name.rpartition("/")[0]
    return sliced.slices.get(outer, sliced)


def _implied(id_: str, path: str) -> Element:
    # Some profiles list a slice without the element that it slices: that one is then as R4 has it.
    return Element(id_, path, 0, None)
