"""The directives that reorganise the answer, https://hl7.org/fhir/R4/graphql.html#flattening.

`@flatten` puts a field's children in its place, `@first` takes the first item, `@slice` gives each item a name of its own,
and `@singleton` makes one value of what flattening would make a list.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from fhir_server.errors import BadValue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.operations.graphql_document import Fragments

Place = tuple[str | int, ...]
NAMES = frozenset({"flatten", "first", "singleton", "slice"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A field of the answer: its directives of shape, and the selections below it."""

    directives: frozenset[str] = frozenset()
    below: tuple[SelectionSetNode, ...] = ()

    def joined(self, node: FieldNode) -> "Asked":
        """Returns the field with what another selection of the same name asks."""
        named = frozenset(d.name.value for d in node.directives or ()) & NAMES
        more = (node.selection_set,) if node.selection_set else ()
        return Asked(self.directives | named, self.below + more)


@dataclass(frozen=True, slots=True)
class Shaping:
    """Shapes the answer of one query; `slices` are the names of sliced items by the place of their list."""

    fragments: Fragments
    slices: Mapping[Place, Sequence[str]] = field(default_factory=dict)

    def shaped(self, selections: Sequence[SelectionSetNode], data: JsonObject, place: Place = ()) -> JsonObject:
        """Returns an object of the answer as the directives below it want it.

        Raises:
            BadValue: a singleton has several values.
        """
        out: JsonObject = {}
        self.fill(out, selections, data, _Around(place))
        return out

    def fill(
        self, out: JsonObject, selections: Sequence[SelectionSetNode], data: JsonObject, around: "_Around"
    ) -> None:
        """Adds the fields of an object to `out`."""
        asked = self.asked(selections)
        for name, value in data.items():
            one = asked.get(name, Asked())
            if "flatten" in one.directives:
                self.flatten(out, name, value, one, around)
            else:
                self.put(out, name, value, one, around)

    def flatten(self, out: JsonObject, name: str, value: Any, asked: Asked, around: "_Around") -> None:
        """Adds the children of a field to `out`; below a list they become lists."""
        place = (*around.place, name)
        is_list = around.is_list or isinstance(value, list)
        for n, item in self.items(value, asked):
            if isinstance(item, dict):
                suffix = around.suffix + self.slice_of(place, n)
                self.fill(out, asked.below, item, _Around(_at(place, n), suffix, is_list))

    def put(self, out: JsonObject, name: str, value: Any, asked: Asked, around: "_Around") -> None:
        """Adds a field to `out`."""
        place = (*around.place, name)
        is_list = around.is_list or isinstance(value, list)
        for n, item in self.items(value, asked):
            shown = self.shaped(asked.below, item, _at(place, n)) if isinstance(item, dict) and asked.below else item
            called = name + around.suffix + self.slice_of(place, n)
            _add(out, called, shown, is_list=is_list, is_single="singleton" in asked.directives)
        if not value and not around.is_list:
            out.setdefault(name + around.suffix, value)

    def slice_of(self, place: Place, n: int | None) -> str:
        """Returns what is added to the name of a sliced item."""
        called = self.slices.get(place)
        return f".{called[n or 0]}" if called else ""

    def items(self, value: Any, asked: Asked) -> Iterator[tuple[int | None, Any]]:
        """Yields the items of a list with their numbers, or a value that is none."""
        if isinstance(value, list):
            yield from enumerate(value[:1] if "first" in asked.directives else value)
        elif value is not None:
            yield None, value

    def asked(self, selections: Sequence[SelectionSetNode]) -> dict[str, Asked]:
        """Returns what is asked of each name of the answer, fragments included."""
        found: dict[str, Asked] = {}
        for node in self.nodes(selections):
            name = node.alias.value if node.alias else node.name.value
            found[name] = found.get(name, Asked()).joined(node)
        return found

    def nodes(self, selections: Sequence[SelectionSetNode]) -> Iterator[FieldNode]:
        """Yields the fields of selections and of the fragments in them."""
        for selection in (one for each in selections for one in each.selections):
            if isinstance(selection, FieldNode):
                yield selection
            elif isinstance(selection, InlineFragmentNode):
                yield from self.nodes((selection.selection_set,))
            elif isinstance(selection, FragmentSpreadNode):
                yield from self.nodes((self.fragments[selection.name.value].selection_set,))


@dataclass(frozen=True, slots=True)
class _Around:
    """Where fields stand in the answer as it was, the names of the slices around them, and whether a list was flattened."""

    place: Place = ()
    suffix: str = ""
    is_list: bool = False


def _at(place: Place, n: int | None) -> Place:
    return place if n is None else (*place, n)


def _add(out: JsonObject, name: str, value: Any, *, is_list: bool, is_single: bool) -> None:
    if is_single:
        if name in out:
            raise BadValue.of("graphql.singleton", name, name=name)
        out[name] = value
    elif is_list:
        out.setdefault(name, []).append(value)
    else:
        out[name] = value
