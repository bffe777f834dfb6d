"""What servers on one store tell one another: news that refuse who has not heard them, and notes."""

import asyncio

import pytest

from fhir_server.errors import StoreUnavailable
from fhir_server.store.contract import LostRace, Overtaken
from tests.support.stores import NOW, key, put, read

pytestmark = pytest.mark.anyio

A, B, C = key("a"), key("b"), key("c")


async def test_only_an_announced_commit_is_news_and_only_if_it_is_made(store):
    before = store.board.news()
    await store.commit([put(A)], NOW)
    assert store.board.news() == before
    with pytest.raises(LostRace):
        await store.commit([put(A)], NOW, announced=True)
    assert store.board.news() == before
    await store.commit([put(B)], NOW, announced=True)
    assert store.board.news() == before + 1


async def test_who_has_not_heard_the_news_changes_nothing(store):
    heard = store.board.news()
    await store.commit([put(A)], NOW, heard=heard, announced=True)
    with pytest.raises(Overtaken):
        await store.commit([put(B)], NOW, heard=heard)
    assert await read(store, B) is None
    await store.commit([put(B)], NOW, heard=heard + 1)
    await store.commit([put(C)], NOW)
    assert (await read(store, B), await read(store, C)) != (None, None)


async def test_news_refuse_what_waits_behind_them_in_one_turn(store):
    heard = store.board.news()
    many = [store.commit([put(key(f"r{n}"))], NOW, heard=heard, announced=n in {3, 7}) for n in range(10)]
    found = await asyncio.gather(*many, return_exceptions=True)
    assert [isinstance(one, Overtaken) for one in found] == [False] * 4 + [True] * 6
    assert store.board.news() == heard + 1


async def test_every_announcement_counts(store):
    heard = store.board.news()
    await asyncio.gather(*(store.commit([put(key(f"r{n}"))], NOW, announced=True) for n in range(5)))
    assert store.board.news() == heard + 5


async def test_a_note_is_written_in_the_place_of_what_its_writer_saw(store):
    board = store.board
    assert await board.note("run/1", "begun", over=None)
    assert not await board.note("run/1", "begun again", over=None)
    assert not await board.note("run/1", "done", over="half done")
    assert await board.note("run/1", "done", over="begun")
    assert await board.note("run/2", "王", over=None)
    assert await board.note("other", "x", over=None)
    assert list((await board.notes("run/")).items()) == [("run/1", "done"), ("run/2", "王")]
    assert not await board.note("run/1", None, over="begun")
    assert await board.note("run/1", None, over="done")
    assert await board.notes("run/1") == {}


async def test_notes_are_no_news_and_no_commit(store):
    (first,) = await store.commit([put(A)], NOW)
    news = store.board.news()
    await store.board.note("x", "y", over=None)
    (second,) = await store.commit([put(B)], NOW)
    assert (store.board.news(), second.moment) == (news, first.moment + 1)


async def test_a_closed_store_takes_no_notes(store):
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.board.note("x", "y", over=None)
