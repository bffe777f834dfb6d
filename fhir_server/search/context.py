"""What reading a search needs to know besides the query itself, https://hl7.org/fhir/R4/search.html."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from fhir_server.definitions.registry import Definitions
from fhir_server.terminology import LocalTerminology


@dataclass(frozen=True, slots=True)
class SearchContext:
    """The surroundings of one search request.

    `zone` reads dates without an offset; `now` is what `ap` measures dates from; `base_url` is this server's own, so
    that absolute references to it are local. `lenient` is `Prefer: handling=lenient`. Counts are entries a page.
    `terminology` answers `:in`, `:above` and `:below`; without it one is made of the definitions where it is needed.
    """

    definitions: Definitions
    zone: tzinfo
    now: datetime
    base_url: str = ""
    default_count: int = 20
    max_count: int = 1000
    lenient: bool = False
    terminology: LocalTerminology | None = None
