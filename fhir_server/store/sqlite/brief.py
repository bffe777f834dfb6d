"""Work that ends after a number of steps, about the same for the same data however busy the machine is.

https://www.sqlite.org/c3ref/progress_handler.html
"""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

STEPS_A_LOOK = 1_000
"""SQLite instructions, about 20 us, between two looks at how many there were."""


class TookLong(Exception):
    """The steps are spent."""


@contextmanager
def within(connection: apsw.Connection, looks: int) -> Iterator[None]:
    """Ends what the connection does inside the context after so many looks.

    Raises:
        TookLong: it was ended.
    """
    left = looks

    def is_spent() -> bool:
        nonlocal left
        left -= 1
        return left <= 0

    connection.set_progress_handler(is_spent, STEPS_A_LOOK, id=is_spent)
    try:
        yield
    except apsw.InterruptError:
        if left > 0:
            raise
        raise TookLong from None
    finally:
        connection.set_progress_handler(None, id=is_spent)
