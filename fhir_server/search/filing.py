"""Where the index rows of one resource gather while it is extracted."""

from dataclasses import dataclass, field
from datetime import tzinfo

from fhir_server.search.rows import IndexEntries, RangeRow, TextRow

Number = int | float


@dataclass(slots=True)
class Filing:
    """Rows found so far. `zone` reads dates without an offset; `base_url` makes absolute references local.

    `ranges` and `texts` are in the order found; dictionaries so that none is there twice. `referred` are the values of
    those keys that reference parameters have filed, as far as that was plain to see.
    """

    zone: tzinfo
    base_url: str = ""
    keys: set[str] = field(default_factory=set)
    ranges: dict[RangeRow, None] = field(default_factory=dict)
    texts: dict[TextRow, None] = field(default_factory=dict)
    referred: set[str] = field(default_factory=set)

    def entries(self, sort_date: int) -> IndexEntries:
        """Returns the rows in their filed form: keys sorted, no row twice."""
        return IndexEntries(tuple(sorted(self.keys)), tuple(self.ranges), tuple(self.texts), sort_date)
