"""What every source file is read into: rows of named raw values. See docs/decisions/0002-mapping-language.md, Findings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fhir_server.errors import Issue
from fhir_server.mapping.record import RowRef


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: column names and raw values side by side; `row` counts from the header = 1 (JSON: the element's number).

    A row with a `problem` could not be taken apart and has no values; a row without header, values and problem is blank.
    """

    file: str
    row: int
    line: int
    header: tuple[str, ...]
    cells: tuple[Any, ...]
    problem: Issue | None = None

    @property
    def is_blank(self) -> bool:
        """Tells whether the row holds nothing at all."""
        return self.problem is None and not any(cell not in ("", None) for cell in self.cells)

    def ref(self, cells: tuple[Any, ...]) -> RowRef:
        """Returns the row's reference, its hash taken over the given cells joined by U+001F as UTF-8."""
        joined = "\x1f".join([c if isinstance(c, str) else repr(c) for c in cells])
        return RowRef(self.file, self.row, self.line, sha256(joined.encode("utf-8", "surrogatepass")).hexdigest())


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that can be read: its name, the encoding found, the first header, its rows as often as wanted, and notes on the whole."""

    name: str
    encoding: str
    header: tuple[str, ...]
    rows: Callable[[], Iterator[SourceRow]]
    notes: tuple[Issue, ...] = ()


class FileRefused(Exception):
    """A whole file that is not imported; `issue` says why."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.text())
        self.issue = issue
