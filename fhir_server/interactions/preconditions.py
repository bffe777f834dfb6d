"""Preconditions of writes and reads, and what a read's If-None-Match knows, https://www.rfc-editor.org/rfc/rfc9110#section-13.1."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from fhir_server.errors import PreconditionFailed
from fhir_server.fhir.shapes import VersionId
from fhir_server.interactions.messages import FhirRequest, version_of_etag
from fhir_server.store.contract import Key, StoredVersion


class Expected(NamedTuple):
    """The state in which a client has seen a resource: one of these ETags, or else not changed after an instant."""

    tags: str | None
    unmodified_since: datetime | None


def expected_of(request: FhirRequest) -> Expected | None:
    """Returns what If-Match says or, without one, If-Unmodified-Since; None where neither says anything."""
    tags = request.header("if-match")
    since = request.header("if-unmodified-since") if tags is None else None
    instant = http_date(since) if since else None
    return None if tags is None and instant is None else Expected(tags, instant)


def http_date(text: str) -> datetime | None:
    """Returns the instant of an HTTP date; what is none must be passed over (RFC 9110, 13.1.3)."""
    try:
        read = parsedate_to_datetime(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def is_named(tags: str, version: VersionId) -> bool:
    """Tells whether a list of ETags (`W/"2", "3"`) names a version; `*` names any. Weak and strong ones count alike."""
    return any(tag.strip() == "*" or version_of_etag(tag) == str(version) for tag in tags.split(","))


def check_expected(key: Key, wanted: Expected | None, current: StoredVersion | None) -> None:
    """Accepts a resource in the state that the client expects, or any where it expects nothing.

    Raises:
        PreconditionFailed: it has another version or was changed later, or If-Match names something that does not exist.
    """
    if wanted is None:
        return
    is_there = current is not None and current.body is not None
    if wanted.tags is not None and (current is None or not is_there):
        raise PreconditionFailed.of("rest.version-missing", wanted=wanted.tags, key=str(key))
    if current is not None and is_there:
        _check_state(wanted, current)


def _check_state(wanted: Expected, current: StoredVersion) -> None:
    told = {"current": current.version, "key": str(current.key)}
    if wanted.tags is not None and not is_named(wanted.tags, current.version):
        raise PreconditionFailed.of("rest.version-conflict", wanted=wanted.tags, **told)
    since = wanted.unmodified_since
    if since is not None and current.updated_at.replace(microsecond=0) > since:
        raise PreconditionFailed.of("rest.changed-since", since=since.isoformat(), **told)


def check_if_none_match(request: FhirRequest, current: StoredVersion | None) -> None:
    """Accepts an update whose If-None-Match does not name what is there; `*` lets it create only.

    Raises:
        PreconditionFailed: it names the current version.
    """
    tags = request.header("if-none-match")
    if tags is None or current is None or current.body is None:
        return
    if is_named(tags, current.version):
        raise PreconditionFailed.of("rest.version-present", tags=tags, current=current.version, key=str(current.key))
