"""What the transpiler knows about a sub-expression: its Python text, its types, its cardinality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fhir_server.fhir.type_model import Property
from fhir_server.fhirpath.nodes import DATES, QUANTITIES
from fhir_server.fhirpath.transpiler.days import Move

TEXT, TRUTH, NUMBER, MOMENT, CLOCK, QUANTITY, OBJECT, UNKNOWN = (
    "text",
    "truth",
    "number",
    "moment",
    "clock",
    "quantity",
    "object",
    "unknown",
)

_FAMILIES = {
    **dict.fromkeys(("integer", "positiveInt", "unsignedInt", "decimal", "System.Integer", "System.Decimal"), NUMBER),
    **dict.fromkeys((*DATES, "System.Date", "System.DateTime"), MOMENT),
    **dict.fromkeys((*QUANTITIES, "System.Quantity"), QUANTITY),
    **dict.fromkeys(
        ("string", "code", "id", "uri", "url", "canonical", "oid", "uuid", "markdown", "base64Binary", "xhtml"), TEXT
    ),
    "System.String": TEXT,
    "boolean": TRUTH,
    "System.Boolean": TRUTH,
    "time": CLOCK,
    "System.Time": CLOCK,
    "": UNKNOWN,
}
TODAY = "today_in(now)"
"""Python for the day of now()."""
ABSTRACT = ("Resource", "DomainResource")
"""Declared types whose values tell their own type."""


class Unsupported(Exception):
    """The expression, or this part of it, is for the evaluator."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The step that a value came from: the parent's code, and the JSON keys that were looked at."""

    parent: "Code"
    keys: tuple[tuple[str, Property], ...]


class Weights(NamedTuple):
    """The digits of a text, by 0-based place, each times a number: what is added up in a check sum."""

    text: str
    by_place: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Whole:
    """Python for a whole number between bounds that are known; it raises TypeError or is None where it is empty.

    `ordinary` is the code that is right for every value. `weights` say a sum of digits.
    """

    text: str
    low: int
    high: int
    ordinary: str
    weights: Weights | None = None


class Day(NamedTuple):
    """Python for a date as text or day, its FHIR type, and the moves from there: what an order of dates needs to know."""

    text: str
    type: str
    steps: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled sub-expression.

    `text` is Python. `many`: it gives a list or tuple of values, where None stands for a primitive without a value;
    otherwise one value or None. `sure`: one value that is never None. `types` are the possible types; none: it is always
    empty. `truth` are the tests whether it is true and whether it is false, for a three-valued boolean. `constants` are
    the values of a literal or a union of literals. `whole` says a whole number more plainly than `text` does, `day` a date.
    """

    text: str
    types: tuple[str, ...]
    many: bool = False
    sure: bool = False
    origin: Origin | None = None
    truth: tuple[str, str] | None = None
    constants: tuple[Any, ...] | None = None
    whole: Whole | None = None
    day: Day | None = None


NOTHING = Code("None", ())


def family_of(types: Sequence[str]) -> str | None:
    """Returns the one family of values that all these types belong to, or None."""
    families = {_FAMILIES.get(t, OBJECT) for t in types}
    return families.pop() if len(families) == 1 else None


def is_primitive(code: Code) -> bool:
    """Tells whether the values are FHIR primitives, which may have an id or extensions instead of a value."""
    families = {_FAMILIES.get(t, OBJECT) for t in code.types}
    return not families <= {OBJECT, QUANTITY, UNKNOWN} and not all(t.startswith("System.") for t in code.types)


def boolean(yes: str, no: str | None = None) -> Code:
    """Builds the code of a truth from its test for true and, when it can be empty, its test for false."""
    if no is None:
        return Code(f"(True if {yes} else False)", ("System.Boolean",), sure=True, truth=(yes, f"(not {yes})"))
    return Code(f"(True if {yes} else False if {no} else None)", ("System.Boolean",), truth=(yes, no))


def three_valued(text: str) -> Code:
    """Builds the code of a truth from Python that gives True, False or None."""
    return Code(text, ("System.Boolean",), truth=(f"({text} is True)", f"({text} is False)"))
