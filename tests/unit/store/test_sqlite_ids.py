"""What is looked up by id costs as much in a store of many as in one of few."""

from dataclasses import replace

import apsw
import pytest

from fhir_server.search.query import IdIs, Query
from fhir_server.store.sqlite import open_store
from tests.support.stores import NOW, TYPE, delete, key, put

pytestmark = pytest.mark.anyio
MANY = 3_000


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def store(tmp_path):
    opened = open_store(str(tmp_path / "store.db"), durable=False)
    await opened.commit([put(key(f"r{n}")) for n in range(MANY)], NOW)
    yield opened
    await opened.close()


class Steps:
    """Counts the instructions, by the hundred, that a connection runs."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.hundreds = 0
        connection.set_progress_handler(self._count, 100, id=self)

    def _count(self) -> bool:
        self.hundreds += 1
        return False


async def test_resources_are_found_by_their_ids_without_a_look_at_the_others(store):
    async with store.snapshot() as snapshot:
        await snapshot.search(Query(TYPE, (IdIs(("r0",)),)))  # the number of the type is known from now on
        steps = Steps(snapshot._reader.connection)
        page = await snapshot.search(Query(TYPE, (IdIs(("r5", "r2999", "none")),), with_total=True))
        assert (sorted(one.key.id for one in page.matches), page.total) == (["r2999", "r5"], 2)
        assert len(await snapshot.read_many([key("r7"), key("r2000")])) == 2
        assert steps.hundreds < MANY // 100


@pytest.mark.parametrize("write", ["a reference", "a deletion"])
async def test_a_write_looks_up_what_it_names_alone(store, write):
    referring = replace(put(key("new")), needs=frozenset({key("r9")}))
    steps = Steps(store._writer._connection)
    await store.commit([referring if write == "a reference" else delete(key("r9"), 1)], NOW)
    assert steps.hundreds < MANY // 100
