"""The neutral form record that every dialect is read into, and where each of its values came from."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fhir_server.fhir.shapes import JsonObject

_NUMBER = re.compile(r"\[\d+\]")


def without_number(place: str) -> str:
    """Returns a place without its line number: `drugs[1].name` is `drugs.name`."""
    return _NUMBER.sub("", place) if "[" in place else place


class Code(NamedTuple):
    """A coded value: the form's option code (None: the source's code has no counterpart), and what the source wrote.

    `text` is the sentence for people: the words of a free-text option, the source's display, or the option's own.
    """

    code: str | None
    source: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Unverified:
    """An identifier that failed its check; it is kept, and never put under the national system."""

    value: str


@dataclass(frozen=True, slots=True)
class RowRef:
    """One source row: file name, row as a spreadsheet counts (header = 1), physical line, SHA-256 of its raw values."""

    file: str
    row: int
    line: int
    sha256: str


class Origin(NamedTuple):
    """Where in its row one value came from: the column's name as the file spells it, and the raw text."""

    column: str
    raw: str


@dataclass(frozen=True, slots=True)
class FormRecord:
    """One record of a form.

    `values` maps a field to str, int, Decimal, bool, `Code`, `Unverified`, a list of these, or lists of such objects for
    groups. `origins` maps a field's place (`sbp`, `drugs[1].name`, counted from 1) to where it came from, `joined` those
    places to their rows that came from another row than the first. `feeds` maps a place, its line number left out or
    not, to the columns that could have filled it.
    """

    values: JsonObject
    rows: tuple[RowRef, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    feeds: Mapping[str, str] = field(default_factory=dict)
    joined: Mapping[str, RowRef] = field(default_factory=dict)

    def origin(self, place: str) -> Origin | None:
        """Returns where a value came from; a value of a list (`areas[2]`) comes from where the list does. None: nowhere."""
        return self.origins.get(place) or self.origins.get(place.rpartition("[")[0] if place.endswith("]") else place)

    def column_of(self, place: str) -> str:
        """Returns the columns that could fill a place, as the file or else the dialect spells them; "" when none could."""
        return self.feeds.get(place) or self.feeds.get(without_number(place), "")

    def row_of(self, place: str) -> RowRef:
        """Returns the row that a place belongs to: a filled one's own, of a group's line its row, else the first; or no row."""
        first = next(iter(self.rows), RowRef("", 0, 0, ""))
        line = place.rpartition(".")[0]
        whole = place.rpartition("[")[0] if place.endswith("]") else place
        filled = next((p for p in (place, whole) if p in self.origins), None)
        filled = filled or next((p for p in self.origins if line and p.startswith(f"{line}.")), place)
        return self.joined.get(filled, first)


def plain(value: Any) -> Any:
    """Returns a value of a record as JSON: a code as its option code, or as the source wrote it when it has none."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, Code):
        return value.source if value.code is None else value.code
    if isinstance(value, Unverified):
        return value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def key_text(value: Any) -> str:
    """Returns a value as a part of a key, empty when there is none."""
    if type(value) is str:
        return value
    return "" if value is None else str(plain(value))


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (place, value) for everything below `value` that is neither an object nor an array."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from leaves(item, f"{place}[{number}]")
    else:
        yield place, value
