"""What the statements of a search do, as SQLite itself tells it, https://www.sqlite.org/eqp.html.

Statements carry no values, so nothing of anybody's data is told.
"""

from collections.abc import Callable
from typing import Any

import apsw

from fhir_server.store.contract import Step

NANOSECONDS = 1000


def explained(connection: apsw.Connection, run: Callable[[], object]) -> tuple[Step, ...]:
    """Runs something and returns the statements that it made, in the order in which they ended."""
    seen: list[tuple[str, int]] = []

    def note(event: dict[str, Any]) -> None:
        seen.append((event["sql"], event["nanoseconds"] // NANOSECONDS))

    connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
    try:
        run()
    finally:
        connection.trace_v2(0)
    return tuple(Step(text, _plan(connection, text), spent) for text, spent in seen)


def _plan(connection: apsw.Connection, text: str) -> tuple[str, ...]:
    """Returns the lines of the plan, indented by their depth."""
    depth: dict[int, int] = {0: -1}
    lines = []
    unbound = (None,) * text.count("?")
    for id_, parent, _, detail in connection.execute(f"EXPLAIN QUERY PLAN {text}", unbound):
        depth[id_] = depth.get(parent, -1) + 1
        lines.append("  " * depth[id_] + str(detail))
    return tuple(lines)
