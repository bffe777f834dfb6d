"""Pages of a moment, totals, and index entries that are filed anew: what every store does alike."""

import pytest

from fhir_server.errors import Gone
from fhir_server.search.query import KeyIs, KeyStarts, Query
from fhir_server.store.contract import Cursor, Refile
from tests.support.stores import BY_ID, NOW, TYPE, delete, entries, found, key, later, put

pytestmark = pytest.mark.anyio
RED = KeyIs("colour", "red")
REDS = Query(TYPE, (RED,), BY_ID, count=2, with_total=True)


async def filled(store, count):
    await store.commit([put(key(f"r{n:04}"), entries("colour=red", "kind=x")) for n in range(count)], NOW)


async def page_of(store, query, cursor=None):
    async with store.snapshot() as snapshot:
        return await snapshot.search(query, cursor)


def ids(page):
    return [match.key.id for match in page.matches]


async def test_a_later_page_shows_deleted_and_changed_resources_as_they_were(store):
    await filled(store, 4)
    first = await page_of(store, REDS)
    await store.commit([delete(key("r0002"), 1), put(key("r0003"), entries("colour=blue"), expect=1)], later(1))
    await store.commit([put(key("r0002a"), entries("colour=red"))], later(2))
    second = await page_of(store, REDS, first.next)
    assert (ids(second), [m.version for m in second.matches], second.total) == (["r0002", "r0003"], [1, 1], 4)
    assert ids(await page_of(store, REDS, second.previous)) == ["r0000", "r0001"]


async def test_a_page_is_refused_after_more_changes_than_its_reach(store):
    await filled(store, 6)
    cursor = (await page_of(store, REDS)).next._replace(reach=1)
    await store.commit([put(key("r0005"), entries("colour=red"), expect=1)], later(1))
    assert ids(await page_of(store, REDS, cursor)) == ["r0002", "r0003"]
    await store.commit([put(key("new"), entries())], later(2))
    with pytest.raises(Gone) as caught:
        await page_of(store, REDS, cursor)
    assert [issue.key for issue in caught.value.issues] == ["search.page-outdated"]


async def test_a_moment_that_never_was_is_refused(store):
    await filled(store, 3)
    with pytest.raises(Gone):
        await page_of(store, REDS, Cursor(99, ("r0000",), "r0000"))


async def test_the_last_page_is_found_from_the_end(store):
    await filled(store, 5)
    async with store.snapshot() as snapshot:
        last = await snapshot.search(REDS, Cursor(snapshot.moment, (), "", back=True))
    assert (ids(last), last.next, last.previous.id) == (["r0003", "r0004"], None, "r0003")


async def test_a_remembered_total_follows_every_change(store):
    await filled(store, 600)
    for query in (REDS, Query(TYPE, (KeyStarts("kind", ""),), with_total=True)):
        assert (await page_of(store, query)).total == 600
    await store.commit(
        [delete(key("r0001"), 1), put(key("r0002"), entries("colour=blue", "kind=x"), expect=1)], later(1)
    )
    await store.commit([put(key("more"), entries("colour=red"))], later(2))
    assert (await page_of(store, REDS)).total == 599
    assert (await page_of(store, Query(TYPE, (KeyStarts("kind", ""),), with_total=True))).total == 599
    async with store.snapshot() as snapshot:
        current = await snapshot.read(key("r0005"))
    await store.commit([Refile(current, entries("colour=green"))], later(3))
    assert (await page_of(store, REDS)).total == 598


async def test_counting_ends_one_above_the_limit(store):
    await filled(store, 5)
    totals = [
        (await page_of(store, Query(TYPE, (RED,), with_total=True, count_most=most))).total for most in (3, 4, 5, 9)
    ]
    assert totals == [4, 5, 5, 5]


async def test_filing_anew_changes_what_finds_a_version_and_nothing_else(store):
    await filled(store, 2)
    async with store.snapshot() as snapshot:
        current = await snapshot.read(key("r0000"))
    assert await store.commit([Refile(current, entries("colour=green"))], later(5)) == (current,)
    assert (await found(store, RED), await found(store, KeyIs("colour", "green"))) == (["r0001"], ["r0000"])
    assert await store.read(key("r0000")) == current
    await store.commit([put(key("r0000"), entries("colour=red"), expect=1)], later(6))
    assert (await found(store, RED), await found(store, KeyIs("colour", "green"))) == (["r0000", "r0001"], [])


async def test_filing_anew_leaves_a_version_alone_that_has_been_superseded(store):
    await filled(store, 1)
    async with store.snapshot() as snapshot:
        current = await snapshot.read(key("r0000"))
    await store.commit([put(key("r0000"), entries("colour=blue"), expect=1)], later(1))
    await store.commit([Refile(current, entries("colour=green"))], later(2))
    assert await found(store, KeyIs("colour", "blue")) == ["r0000"]
    await store.commit([delete(key("r0000"), 2)], later(3))
    await store.commit([Refile(current, entries("colour=green"))], later(4))
    assert await found(store, KeyIs("colour", "green")) == []


async def test_explain_tells_the_steps_of_a_search(store):
    await filled(store, 2)
    async with store.snapshot() as snapshot:
        steps = await snapshot.explain(REDS)
    assert steps
    assert any("tok" in step.statement and step.plan for step in steps)
    assert all("red" not in step.statement for step in steps)
