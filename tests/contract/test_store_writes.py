"""What a commit does, and what it does not do when it is refused."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from fhir_server.errors import StoreUnavailable
from fhir_server.search.query import KeyIs, Query
from fhir_server.store.contract import AlreadyThere, LostRace, Past
from tests.support.stores import NOW, TYPE, delete, entries, found, key, later, put, read

pytestmark = pytest.mark.anyio

A, B, C = key("a"), key("b"), key("c")
IDENTIFIED = KeyIs("identifier", "42")


async def history(store, of):
    async with store.snapshot() as snapshot:
        page = await snapshot.history(Past(of, count=1000))
        return [(one.version, one.method, one.body) for one in page.matches]


async def test_create_returns_and_keeps_the_first_version(store):
    first = put(A)
    (made,) = await store.commit([first], NOW)
    assert (made.key, made.version, made.updated_at, made.method, made.body) == (A, 1, NOW, "POST", first.body)
    assert await read(store, A) == made


async def test_update_follows_the_version_it_expects(store):
    await store.commit([put(A)], NOW)
    (second,) = await store.commit([put(A, expect=1)], later(1))
    assert (second.version, second.updated_at, second.method) == (2, later(1), "PUT")
    assert await read(store, A) == second


async def test_delete_leaves_a_version_without_body(store):
    await store.commit([put(A)], NOW)
    (gone,) = await store.commit([delete(A, 1)], later(1))
    assert (gone.version, gone.method, gone.body) == (2, "DELETE", None)
    assert await read(store, A) == gone


async def test_every_version_stays_readable_and_unknown_ones_are_none(store):
    first = await store.commit([put(A)], NOW)
    second = await store.commit([put(A, expect=1)], later(1))
    third = await store.commit([delete(A, 2)], later(2))
    fourth = await store.commit([put(A, expect=3)], later(3))
    versions = [await read(store, A, number) for number in range(6)]
    assert versions == [None, *first, *second, *third, *fourth, None]


async def test_history_is_newest_first_across_deletion_and_return(store):
    writes = [put(A), put(A, expect=1), delete(A, 2), put(A, expect=3)]
    for number, write in enumerate(writes):
        await store.commit([write], later(number))
    assert await history(store, A) == [
        (4, "PUT", writes[3].body),
        (3, "DELETE", None),
        (2, "PUT", writes[1].body),
        (1, "POST", writes[0].body),
    ]
    assert await history(store, B) == []


async def test_history_longer_than_any_chunk_is_whole(store):
    for number in range(450):
        await store.commit([put(A, expect=number or None)], NOW)
    assert [version for version, _, _ in await history(store, A)] == list(range(450, 0, -1))


async def test_one_id_in_two_types_is_two_resources(store):
    patient = key("a", "Patient")
    await store.commit([put(A), put(patient)], NOW)
    await store.commit([delete(A, 1)], NOW)
    kept = await read(store, patient)
    assert kept is not None
    assert (kept.version, kept.key) == (1, patient)


async def test_ids_that_differ_in_case_are_two_resources(store):
    await store.commit([put(key("x")), put(key("X"))], NOW)
    assert await found(store) == ["X", "x"]


async def test_moments_grow_and_one_commit_has_one(store):
    one, two = await store.commit([put(A), put(B)], NOW)
    (three,) = await store.commit([put(C)], NOW)
    assert one.moment == two.moment < three.moment
    async with store.snapshot() as snapshot:
        assert snapshot.moment == three.moment


async def test_instants_keep_their_microseconds_and_become_utc(store):
    shanghai = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=8)))
    (made,) = await store.commit([put(A)], shanghai)
    kept = await read(store, A)
    assert kept is not None
    assert kept.updated_at == made.updated_at == datetime(2024, 2, 29, 15, 59, 59, 999999, tzinfo=UTC)
    assert kept.updated_at.utcoffset() == timedelta(0)


async def test_an_instant_without_offset_is_refused(store):
    with pytest.raises(ValueError, match="offset"):
        await store.commit([put(A)], NOW.replace(tzinfo=None))
    assert await read(store, A) is None


async def test_an_empty_commit_changes_nothing(store):
    assert await store.commit([], NOW) == ()


@pytest.mark.parametrize(
    "write",
    [put(A), put(A, expect=1), put(A, expect=3), delete(A, 1), delete(A, 3)],
    ids=["create", "update-older", "update-newer", "delete-older", "delete-newer"],
)
async def test_a_wrong_expectation_loses_the_race_and_changes_nothing(store, write):
    await store.commit([put(A)], NOW)
    (second,) = await store.commit([put(A, expect=1)], NOW)
    with pytest.raises(LostRace) as lost:
        await store.commit([write], later(1))
    assert lost.value.key == A
    assert await read(store, A) == second


@pytest.mark.parametrize("write", [put(A), put(A, expect=1), delete(A, 1)], ids=["create", "update", "delete"])
async def test_a_deletion_is_a_version_that_must_be_expected(store, write):
    await store.commit([put(A)], NOW)
    (gone,) = await store.commit([delete(A, 1)], NOW)
    with pytest.raises(LostRace):
        await store.commit([write], later(1))
    assert await read(store, A) == gone
    assert (await store.commit([put(A, expect=2)], later(1)))[0].version == 3


@pytest.mark.parametrize("write", [put(A, expect=1), delete(A, 1)], ids=["update", "delete"])
async def test_expecting_a_version_of_what_never_was_loses(store, write):
    with pytest.raises(LostRace):
        await store.commit([write], NOW)
    assert await read(store, A) is None


async def test_one_lost_race_among_many_writes_changes_nothing(store):
    await store.commit([put(B, entries("code=old"))], NOW)
    writes = [put(A, entries("code=new")), put(B, entries("code=new"), expect=1), put(C, expect=7)]
    with pytest.raises(LostRace) as lost:
        await store.commit(writes, NOW)
    assert lost.value.key == C
    assert (await found(store, KeyIs("code", "old")), await found(store, KeyIs("code", "new"))) == (["b"], [])
    assert await read(store, A) is None
    assert len(await history(store, B)) == 1


async def test_two_writes_of_one_key_in_a_commit_are_an_error(store):
    with pytest.raises(ValueError, match="Observation/a"):
        await store.commit([put(B), put(A), put(A, expect=1)], NOW)
    assert await found(store) == []


async def test_a_value_that_no_store_can_hold_is_refused_alone(store):
    bad = put(B, entries("code=\ud800"))
    results = await asyncio.gather(
        store.commit([put(A)], NOW), store.commit([bad], NOW), store.commit([put(C)], NOW), return_exceptions=True
    )
    assert isinstance(results[1], ValueError)
    assert await found(store) == ["a", "c"]


async def test_of_many_racing_updates_exactly_one_wins(store):
    await store.commit([put(A)], NOW)
    results = await asyncio.gather(
        *(store.commit([put(A, entries(f"n={n}"), expect=1)], NOW) for n in range(50)), return_exceptions=True
    )
    winners = [n for n, result in enumerate(results) if isinstance(result, tuple)]
    assert len(winners) == 1
    assert sum(isinstance(result, LostRace) for result in results) == 49
    assert await found(store, KeyIs("n", str(winners[0]))) == ["a"]


async def test_concurrent_commits_in_a_row_on_one_key_all_count(store):
    """Commits that wait together may be joined; each must still see the one before."""
    commits = [store.commit([put(A, entries(f"n={n}"), expect=n or None)], later(n)) for n in range(40)]
    results = await asyncio.gather(*commits)
    assert [one.version for (one,) in results] == list(range(1, 41))
    assert [version for version, _, _ in await history(store, A)] == list(range(40, 0, -1))
    assert await found(store, KeyIs("n", "39")) == ["a"]
    assert await found(store, KeyIs("n", "38")) == []


async def test_unless_lets_the_first_create_through_and_refuses_the_second(store):
    criteria = Query(TYPE, (IDENTIFIED,))
    await store.commit([put(A, entries("identifier=42"), unless=criteria)], NOW)
    with pytest.raises(AlreadyThere) as there:
        await store.commit([put(B, entries("identifier=42"), unless=criteria), put(C)], NOW)
    assert there.value.key == B
    assert await found(store) == ["a"]


async def test_unless_does_not_see_deleted_resources(store):
    criteria = Query(TYPE, (IDENTIFIED,))
    await store.commit([put(A, entries("identifier=42"))], NOW)
    await store.commit([delete(A, 1)], NOW)
    await store.commit([put(B, entries("identifier=42"), unless=criteria)], NOW)
    assert await found(store) == ["b"]


async def test_unless_about_a_type_that_was_never_stored_passes(store):
    await store.commit([put(A, unless=Query(key("x", "Basic").type, ()))], NOW)
    assert await found(store) == ["a"]


async def test_of_fifty_identical_conditional_creates_exactly_one_wins(store):
    criteria = Query(TYPE, (IDENTIFIED,))
    results = await asyncio.gather(
        *(store.commit([put(key(f"r{n}"), entries("identifier=42"), unless=criteria)], NOW) for n in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, tuple) for result in results) == 1
    assert sum(isinstance(result, AlreadyThere) for result in results) == 49
    assert len(await found(store, IDENTIFIED)) == 1


async def test_update_moves_index_rows(store):
    await store.commit([put(A, entries("code=old", "status=final", sort_date=1))], NOW)
    await store.commit([put(A, entries("code=new", "status=final", sort_date=2), expect=1)], NOW)
    ids = [await found(store, KeyIs("code", v)) for v in ("old", "new")]
    assert [*ids, await found(store, KeyIs("status", "final"))] == [[], ["a"], ["a"]]


async def test_deletion_takes_all_index_rows_back(store):
    await store.commit([put(A, entries("code=x"))], NOW)
    await store.commit([delete(A, 1)], NOW)
    assert (await found(store), await found(store, KeyIs("code", "x"))) == ([], [])


async def test_closing_finishes_what_was_asked_before_and_refuses_the_rest(store):
    pending = [asyncio.ensure_future(store.commit([put(key(f"r{n}"))], NOW)) for n in range(20)]
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    assert [one.version for (one,) in await asyncio.gather(*pending)] == [1] * 20
    with pytest.raises(StoreUnavailable):
        await store.commit([put(A)], NOW)
    with pytest.raises(StoreUnavailable):
        async with store.snapshot():
            pass
    with pytest.raises(StoreUnavailable):
        await store.read(A)
