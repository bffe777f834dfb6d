"""Where the index rows of one resource gather while it is extracted."""

from dataclasses import dataclass, field
from datetime import tzinfo

from fhir_server.search.rows import IndexEntries, RangeRow, TextRow

Number = int | float


@dataclass(slots=True)
class Filing:
    """Rows found so far. `zone` reads dates without an offset; `base_url` makes absolute references local.

    `ranges` are the fields of `RangeRow`s, in the order found; a dictionary so that none is there twice.
    """

    zone: tzinfo
    base_url: str = ""
    keys: set[str] = field(default_factory=set)
    ranges: dict[tuple[str, Number, Number, str], None] = field(default_factory=dict)
    texts: list[TextRow] = field(default_factory=list)

    def entries(self, sort_date: int) -> IndexEntries:
        """Returns the rows in their filed form: keys sorted, no row twice."""
        ranges = tuple([RangeRow(*row) for row in self.ranges])
        return IndexEntries(tuple(sorted(self.keys)), ranges, tuple(dict.fromkeys(self.texts)), sort_date)
