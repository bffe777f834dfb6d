"""Which way the embedded store takes through its tables, as SQLite itself reports it."""

import pytest

from fhir_server.fhir.shapes import Moment
from fhir_server.search.query import (
    AnyOf,
    Clause,
    Hop,
    IdIs,
    KeyIs,
    KeyStarts,
    Not,
    Query,
    RangeOp,
    RangeTest,
    SortBy,
    SortKey,
    TextContains,
)
from fhir_server.search.rows import RangeRow, TextRow
from fhir_server.search.wild import WILD
from fhir_server.store.contract import Cursor
from fhir_server.store.sqlite import open_store, search, sizes
from fhir_server.store.sqlite.plan import plan_of
from fhir_server.store.sqlite.sort_ways import ways_of
from tests.support.stores import NOW, TYPE, entries, key, later, put

pytestmark = pytest.mark.anyio

NEWEST = (SortKey(SortBy.CLINICAL, descending=True),)
LATEST = (SortKey(SortBy.UPDATED, descending=True),)
COMMON, RARE = KeyIs("status", "final"), KeyIs("subject", "Patient/3")
COUNT = 4500


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def connection():
    """4,500 resources of one status and 1,500 subjects: more of the first than the planner counts."""
    store = open_store(":memory:")
    writes = [
        put(
            key(f"r{n:05}"),
            entries(
                "status=final",
                f"subject=Patient/{n % 1500}",
                sort_date=n // 3,
                ranges=[RangeRow("date", n, n + 1)],
                texts=[TextRow("name", f"王{n}", "")],
            ),
        )
        for n in range(COUNT)
    ]
    await store.commit(writes, NOW)
    await store.commit([put(key("last"), entries("status=final", sort_date=COUNT))], later(1))
    async with store.snapshot() as snapshot:
        yield snapshot._reader.connection
    await store.close()


def way(connection, *where: Clause, sort=LATEST, cursor: Cursor | None = None) -> list[str]:
    """Returns the steps of the page's statement, without those of tests on single rows."""
    query = Query(TYPE, where, sort)
    plan = plan_of(connection, query, 1)
    explained: list[str] = []
    connection.exec_trace = lambda _, sql, __: bool(explained.append(sql) or True)
    search._rows(
        connection, search._Asked(query, 1, Moment(1), plan, cursor, None, [], ways_of(connection, sort, None))
    )
    connection.exec_trace = None
    sql = explained[-1]
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (0,) * sql.count("?")).fetchall()
    return [row[3] for row in rows]


def starts_with(steps: list[str], first: str) -> bool:
    return steps[0].startswith(first)


async def test_a_key_and_newest_first_is_one_stretch_of_the_key_index(connection):
    steps = way(connection, COMMON, sort=NEWEST)
    assert steps[0] == "SEARCH d USING PRIMARY KEY (t=? AND k=?)"
    assert steps[-1] == "USE TEMP B-TREE FOR LAST TERM OF ORDER BY"


async def test_the_next_page_enters_the_key_index_at_the_cursor(connection):
    steps = way(connection, COMMON, sort=NEWEST, cursor=Cursor(Moment(1), (100,), key("r00300").id))
    assert steps[0] == "SEARCH d USING PRIMARY KEY (t=? AND k=? AND sd<?)"


async def test_the_rarer_of_two_keys_leads_and_the_other_is_looked_up(connection):
    query = Query(TYPE, (COMMON, RARE), LATEST)
    assert plan_of(connection, query, 1).page.where.args == (1, "subject=Patient/3")
    assert "SEARCH tok EXISTS USING PRIMARY KEY (t=? AND k=? AND sd=? AND rid=?)" in way(connection, COMMON, RARE)


async def test_a_common_key_in_order_of_update_walks_that_order(connection):
    steps = way(connection, COMMON)
    assert steps[0] == "SEARCH r USING COVERING INDEX res_updated (t=?)"
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize("clause", [Not(RARE), RangeTest("date", RangeOp.GE, 5, 6), AnyOf((COMMON, RARE))])
async def test_what_nearly_all_satisfy_walks_the_order_asked_for(connection, clause):
    assert starts_with(way(connection, clause), "SEARCH r USING COVERING INDEX res_updated")
    assert starts_with(way(connection, clause, sort=NEWEST), "SEARCH r USING COVERING INDEX res_clinical")
    assert starts_with(way(connection, clause, sort=()), "SEARCH r USING INDEX res_id")


@pytest.mark.parametrize(
    "clause",
    [
        AnyOf((RARE, KeyIs("subject", "Patient/4"))),
        IdIs(("r00001",)),
        RangeTest("date", RangeOp.EQ, 5, 9),
        TextContains("name", "王123"),
    ],
    ids=["keys", "ids", "range", "text"],
)
async def test_what_few_satisfy_is_found_first_and_sorted_afterwards(connection, clause):
    steps = way(connection, clause)
    assert starts_with(steps, "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)")
    assert steps[-1] == "USE TEMP B-TREE FOR ORDER BY"


async def test_a_count_of_keys_touches_no_resource(connection):
    explained: list[str] = []
    connection.exec_trace = lambda _, sql, __: bool(explained.append(sql) or True)
    total = search._count(connection, plan_of(connection, Query(TYPE, (COMMON, RARE)), 1).all, None, None)
    connection.exec_trace = None
    assert (total, " res " in explained[-1]) == (3, False)


@pytest.mark.parametrize("op", [RangeOp.GT, RangeOp.EQ])
async def test_a_name_with_a_hole_is_looked_up_once_and_not_for_every_row(connection, op):
    steps = way(connection, RangeTest(f"da{WILD}e", op, 5, 9), COMMON)
    looked_up = [step.partition(" (t=? AND p")[2] for step in steps if step.startswith("SEARCH rng")]
    once = [">? AND p<?)"]
    assert looked_up == {RangeOp.GT: ["=? AND rid=?)", *once], RangeOp.EQ: ["=? AND lo>? AND lo<?)", *once]}[op]


async def test_an_order_of_other_resources_walks_no_order_of_these(connection):
    sort = (SortKey(SortBy.UPDATED, through=(Hop("subject", TYPE),)),)
    assert plan_of(connection, Query(TYPE, (COMMON,), sort), 1).page.tables.startswith("tok")
    assert way(connection, KeyStarts("status", "fi"), sort=sort)[-1] == "USE TEMP B-TREE FOR ORDER BY"


async def test_resources_of_a_type_are_counted_again_only_when_many_are_new():
    store = open_store(":memory:")
    await store.commit([put(key(f"r{n}"), entries()) for n in range(80)], NOW)
    async with store.snapshot() as snapshot:
        connection = snapshot._reader.connection
        assert (sizes.rows_of(connection, 1), sizes.rows_of(connection, 2)) == (80, 0)
    found = []
    for last in (90, 91):
        await store.commit([put(key(f"r{n}"), entries()) for n in range(80 if last == 90 else 90, last)], NOW)
        async with store.snapshot() as snapshot:
            assert snapshot._reader.connection is connection
            found.append(sizes.rows_of(connection, 1))
    assert found == [80, 91]
    await store.close()
