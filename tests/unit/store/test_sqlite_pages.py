"""Pages of the file: larger in new stores, as they were in older ones."""

import asyncio

import apsw

from fhir_server.store.sqlite.open import open_store
from fhir_server.store.sqlite.schema import PAGE_BYTES
from tests.support.stores import NOW, key, put


async def written(path: str, *ids: str) -> None:
    store = open_store(path)
    await store.commit([put(key(id_)) for id_ in ids], NOW)
    await store.close()


def page_bytes(path: str) -> int:
    connection = apsw.Connection(path)
    try:
        return int(connection.pragma("page_size"))
    finally:
        connection.close()


def test_a_new_store_has_pages_that_hold_several_resources(tmp_path):
    path = str(tmp_path / "s.db")
    asyncio.run(written(path, "a"))
    assert page_bytes(path) == PAGE_BYTES


def test_a_store_with_other_pages_keeps_them(tmp_path):
    path = str(tmp_path / "s.db")
    made = apsw.Connection(path)
    made.pragma("page_size", 4096)
    made.execute("CREATE TABLE t (a); DROP TABLE t")
    made.close()
    asyncio.run(written(path, "a", "b"))
    asyncio.run(written(path, "c"))
    assert page_bytes(path) == 4096
