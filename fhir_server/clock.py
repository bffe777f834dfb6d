"""Time and fresh ids, injected wherever they are needed so that tests can freeze them."""

import os
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


_AT_A_TIME = 256


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Returns the current instant in UTC."""
        return datetime.now(UTC)


class RandomIds:
    """Random UUIDs, version 4, https://www.rfc-editor.org/rfc/rfc9562#section-5.4; randomness is fetched for many at a time."""

    def __init__(self) -> None:
        self._random: list[str] = []

    def fresh(self) -> str:
        """Returns a new UUID in its 36-character form."""
        try:
            digits = self._random.pop()
        except IndexError:
            drawn = os.urandom(_AT_A_TIME * 16).hex()
            digits, *self._random = [drawn[at : at + 32] for at in range(0, len(drawn), 32)]
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
