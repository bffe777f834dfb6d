"""Rows of the tables as the versions that the rest of the server knows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fhir_server.fhir.shapes import ResourceType
from fhir_server.store.contract import Key, StoredVersion

COLUMNS = "id, v, lu, method, body, c"
"""What `stored_version` reads, in `res` and in `hist` alike."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    """Returns the microseconds since 1970-01-01T00:00:00Z.

    Raises:
        ValueError: the instant has no offset.
    """
    if instant.tzinfo is None:
        msg = f"an instant needs an offset: {instant.isoformat()}"
        raise ValueError(msg)
    return (instant - _EPOCH) // _MICROSECOND


def instant_at(count: int) -> datetime:
    """Returns the instant, in UTC, that is so many microseconds after 1970-01-01T00:00:00Z."""
    return _EPOCH + timedelta(microseconds=count)


def stored_version(type_: ResourceType, row: Any) -> StoredVersion:
    """Builds a version from a row of `COLUMNS`."""
    id_, version, updated, method, body, commit = row
    return StoredVersion(Key(type_, id_), version, instant_at(updated), method, body, commit)
