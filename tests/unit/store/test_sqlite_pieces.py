"""The pure pieces of the embedded store."""

from datetime import UTC, datetime, timedelta, timezone

import apsw
import pytest

from fhir_server.errors import StoreTimeout, StoreUnavailable, catalogue
from fhir_server.search.rows import OPEN_HIGH, OPEN_LOW, IndexEntries, RangeRow, TextRow
from fhir_server.store.sqlite.failures import refusal, translated
from fhir_server.store.sqlite.filed import packed, unpacked
from fhir_server.store.sqlite.fragments import Sql, all_of, any_of
from fhir_server.store.sqlite.open import open_store
from fhir_server.store.sqlite.patterns import as_json, prefix_bounds, written
from fhir_server.store.sqlite.versions import instant_at, microseconds
from tests.support.stores import NOW, entries, key, put


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("code=", "code>"),
        ("code=a", "code=b"),
        ("code=\x1f", "code= "),
        ("名=王", "名=玌"),
        ("a\ud7ff", "a\ue000"),
        ("a\U0010ffff", "b"),
        ("ab\U0010ffff\U0010ffff", "ac"),
    ],
)
def test_the_range_of_a_prefix_ends_at_the_next_character(prefix, end):
    assert prefix_bounds(prefix) == (prefix, end)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (["name=wang"], True),
        (["a=b", "name=wang li"], True),
        (["a=b,", "name=wan"], False),
        (['a=,"name=wang'], False),
        (['["name=wang'], False),
        (["a=\\", "name=wang\x1f"], True),
        (['a="', "surname=wang"], False),
        ([], False),
    ],
)
def test_a_key_is_recognised_by_how_it_is_written_and_nothing_else_by_it(keys, found):
    condition = written(as_json("name=wang")[:-1])
    filed, _ = packed(entries(*keys))
    asked = Sql("SELECT ") + condition + Sql(" FROM (SELECT ? AS keys) r", (filed,))
    assert bool(apsw.Connection("").execute(asked.text, asked.args).get) is found


def test_conditions_of_nothing_are_always_and_never():
    connection = apsw.Connection(":memory:")
    answers = [connection.execute(f"SELECT {sql.text}", sql.args).get for sql in (all_of([]), any_of([]))]
    assert answers == [1, 0]


def test_joined_conditions_keep_the_order_of_their_values():
    parts = [Sql(f"{name} = ?", (name,)) for name in "abcde"]
    joined = all_of(parts)
    assert [piece[0] for piece in joined.text.replace("(", "").split(" AND ")] == list(joined.args) == list("abcde")


def test_twenty_thousand_conditions_are_not_too_deep_for_the_library():
    joined = any_of([Sql("? = 1", (0,))] * 20_000 + [Sql("1 = 1")])
    assert apsw.Connection(":memory:").execute(f"SELECT {joined.text}", joined.args).get == 1


@pytest.mark.parametrize(
    "instant",
    [
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1900, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=8))),
    ],
)
def test_instants_survive_as_microseconds(instant):
    assert instant_at(microseconds(instant)) == instant


def test_an_instant_without_offset_has_no_microseconds():
    with pytest.raises(ValueError, match="offset"):
        microseconds(datetime(2024, 1, 1))  # noqa: DTZ001 - what is refused


def test_filed_rows_survive_packing_exactly():
    filed = IndexEntries(
        ("code=a\x1fb", "名=王"),
        (RangeRow("d", OPEN_LOW, OPEN_HIGH), RangeRow("v", 0.1, 0.10000000000000002, "mg\x1fu"), RangeRow("w", 1, 2.5)),
        (TextRow("name", "王小明", '王"小明'),),
        -5,
    )
    again = unpacked(*packed(filed), filed.sort_date)
    assert again == filed
    assert [type(number) for row in again.ranges for number in row[1:3]] == [int, int, float, float, int, float]


@pytest.mark.parametrize("text", ["code=a\0b", "code=a\0", "code=\\u0000", "name=王\x1f\"'"])
@pytest.mark.anyio
async def test_a_key_of_any_characters_is_filed_whole_and_taken_back(tmp_path, text):
    store = open_store(str(tmp_path / "store.db"))
    connection = store._writer._connection
    filed = "SELECT k FROM tok ORDER BY k"
    await store.commit([put(key("r"), entries(text, "code=z"))], NOW)
    async with store.snapshot():
        pass  # which waits until everything is filed
    assert {k for (k,) in connection.execute(filed)} == {text, "code=z"}
    await store.commit([put(key("r"), entries("code=z"), expect=1)], NOW)
    assert [k for (k,) in connection.execute(filed)] == ["code=z"]
    await store.close()


def errors_of_the_library():
    return [kind for kind in vars(apsw).values() if isinstance(kind, type) and issubclass(kind, apsw.Error)]


@pytest.mark.parametrize("kind", errors_of_the_library(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_library_becomes_one_of_ours_with_a_known_key(kind):
    failure = refusal(kind("secret detail"))
    assert isinstance(failure, StoreTimeout if kind is apsw.InterruptError else StoreUnavailable)
    assert failure.issues[0].key in catalogue()
    assert "secret" not in str(failure)


def test_other_errors_pass_through_untouched():
    with pytest.raises(KeyError), translated():
        raise KeyError
