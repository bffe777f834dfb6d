"""Where the index rows of one resource gather while it is extracted."""

from dataclasses import dataclass, field
from datetime import tzinfo

from fhir_server.search.rows import IndexEntries, RangeRow, TextRow


@dataclass(slots=True)
class Filing:
    """Rows found so far. `zone` reads dates without an offset; `base_url` makes absolute references local."""

    zone: tzinfo
    base_url: str = ""
    keys: set[str] = field(default_factory=set)
    ranges: list[RangeRow] = field(default_factory=list)
    texts: list[TextRow] = field(default_factory=list)

    def entries(self, sort_date: int) -> IndexEntries:
        """Returns the rows in their filed form: keys sorted, no row twice."""
        ranges, texts = tuple(dict.fromkeys(self.ranges)), tuple(dict.fromkeys(self.texts))
        return IndexEntries(tuple(sorted(self.keys)), ranges, texts, sort_date)
