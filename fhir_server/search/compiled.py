"""One Python function for each property of a type, which files all that parameters find below it.

Walking an element once for all parameters, without a call for each, takes half the time.
https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, NamedTuple

from fhir_server.search.filing import Filing
from fhir_server.search.implied import NONE_IMPLIED, ImpliedSystems
from fhir_server.search.kinds.typed import CONSTANTS, RUNTIME, Rows, find_source
from fhir_server.search.paths import Path, Step
from fhir_server.search.rows import SEPARATOR

FileProperty = Callable[[Any, Filing], None]
"""Files what is found below a property of a resource, given its value."""


class Filer(NamedTuple):
    """What files the values of one parameter: `rows`, for codes the systems that they imply, or source made for its type.

    `source` has the marks of `kinds/typed.py`, and further names.
    """

    code: str
    rows: Rows
    systems: ImpliedSystems = NONE_IMPLIED
    source: str | None = None
    names: tuple[tuple[str, Any], ...] = ()


@dataclass(slots=True)
class Place:
    """An element that parameters look at: what files it, by its type, and the elements below it."""

    filers: list[tuple[Filer, str]] = field(default_factory=list)
    below: dict[Step, "Place"] = field(default_factory=dict)

    def add(self, path: Path, filers: tuple[Filer, ...]) -> None:
        """Adds what files the values at the end of a path from here."""
        place = self
        for step in path:
            place = place.below.setdefault(step, Place())
        place.filers += [(filer, path[-1].type) for filer in filers]


def compiled(step: Step, place: Place) -> FileProperty:
    """Returns the function that files a property, given its value.

    It raises one of `fhirpath.MALFORMED` on a value of another shape than R4's.
    """
    names: dict[str, Any] = dict(RUNTIME)
    body = indent("".join(_walked(step, place, "value", 1, names)), "    ")
    source = f"def file(value, filing):\n    keys, ranges = filing.keys, filing.ranges\n{body}"
    exec(compile(source, f"<search {step.key}>", "exec"), names)  # noqa: S102 - all names and texts in it are this room's own or went through repr()
    made: FileProperty = names["file"]
    return made


def _walked(step: Step, place: Place, found: str, depth: int, names: dict[str, Any]) -> Iterator[str]:
    """Yields the source that goes through the values of one step; `found` is what stands at its key."""
    value = f"v{depth}"
    yield f"for {value} in {found} or ():\n" if step.is_array else f"{value} = {found}\n"
    inner = "".join(_filed(place, value, depth, names))
    if step.is_array and not step.type[0].islower():
        yield indent(inner, "    ")
    else:
        checked = f"if {value} is not None:\n{indent(inner, '    ')}"
        yield indent(checked, "    ") if step.is_array else checked


def _filed(place: Place, value: str, depth: int, names: dict[str, Any]) -> Iterator[str]:
    for filer, type_ in place.filers:
        yield _source(filer, type_, value, names)
    for step, below in place.below.items():
        yield from _walked(step, below, f"{value}.get({step.key!r})", depth + 1, names)


def _source(filer: Filer, type_: str, value: str, names: dict[str, Any]) -> str:
    """Returns the source that files one value; its constants are added to `names`."""
    own: dict[str, Any] = {mark: text(filer.code) for mark, text in CONSTANTS.items()}
    if filer.systems != NONE_IMPLIED and type_ == "code":
        source, own = _of_codes(filer.systems), {**own, "SYSTEM_OF": filer.systems.of}
        own["ENDING"] = SEPARATOR + filer.systems.otherwise
    else:
        source = filer.source or find_source(filer.rows, type_) or f"FILE(PARAM, VALUE, {type_!r}, filing)\n"
        own |= {"FILE": filer.rows, **dict(filer.names)}
    for mark, constant in own.items():
        if mark in source:
            name = f"K{len(names)}"
            names[name] = constant
            source = source.replace(mark, name)
    return source.replace("VALUE", value)


def _of_codes(systems: ImpliedSystems) -> str:
    if systems.by_code:
        return "keys.add(NAMED + VALUE.lower() + SEPARATOR + SYSTEM_OF(VALUE))\n"
    return "keys.add(NAMED + VALUE.lower() + ENDING)\n"
