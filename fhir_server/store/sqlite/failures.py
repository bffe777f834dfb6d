"""What an error of the SQLite library means to the server, https://www.sqlite.org/rescode.html."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import apsw

from fhir_server.errors import FhirError, StoreTimeout, StoreUnavailable

_KEYS: Mapping[type[apsw.Error], str] = {
    apsw.FullError: "store.disk-full",
    apsw.BusyError: "store.locked",
    apsw.LockedError: "store.locked",
    apsw.ConnectionClosedError: "store.closed",
    apsw.CantOpenError: "store.cannot-open",
    apsw.ReadOnlyError: "store.read-only",
    apsw.PermissionsError: "store.read-only",
    apsw.CorruptError: "store.damaged",
    apsw.NotADBError: "store.not-ours",
    apsw.IOError: "store.input-output",
}


def refusal(error: apsw.Error) -> FhirError:
    """Returns the failure that the rest of the server understands."""
    if isinstance(error, apsw.InterruptError):
        return StoreTimeout.of("store.timeout")
    return StoreUnavailable.of(_KEYS.get(type(error), "store.failed"), found=type(error).__name__)


@contextmanager
def translated() -> Iterator[None]:
    """Lets no error of the library out.

    Raises:
        StoreUnavailable: the library failed, or a file beside the database could not be opened.
        StoreTimeout: the statement was stopped at its time limit.
    """
    try:
        yield
    except apsw.Error as error:
        raise refusal(error) from error
    except OSError as error:
        raise StoreUnavailable.of("store.cannot-open") from error
