"""Commits units of three resources until it is killed, and says which are acknowledged: `python ... PATH NAME`."""

import asyncio
import os
import sys

from fhir_server.store.contract import Store
from fhir_server.store.sqlite import open_store
from tests.support.stores import NOW, entries, key, put

MEMBERS = ("x", "y", "z")


async def write(store: Store, lane: str) -> None:
    """Commits unit after unit; a unit's resources share one key."""
    for number in range(1_000_000):
        unit = f"{lane}-{number}"
        await store.commit([put(key(f"{unit}-{member}"), entries(f"unit={unit}")) for member in MEMBERS], NOW)
        os.write(1, f"{unit}\n".encode())


async def main(path: str, name: str) -> None:
    """Runs four lanes at the same time."""
    store = open_store(path)
    await asyncio.gather(*(write(store, f"{name}{lane}") for lane in "abcd"))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
