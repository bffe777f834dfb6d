"""Sort keys that lead to other resources (`_sort=patient.birthdate`), https://hl7.org/fhir/R4/search.html#_sort.

A page of an earlier moment is in the order that there was then, so what has changed since is looked up in history.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Iterator, Sequence
from dataclasses import replace

import apsw
import msgspec

from fhir_server.search.match import Indexed, SortValue, sort_value
from fhir_server.search.query import Hop, SortKey
from fhir_server.store.sqlite.clauses import Place
from fhir_server.store.sqlite.fragments import listed
from fhir_server.store.sqlite.moment import Then, earlier_versions
from fhir_server.store.sqlite.read import find_code
from fhir_server.store.sqlite.sorting import Way, Ways, sort_values


def ways_of(connection: apsw.Connection, keys: Sequence[SortKey], then: Then | None) -> Ways:
    """Returns the ways of every key that has hops, as they are or as they were.

    Raises:
        Gone: too much of what they lead to has changed since then.
    """
    return {key: tuple(_ways(connection, key, then)) for key in keys if key.through}


def _ways(connection: apsw.Connection, key: SortKey, then: Then | None) -> Iterator[Way]:
    for hop in key.through:
        code = find_code(connection, hop.type)
        if code is not None:
            yield _way(connection, key, hop, code, then)


def _way(connection: apsw.Connection, key: SortKey, hop: Hop, code: int, then: Then | None) -> Way:
    start = f"{hop.param}={hop.type}/"
    if then is None:
        return Way(start, code)
    own = replace(key, through=())
    changed = {one.of.id: sort_value(own, one.of) for one in earlier_versions(connection, hop.type, code, then)}
    return Way(start, code, then.moment, msgspec.json.encode(changed).decode())


def past_values(connection: apsw.Connection, keys: Sequence[SortKey], of: Indexed, ways: Ways) -> tuple[SortValue, ...]:
    """Returns the sort values of a version that is no row of a table any more."""
    return tuple(_there(connection, key, of, ways) if key.through else sort_value(key, of) for key in keys)


def _there(connection: apsw.Connection, key: SortKey, of: Indexed, ways: Ways) -> SortValue:
    value = listed(sort_values((key,), Place(0, "", ""), ways), ", ")
    filed = msgspec.json.encode(of.entries.keys).decode()
    found: SortValue = connection.execute(f"SELECT {value.text} FROM (SELECT ? AS keys) r", (*value.args, filed)).get
    return found
