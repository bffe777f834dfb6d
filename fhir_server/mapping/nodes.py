"""What templates are compiled to, and the Python source of objects and arrays of it. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_server.mapping.script import Script

Write = Callable[[Script], str]
"""Writes the lines that work out a value, and returns its atom; the atom is None where the value is empty."""


@dataclass(frozen=True, slots=True)
class Node:
    """A compiled template: `write` gives its value or None (empty); `fields` are all record fields that it reads.

    One that is not dynamic is its `constant`. `children` are the members of an object; `items` are alternatives at the
    same place (array items, branches). `is_sure` values are never empty, `is_list` ones may be lists, which an array
    takes apart; `is_of_line` ones read the current line. `key` is what the template says, empty for a line's.
    """

    write: Write
    fields: frozenset[str] = frozenset()
    is_dynamic: bool = True
    constant: Any = None
    children: Mapping[str, "Node"] | None = None
    items: tuple["Node", ...] = ()
    is_sure: bool = False
    is_list: bool = False
    is_of_line: bool = False
    key: str = ""

    def atom(self, script: Script) -> str:
        """Returns the atom of the value, which is written where it is not known yet."""
        return script.shared(self.key, self.write)


def any_there(atoms: Iterable[str]) -> str:
    """Returns Python that is true when any of the atoms is not empty."""
    return " or ".join(f"{atom} is not None" for atom in atoms)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object that is being written, and the atom of its value."""

    key: str
    node: Node
    atom: str


def write_object(
    script: Script, name: str, members: Sequence[Member], *, head: str = "", dynamic: Sequence[Member] = ()
) -> None:
    """Writes the variable `name` as the object of the members, or None when all `dynamic` members are empty.

    `head` is what stands before the members, as the source of dictionary items. Without `dynamic`, or where one of
    them is sure, the object is always there.
    """
    if not dynamic or any(m.node.is_sure for m in dynamic):
        _write_filled(script, name, members, head)
    elif len(dynamic) == 1 and all(m.node.is_sure for m in members if m is not dynamic[0]):
        script.line(f"{name} = None if {dynamic[0].atom} is None else {{{head}{_items(members)}}}")
    else:
        script.line(f"{name} = None")
        with script.block(f"if {any_there(m.atom for m in dynamic)}:"):
            _write_filled(script, name, members, head)


def _write_filled(script: Script, name: str, members: Sequence[Member], head: str) -> None:
    first = next((n for n, m in enumerate(members) if not m.node.is_sure), len(members))
    script.line(f"{name} = {{{head}{_items(members[:first])}}}")
    for member in members[first:]:
        put = f"{name}[{member.key!r}] = {member.atom}"
        if member.node.is_dynamic:
            script.line(put if member.node.is_sure else f"if {member.atom} is not None: {put}")
        elif member.node.is_sure:
            script.line(put)


def _items(members: Iterable[Member]) -> str:
    return "".join(f"{m.key!r}: {m.atom}, " for m in members)


def written_array(script: Script, nodes: Sequence[Node], atoms: Sequence[str]) -> str:
    """Writes an array of the nodes' values, lists among them taken apart, and returns its atom.

    It is None when its dynamic items are all empty. Nodes that are always empty are left out before.
    """
    if not any(node.is_list for node in nodes):
        if len(nodes) == 1:
            return script.set(f"[{atoms[0]}]" if nodes[0].is_sure else f"None if {atoms[0]} is None else [{atoms[0]}]")
        if all(node.is_dynamic for node in nodes):
            return script.set(f"[x for x in ({', '.join(atoms)}) if x is not None] or None")
    name = script.set("[]")
    for node, atom in zip(nodes, atoms, strict=True):
        put = f"{name}.append({atom})"
        if node.is_list:
            put = f"{name}.extend({atom} if type({atom}) is list else ({atom},))"
        script.line(put if node.is_sure else f"if {atom} is not None: {put}")
    there = any_there(a for n, a in zip(nodes, atoms, strict=True) if n.is_dynamic)
    script.line(f"if not {name} or not ({there}): {name} = None")
    return name
