"""The words of texts are filed behind the commits, and every answer is the oracle's, however far they are filed."""

import asyncio
import itertools
import json
import random
import time
from contextlib import contextmanager

import apsw
import pytest

from fhir_server.fhir.shapes import ResourceId, ResourceType, VersionId
from fhir_server.search.match import Indexed, ordered
from fhir_server.search.query import AllOf, AnyOf, Clause, ContentHas, IdIs, Not, Query, SortBy, SortKey
from fhir_server.store.contract import Delete, Put
from fhir_server.store.sqlite import content, writer
from fhir_server.store.sqlite.open import open_store
from fhir_server.store.sqlite.schema import prepare
from tests.support.stores import NOW, TYPE, entries, found, key, later, paged

PIECES = ["高", "血", "压", "血压", "张三", " ", "sugar", "，", "5mg"]
PHRASES = ["高 血 压", "血 压", "张 三", "压", "sugar", "5mg", "血", "三 高", "\ue000", "nowhere"]
TYPES = [TYPE, ResourceType("Patient")]
Some = random.Random


def some_text(rng: Some) -> str:
    return "".join(rng.choices(PIECES, k=rng.randrange(6)))


def body_of(rng: Some, id_: str, type_: str) -> bytes:
    resource = {
        "resourceType": type_,
        "id": id_,
        "text": {"div": f"<div>{some_text(rng)}<p>{some_text(rng)}</p></div>"},
        "note": [{"text": some_text(rng)} for _ in range(rng.randrange(3))],
    }
    return json.dumps(resource, ensure_ascii=False).encode()


def put(of, body: bytes, expect: int | None = None) -> Put:
    return Put(of, body, entries(), None if expect is None else VersionId(expect))


def some_clause(rng: Some, depth: int = 2) -> Clause:
    if depth and rng.random() < 0.4:
        parts = tuple(some_clause(rng, depth - 1) for _ in range(rng.randrange(1, 3)))
        return rng.choice([AnyOf(parts), AllOf(parts), Not(parts[0])])
    if rng.random() < 0.2:
        return IdIs(tuple(rng.sample([f"r{n}" for n in range(30)], 12)))
    return ContentHas(tuple(rng.sample(PHRASES, rng.randrange(1, 3))), narrative=rng.random() < 0.5)


@contextmanager
def other_connection(folder):
    connection = apsw.Connection(str(folder / "s.db"))
    try:
        yield connection
    finally:
        connection.close()


def file_all(folder) -> int:
    """Files all words, as the writer does when it is idle, and returns the number of steps that there were to do."""
    steps = 0
    with other_connection(folder) as connection:
        while step(connection):
            steps += 1
    return steps


def step(connection: apsw.Connection) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    more = content.file_content(connection)
    connection.execute("COMMIT")
    return more


async def change(store, rng: Some, current: dict, versions: dict, round_: int) -> None:
    writes = []
    for type_ in TYPES:
        for n in rng.sample(range(30), 9):
            of, version = key(f"r{n}", type_), versions.get((type_, n))
            current.pop((type_, n), None)
            if version is not None and rng.random() < 0.3:
                writes.append(Delete(of, VersionId(version)))
            else:
                body = body_of(rng, of.id, type_)
                writes.append(put(of, body, version))
                current[type_, n] = Indexed(of.id, round_, entries(), type_, body)
            versions[type_, n] = (version or 0) + 1
    await store.commit(writes, later(round_))


async def differences(folder, seed: int) -> list:
    store, rng, wrong = open_store(str(folder / "s.db"), bulk=True), Some(seed), []
    current: dict = {}
    versions: dict = {}
    for round_ in range(8):
        await change(store, rng, current, versions, round_)
        if rng.random() < 0.5:
            with other_connection(folder) as connection:
                for _ in range(rng.randrange(1, 3)):
                    step(connection)
        async with store.snapshot() as snapshot:
            for _ in range(15):
                type_ = rng.choice(TYPES)
                query = Query(
                    type_, (some_clause(rng),), (SortKey(SortBy.ID),), count=rng.choice([3, 50]), with_total=True
                )
                expected = [of.id for of in ordered(query, [o for (t, _), o in current.items() if t == type_])]
                answer = await paged(snapshot, query), (await snapshot.search(query)).total
                if answer != (expected, len(expected)):
                    wrong.append((query, expected, answer))
    await store.close()
    return wrong


