"""The syntax tree of an expression, http://hl7.org/fhirpath/N1/#grammar. `at` is a 0-based character offset."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import Temporal

Value: TypeAlias = bool | int | Decimal | str | Temporal | Quantity
"""A System value: Boolean, Integer, Decimal, String, Date/DateTime/Time, Quantity."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written."""

    value: Value
    at: int


@dataclass(frozen=True, slots=True)
class Empty:
    """`{}`."""

    at: int


@dataclass(frozen=True, slots=True)
class Variable:
    """`%name`: an environment variable."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Special:
    """`$this`, `$index` or `$total`; `name` is without the dollar sign."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """`source.name`, or a name alone (source None), which starts at `$this`."""

    source: "Node | None"
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """`source.name(arguments)`, or a call alone (source None), whose input is `$this`."""

    source: "Node | None"
    name: str
    arguments: "tuple[Node, ...]"
    at: int


@dataclass(frozen=True, slots=True)
class Item:
    """`source[index]`."""

    source: "Node"
    index: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`+operand` or `-operand`."""

    operator: str
    operand: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`."""

    operator: str
    left: "Node"
    right: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class TypeTest:
    """`operand is type` or `operand as type`, and the functions is(), as(), ofType()."""

    operator: str
    operand: "Node | None"
    type: str
    at: int


Node: TypeAlias = Literal | Empty | Variable | Special | Member | Call | Item | Unary | Binary | TypeTest


def children(node: Node) -> Iterator[Node]:
    """Yields the direct sub-expressions, left to right."""
    match node:
        case Member(source=source) | TypeTest(operand=source):
            parts: tuple[Node | None, ...] = (source,)
        case Call(source=source, arguments=arguments):
            parts = (source, *arguments)
        case Item(source=left, index=right) | Binary(left=left, right=right):
            parts = (left, right)
        case Unary(operand=operand):
            parts = (operand,)
        case _:
            parts = ()
    yield from (p for p in parts if p is not None)


def source(node: Node) -> Node | None:
    """Returns what an invocation, index or type test starts from, or None where a chain begins."""
    match node:
        case Member(source=before) | Call(source=before) | Item(source=before) | TypeTest(operand=before):
            return before
    return None


def depth(node: Node) -> int:
    """Returns the number of levels of the tree, counted without recursion."""
    deepest, level = 0, [node]
    while level:
        deepest += 1
        level = [child for parent in level for child in children(parent)]
    return deepest
