"""A FHIR request and its response, whoever carries them: HTTP, a batch entry, a test.

Both are made for every request; named tuples cost a third of what frozen dataclasses do.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from fhir_server.errors import Issue
from fhir_server.fhir.shapes import VersionId


class FhirRequest(NamedTuple):
    """One request. `path` holds the decoded segments below the FHIR base; `headers` have lower-case names.

    `query` keeps order and repetitions; `base` is the public base URL without a slash at its end. `body` is JSON or form
    fields; `source` is the FHIR content as the client sent it, JSON or XML, for places in it, and empty where nobody sent
    any; `findings` are what only XML can get wrong. `style` are the parameters of the query that shape the text of answers
    (`_format`, `_pretty`): links repeat them.
    """

    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    base: str = ""
    source: bytes = b""
    findings: tuple[Issue, ...] = ()
    style: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str | None:
        """Returns a header's text, or None."""
        return self.headers.get(name)


class FhirResponse(NamedTuple):
    """The answer. `body` is FHIR JSON or empty; `location` is relative to the base (`Patient/1/_history/2`).

    `content_location`, relative as well, is where the answer to come is asked for; `progress` says how far it is.
    """

    status: int
    body: bytes = b""
    version: VersionId | None = None
    updated_at: datetime | None = None
    location: str | None = None
    retry_after_s: int | None = None
    allow: str | None = None
    content_location: str | None = None
    progress: str | None = None


def etag_of(version: VersionId) -> str:
    """Returns the weak ETag of a version: `W/"3"`."""
    return f'W/"{version}"'


def version_of_etag(text: str) -> str:
    """Returns what stands inside an ETag or If-Match value; quotes and `W/` may be missing."""
    return text.strip().removeprefix("W/").strip('"')


@lru_cache(maxsize=64)
def stamp(instant: datetime) -> str:
    """Returns a UTC instant as FHIR text, to the millisecond: `2026-03-01T08:00:00.000Z`."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
