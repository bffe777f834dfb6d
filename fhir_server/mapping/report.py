"""The report of a mapping run, JSON-able: files, findings, unused columns. See docs/decisions/0002-mapping-language.md, Findings."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from fhir_server.errors import Issue
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.findings import Finding, finding_of
from fhir_server.mapping.record import RowRef


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file's rows: read = mapped + rejected; blank rows are no rows, and unchanged ones are mapped.

    `unchanged` repeat an earlier record of the run word for word. A refused file has read nothing.
    """

    file: str
    encoding: str
    is_refused: bool
    read: int
    mapped: int
    rejected: int
    blank: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class UnusedColumn:
    """A column that no table names, or that is not to be read, and how many of its cells held something."""

    file: str
    column: str
    values: int


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run."""

    form: str
    dialect: str
    source: str
    files: tuple[FileReport, ...]
    issues: tuple[Finding, ...]
    unused_columns: tuple[UnusedColumn, ...]
    dropped_columns: tuple[UnusedColumn, ...]
    unused_fields: dict[str, int]

    @property
    def read(self) -> int:
        """Rows read of all files."""
        return sum(f.read for f in self.files)

    @property
    def mapped(self) -> int:
        """Rows that became part of a bundle."""
        return sum(f.mapped for f in self.files)

    @property
    def rejected(self) -> int:
        """Rows that did not; every one has a finding."""
        return sum(f.rejected for f in self.files)

    def as_json(self) -> JsonObject:
        """Returns the report as a JSON object, totals first."""
        return {"read": self.read, "mapped": self.mapped, "rejected": self.rejected} | asdict(self)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts rows while a run goes on."""

    encodings: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def count(self, what: str, rows: Iterable[RowRef]) -> None:
        """Counts rows as `mapped`, `rejected`, `blank` or `unchanged`; mapped and rejected ones are read ones too."""
        for row in rows:
            self.counts[row.file, what] += 1
            self.counts[row.file, "read"] += what in {"mapped", "rejected"}

    def tell(self, issues: Iterable[Issue]) -> None:
        """Keeps findings for the report."""
        self.findings.extend(finding_of(i) for i in issues)

    def files(self) -> tuple[FileReport, ...]:
        """Returns the files in the order in which they were given."""
        return tuple(self._file(name) for name in self.encodings)

    def _file(self, name: str) -> FileReport:
        read, mapped, rejected, blank, unchanged = (
            self.counts[name, what] for what in ("read", "mapped", "rejected", "blank", "unchanged")
        )
        is_refused = name in self.refused
        return FileReport(name, self.encodings[name], is_refused, read, mapped, rejected, blank, unchanged)
