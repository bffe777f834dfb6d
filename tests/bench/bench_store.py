"""Question: how fast is the embedded store on one file with about 13 index rows a resource?

Bar, on two cores and a disk whose fsync takes 0.2 ms: 50,000 point reads/s, 5,000 sorted pages of 20/s, 1,000 durable
commits of one resource/s, 8,000 resources/s in bulk.

    python tests/bench/bench_store.py [resources] [folder]
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.search.query import KeyIs, Query, RangeOp, RangeTest, SortBy, SortKey, TextContains
from fhir_server.search.rows import IndexEntries, RangeRow, TextRow
from fhir_server.store.contract import Key, Put
from fhir_server.store.sqlite import SqliteStore, open_store

NOW = datetime(2024, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
OBSERVATION = ResourceType("Observation")
FILLER = "x" * 1500
RECENT = (SortKey(SortBy.CLINICAL, descending=True),)
UPDATED = (SortKey(SortBy.UPDATED, descending=True),)


def observation(number: int, rng: random.Random, people: int) -> Put:
    """Returns an observation of 1.7 KB with 9 keys, 3 ranges and 1 text."""
    person, code, day = rng.randrange(people), rng.randrange(50), rng.randrange(1500) * DAY
    keys = (
        f"subject=Patient/p{person}", f"code=c{code}\x1fhttp://loinc.org", "status=final",
        f"category=k{code % 5}\x1fhttp://hl7.org/c", f"encounter=Encounter/e{number // 7}", f"performer=Practitioner/d{code}",
        f"identifier={number}\x1furn:visit", "_source=urn:source:county", "_profile=http://jtys.example/bp",
    )  # fmt: skip
    value = rng.random() * 200
    ranges = (
        RangeRow("date", day, day + DAY),
        RangeRow("value-quantity", value, value + 1e-9, "mm[Hg]\x1fucum"),
        RangeRow("component-value-quantity", value, value + 1e-9, "mm[Hg]\x1fucum"),
    )
    text = (TextRow("note", rng.choice("王李张刘陈杨黄") + rng.choice("小大明伟芳") + str(code), "x"),)
    id_ = ResourceId(f"{rng.getrandbits(64):016x}-{number}")
    body = (
        f'{{"resourceType":"Observation","id":"{id_}","note":"{FILLER}","valueQuantity":{{"value":{value}}}}}'.encode()
    )
    return Put(Key(OBSERVATION, id_), body, IndexEntries(tuple(sorted(keys)), ranges, text, day), None, "POST")


def report(name: str, count: int, seconds: float) -> None:
    """Prints one line: name, rate, time of one."""
    print(f"{name:<44} {count / seconds:>10,.0f}/s {seconds / count * 1e6:>10,.1f} us")


async def timed(name: str, work: Callable[[int], Awaitable[object]], count: int) -> None:
    """Runs `work` so many times, one after the other, and reports."""
    start = time.perf_counter()
    for number in range(count):
        await work(number)
    report(name, count, time.perf_counter() - start)


def stretches(puts: list[Put], size: int) -> Iterator[list[Put]]:
    """Yields the writes in commits of `size`."""
    return (puts[start : start + size] for start in range(0, len(puts), size))


async def bulk(path: str, puts: list[Put]) -> None:
    """Loads everything in commits of 1,000."""
    store = open_store(path, bulk=True)
    start = time.perf_counter()
    for number, stretch in enumerate(stretches(puts, 1000)):
        await store.commit(stretch, NOW + timedelta(seconds=number))
    report("bulk load, 1,000 a commit", len(puts), time.perf_counter() - start)
    await store.close()


async def reads(store: SqliteStore, puts: list[Put], people: int) -> None:
    """Measures reads, each in a snapshot of its own as a request has."""
    rng = random.Random(5)

    def searching(query: Callable[[], Query]) -> Callable[[int], Awaitable[object]]:
        async def search(_: int) -> object:
            async with store.snapshot() as snapshot:
                return await snapshot.search(query())

        return search

    async def point(_: int) -> None:
        async with store.snapshot() as snapshot:
            await snapshot.read(rng.choice(puts).key)

    async with store.snapshot() as snapshot:
        await timed("point read, one snapshot", lambda _: snapshot.read(rng.choice(puts).key), 20_000)
    await timed("point read, a snapshot each", point, 20_000)
    code = lambda: KeyIs("code", f"c{rng.randrange(50)}\x1fhttp://loinc.org")  # noqa: E731
    subject = lambda: KeyIs("subject", f"Patient/p{rng.randrange(people)}")  # noqa: E731
    since = RangeTest("date", RangeOp.GE, 700 * DAY, 701 * DAY)
    queries: dict[str, Callable[[], Query]] = {
        "identifier": lambda: Query(OBSERVATION, (KeyIs("identifier", f"{rng.randrange(len(puts))}\x1furn:visit"),)),
        "subject, newest first": lambda: Query(OBSERVATION, (subject(),), RECENT),
        "subject, code and date, newest first": lambda: Query(OBSERVATION, (subject(), code(), since), RECENT),
        "code, newest 20": lambda: Query(OBSERVATION, (code(),), RECENT),
        "code, last updated 20": lambda: Query(OBSERVATION, (code(),), UPDATED),
        "status, last updated 20": lambda: Query(OBSERVATION, (KeyIs("status", "final"),), UPDATED),
        "date, newest 20": lambda: Query(OBSERVATION, (since,), RECENT),
    }
    for name, query in queries.items():
        await timed(name, searching(query), 2000)
    slow: dict[str, Callable[[], Query]] = {
        "count of code": lambda: Query(OBSERVATION, (code(),), count=0, with_total=True),
        "count of code and status": lambda: Query(
            OBSERVATION, (code(), KeyIs("status", "final")), count=0, with_total=True
        ),
        "text contains, one in 35": lambda: Query(OBSERVATION, (TextContains("note", "王小"),), UPDATED),
        "text contains, nowhere": lambda: Query(OBSERVATION, (TextContains("note", "赵小"),), UPDATED),
        "sorted by value, 20 of all": lambda: Query(OBSERVATION, (), (SortKey(SortBy.RANGE, "value-quantity"),)),
        "sorted by code, 20 of all": lambda: Query(OBSERVATION, (), (SortKey(SortBy.KEY, "code"),)),
    }
    for name, query in slow.items():
        await timed(name, searching(query), 5)


async def writes(store: SqliteStore, puts: list[Put]) -> None:
    """Measures durable commits: alone, at the same time, and updates that change one key."""
    await timed("durable commit, one after the other", lambda n: store.commit([puts[n]], NOW), 2000)
    rest = puts[2000:]
    start = time.perf_counter()
    for wave in stretches(rest, 32):
        await asyncio.gather(*(store.commit([one], NOW) for one in wave))
    report("durable commit, 32 at the same time", len(rest), time.perf_counter() - start)

    def update(n: int) -> Awaitable[object]:
        put = puts[n]
        keys = tuple(sorted({*put.index.keys, "status=amended"} - {"status=final"}))
        return store.commit([replace(put, expect=1, index=replace(put.index, keys=keys))], NOW)

    await timed("durable update, one after the other", update, 2000)


async def main(count: int, folder: str) -> None:
    """Runs everything on a new file in `folder`."""
    rng, people = random.Random(7), max(1, count // 10)
    puts = [observation(number, rng, people) for number in range(count + 6000)]
    path = str(Path(folder) / "bench.db")
    await bulk(path, puts[:count])
    store = open_store(path)
    await reads(store, puts[:count], people)
    await writes(store, puts[count:])
    await store.close()
    report("bytes a resource", Path(path).stat().st_size, len(puts))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else ".") as place:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000, place))