@pytest.mark.parametrize("seed", [1, 2])
def test_answers_are_the_oracles_however_far_the_words_are_filed(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(content, "ROWS_A_STEP", 5)
    assert asyncio.run(differences(tmp_path, seed)) == []


@pytest.fixture
def store(tmp_path):
    opened = open_store(str(tmp_path / "s.db"), bulk=True)
    yield opened
    asyncio.run(opened.close())


def commit(store, *writes):
    asyncio.run(store.commit(writes, NOW))


def ids(store, *clauses, type_=TYPE):
    return asyncio.run(found(store, *clauses, type_=type_))


def note(text: str, type_: str = TYPE) -> bytes:
    return json.dumps({"resourceType": type_, "note": [{"text": text}]}).encode()


def test_a_new_version_takes_the_words_of_the_old_one_away_and_a_deletion_all(store, tmp_path):
    commit(store, put(key("a"), note("高血压")), put(key("b"), note("高血压")))
    file_all(tmp_path)
    before = ids(store, ContentHas(("高 血 压",)))
    commit(store, put(key("a"), note("糖尿病"), 1), Delete(key("b"), VersionId(1)))
    unfiled = ids(store, ContentHas(("高 血 压",))), ids(store, ContentHas(("糖 尿 病",)))
    file_all(tmp_path)
    filed = ids(store, ContentHas(("高 血 压",))), ids(store, ContentHas(("糖 尿 病",)))
    assert (before, unfiled, filed) == (["a", "b"], ([], ["a"]), ([], ["a"]))


def test_types_are_told_apart(store, tmp_path):
    commit(store, put(key("a"), note("高")), put(key("p", "Patient"), note("高", "Patient")))
    file_all(tmp_path)
    assert (ids(store, ContentHas(("高",))), ids(store, ContentHas(("高",)), type_="Patient")) == (["a"], ["p"])


def test_a_step_files_so_many_rows_and_a_larger_commit_whole(store, tmp_path, monkeypatch):
    monkeypatch.setattr(content, "ROWS_A_STEP", 3)
    commit(store, *(put(key(f"big{n}"), note("高")) for n in range(7)))
    for n in range(4):
        commit(store, put(key(f"one{n}"), note("高")))
    assert file_all(tmp_path) == 3
    assert file_all(tmp_path) == 0


def test_a_step_that_is_undone_leaves_words_and_mark_as_they_were(store, tmp_path):
    commit(store, put(key("a"), note("高血压")))
    with other_connection(tmp_path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        content.file_content(connection)
        inside = connection.execute("SELECT count(*) FROM content_mark").get
        connection.execute("ROLLBACK")
        undone = connection.execute("SELECT count(*) FROM content_mark").get
    assert (inside, undone, ids(store, ContentHas(("高 血 压",)))) == (1, 0, ["a"])
    assert file_all(tmp_path) == 1
    assert ids(store, ContentHas(("高 血 压",))) == ["a"]


def test_a_snapshot_from_before_the_filing_answers_as_before(store, tmp_path):
    async def run():
        await store.commit([put(key("a"), note("高"))], NOW)
        async with store.snapshot() as snapshot:
            query = Query(TYPE, (ContentHas(("高",)),), (SortKey(SortBy.ID),))
            first = await paged(snapshot, query)
            await store.commit([Delete(key("a"), VersionId(1)), put(key("b"), note("高"))], NOW)
            file_all(tmp_path)
            return first, await paged(snapshot, query)

    assert asyncio.run(run()) == (["a"], ["a"])
    assert ids(store, ContentHas(("高",))) == ["b"]


def test_an_idle_writer_files_words_and_a_bulk_writer_never(tmp_path, monkeypatch):
    monkeypatch.setattr("fhir_server.store.sqlite.open.IDLE_S", 0.01)
    monkeypatch.setattr(writer, "PAUSE_S", 0.01)
    left = {}
    for name, bulk in {"idle": False, "bulk": True}.items():
        (tmp_path / name).mkdir()
        opened = open_store(str(tmp_path / name / "s.db"), bulk=bulk)
        commit(opened, put(key("a"), note("高")), put(key("p", "Patient"), note("高", "Patient")))
        until = time.monotonic() + (10 if name == "idle" else 0.2)
        while marks(tmp_path / name) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        left[name] = marks(tmp_path / name)
        asyncio.run(opened.close())
    assert left == {"idle": 2, "bulk": 0}


@pytest.mark.parametrize("is_watched", [False, True])
def test_of_several_processes_one_files_words_at_a_time_and_less_often_while_somebody_searches(
    tmp_path, monkeypatch, is_watched
):
    monkeypatch.setattr("fhir_server.store.sqlite.open.IDLE_S", 0.01)
    monkeypatch.setattr(writer, "PAUSE_S", 0.05)
    monkeypatch.setattr(writer, "WATCHED_S", 30 if is_watched else 0)
    steps = []
    monkeypatch.setattr(writer, "file_content", lambda _: steps.append(time.monotonic()) or True)
    stores = [open_store(str(tmp_path / "s.db"), durable=False) for _ in range(4)]
    stores[0]._writer.watch()
    del steps[:]
    time.sleep(1)
    for store in stores:
        asyncio.run(store.close())
    assert len(steps) > 1
    assert min(after - before for before, after in itertools.pairwise(steps)) >= (0.25 if is_watched else 0.05)


def marks(folder) -> int:
    with other_connection(folder) as connection:
        return int(connection.execute("SELECT count(*) FROM content_mark").get)


def test_a_store_of_an_older_schema_gets_the_tables(tmp_path):
    connection = apsw.Connection(str(tmp_path / "s.db"))
    prepare(connection)
    connection.execute("DROP TABLE content; DROP TABLE content_mark; DELETE FROM meta WHERE name = 'indexed'")
    connection.execute("PRAGMA user_version = 3")
    prepare(connection)
    assert content.file_content(connection) is False
    connection.close()


def test_conditional_creates_see_words_that_are_not_filed(store):
    from fhir_server.store.contract import AlreadyThere

    commit(store, put(key("a"), note("高血压")))
    unless = Query(TYPE, (ContentHas(("高 血 压",)),))
    again = Put(key(ResourceId("b")), note("高血压"), entries(), None, "POST", unless)
    with pytest.raises(AlreadyThere):
        commit(store, again)


def test_many_phrases_are_one_question(store, tmp_path):
    phrases = tuple(f"w{n}" for n in range(2000))
    commit(store, put(key("all"), note(" ".join(phrases))), put(key("some"), note(" ".join(phrases[1:]))))
    unfiled = ids(store, ContentHas(phrases))
    file_all(tmp_path)
    assert (unfiled, ids(store, ContentHas(phrases))) == (["all"], ["all"])
