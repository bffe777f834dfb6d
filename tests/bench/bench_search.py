"""Question: does a search take longer when there are twenty times as many patients?

Bar: of each search of the mix, the p50 with 20,000 patients of 40 resources each is at most 1.35 times that with 1,000.

Both sets are searched in turn, so that what else the machine does meets both; of three tries of a search the best counts.

    python tests/bench/bench_search.py [small] [large] [folder]
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.search.query import (
    AnyOf,
    KeyIs,
    KeyStarts,
    Query,
    RangeOp,
    RangeTest,
    ReferredBy,
    RefersTo,
    SortBy,
    SortKey,
)
from fhir_server.search.rows import IndexEntries, RangeRow, TextRow
from fhir_server.store.contract import Key, Put
from fhir_server.store.sqlite import SqliteStore, open_store

NOW = datetime(2024, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
PATIENT, OBSERVATION = ResourceType("Patient"), ResourceType("Observation")
RECENT = (SortKey(SortBy.CLINICAL, descending=True),)
FAMILIES, GIVEN = "王李张刘陈杨黄赵吴周", "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚"
RUNS, WARM, TRIES = 60, 10, 3
Times = dict[str, list[float]]


def patient(n: int, rng: random.Random) -> Put:
    """Returns a patient with its identifier, name, gender and birth date."""
    name, day = rng.choice(FAMILIES) + rng.choice(GIVEN) + rng.choice(GIVEN), rng.randrange(-20000, 18000) * DAY
    keys = (f"gender={rng.choice(('male', 'female'))}\x1f", f"identifier={n}\x1furn:id", f"name={name}")
    index = IndexEntries(
        tuple(sorted(keys)), (RangeRow("birthdate", day, day + DAY),), (TextRow("name", name, name),), 0
    )
    body = f'{{"resourceType":"Patient","id":"p{n}","name":[{{"text":"{name}"}}]}}'.encode()
    return Put(Key(PATIENT, ResourceId(f"p{n}")), body, index, None, "POST")


def observation(n: int, of: int, rng: random.Random) -> Put:
    """Returns an observation of a patient with one of 20 codes, on a day of four years."""
    code, day = rng.randrange(20), rng.randrange(1500) * DAY
    keys = (f"code=c{code}\x1fhttp://loinc.org", "status=final\x1f", f"subject=Patient/p{of}")
    ranges = (RangeRow("date", day, day + DAY), RangeRow("value-quantity", 120.0, 120.1, "mm[Hg]\x1fucum"))
    id_ = ResourceId(f"{rng.getrandbits(48):012x}-{n}")
    body = f'{{"resourceType":"Observation","id":"{id_}","status":"final","subject":{{"reference":"Patient/p{of}"}}}}'
    return Put(Key(OBSERVATION, id_), body.encode(), IndexEntries(keys, ranges, (), day), None, "POST")


def everything(patients: int) -> Iterator[Put]:
    """Yields each patient with its 39 observations."""
    rng = random.Random(patients)
    for n in range(patients):
        yield patient(n, rng)
        yield from (observation(n * 40 + k, n, rng) for k in range(39))


async def filled(path: str, patients: int) -> SqliteStore:
    """Writes everything in commits of 4,000, without waiting for the disk."""
    store = open_store(path, durable=False, bulk=True)
    start, batch = time.perf_counter(), []
    for one in everything(patients):
        batch.append(one)
        if len(batch) == 4000:
            await store.commit(batch, NOW)
            batch = []
    if batch:
        await store.commit(batch, NOW)
    print(f"{patients:,} patients written in {time.perf_counter() - start:.0f} s")
    return store


def mix(patients: int, n: int) -> dict[str, Query]:
    """Returns the searches about the n-th of some patients."""
    of = (n * 7919) % patients
    code = KeyIs("code", f"c{n % 20}\x1fhttp://loinc.org")
    subject = KeyIs("subject", f"Patient/p{of}")
    since = RangeTest("date", RangeOp.GE, 700 * DAY, 701 * DAY)
    name = KeyStarts("name", FAMILIES[n % 10])
    identifier = KeyIs("identifier", f"{of}\x1furn:id")
    return {
        "identifier": Query(PATIENT, (identifier,)),
        "name": Query(PATIENT, (name,)),
        "patient, code, date, sorted": Query(OBSERVATION, (subject, code, since), RECENT),
        "code, sorted": Query(OBSERVATION, (code,), RECENT),
        "code, date, sorted": Query(OBSERVATION, (code, since), RECENT),
        "chain by identifier": Query(OBSERVATION, (RefersTo("subject", PATIENT, (identifier,)), code), RECENT),
        "chain by name": Query(OBSERVATION, (RefersTo("subject", PATIENT, (name,)), code), RECENT),
        "_has by code": Query(PATIENT, (ReferredBy(OBSERVATION, "subject", (code,)),)),
        "_has by code of one": Query(PATIENT, (ReferredBy(OBSERVATION, "subject", (code,)), identifier)),
        "_revinclude": Query(OBSERVATION, (AnyOf(tuple(KeyIs("subject", f"Patient/p{of + k}") for k in range(20))),), RECENT, 1000),
        "code, _total=accurate": Query(OBSERVATION, (code,), RECENT, with_total=True),
        "gender, _total=accurate": Query(PATIENT, (KeyStarts("gender", "male\x1f"),), with_total=True),
    }  # fmt: skip


async def search_once(store: SqliteStore, patients: int, n: int, times: Times) -> None:
    """Adds the time of each search of one round in microseconds of processor time.

    One write comes before each round, so nothing is at rest.
    """
    new = [observation(10**9 + patients * 1000 + n, n, random.Random(n))]
    await store.commit(new, NOW + timedelta(seconds=n))
    async with store.snapshot() as snapshot:  # what a reader has to take note of after a commit
        await snapshot.search(Query(PATIENT, (KeyIs("identifier", "none"),)))
    for name, query in mix(patients, n).items():
        tries = [await timed(store, query) for _ in range(TRIES)]
        times.setdefault(name, []).append(min(tries))


async def timed(store: SqliteStore, query: Query) -> float:
    """Returns the microseconds of processor time that one search takes."""
    start = time.process_time()
    async with store.snapshot() as snapshot:
        await snapshot.search(query)
    return (time.process_time() - start) * 1e6


async def main(small: int, large: int, folder: str) -> None:
    """Prints both p50 of each search and how it grows."""
    stores = {patients: await filled(f"{folder}/{patients}.db", patients) for patients in (small, large)}
    times: dict[int, Times] = {small: {}, large: {}}
    for n in range(RUNS):
        for patients, store in stores.items():
            await search_once(store, patients, n, times[patients])
    for store in stores.values():
        await store.close()
    print(f"{'':<30} {small:>12,} {large:>12,}   growth")
    for name in times[small]:
        before, after = (statistics.median(times[patients][name][WARM:]) for patients in (small, large))
        print(f"{name:<30} {before:>9,.0f} us {after:>9,.0f} us {after / before:>8.2f}")


if __name__ == "__main__":
    sizes = [int(text) for text in sys.argv[1:3]] or [1000, 20_000]
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main(sizes[0], sizes[-1], sys.argv[3] if len(sys.argv) > 3 else temporary))
