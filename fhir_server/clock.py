"""Time and fresh ids, injected wherever they are needed so that tests can freeze them."""

import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Returns the current instant, in UTC, to the microsecond."""


class IdSource(Protocol):
    """Makes ids that nobody has used."""

    def fresh(self) -> str:
        """Returns a new id: 1 to 64 of `A-Z a-z 0-9 - .`, as FHIR wants."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Returns the current instant in UTC."""
        return datetime.now(UTC)


class RandomIds:
    """Random UUIDs, version 4."""

    def fresh(self) -> str:
        """Returns a new UUID in its 36-character form."""
        return str(uuid.uuid4())
