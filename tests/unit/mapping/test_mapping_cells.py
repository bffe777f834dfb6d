"""What a cell says depends on its column and text alone, and is looked up the second time."""

from datetime import UTC

from fhir_server.mapping import load_mappings
from fhir_server.mapping.cells import CellReader, Gathered, put_cell, read_cell
from fhir_server.mapping.dialect import Column
from fhir_server.mapping.record import Code, RowRef

ROW, OTHER_ROW = RowRef("a.csv", 2, 2, "x"), RowRef("a.csv", 3, 3, "y")


def column(name: str) -> Column:
    dialect = load_mappings(only=("htn-followup",)).mapper("htn-followup", "national").dialect
    return dialect.tables[0].columns[name]


def test_a_text_is_read_once():
    reader = CellReader(column("症状"), "症状", UTC)
    assert reader.read("2,3") is reader.read("2,3")
    assert reader.read("2,3").value == [Code("2", "2", "头痛头晕"), Code("3", "3", "恶心呕吐")]


def test_what_was_read_is_forgotten_before_it_fills_the_memory():
    reader = CellReader(column("收缩压"), "收缩压", UTC)
    first = reader.read("100")
    for number in range(101, 101 + 1024):
        reader.read(str(number))
    assert reader.read("100") is not first
    assert reader.read("100") == first


def test_values_of_json_that_are_equal_and_of_other_types_are_told_apart():
    reader = CellReader(column("姓名"), "姓名", UTC)
    assert [reader.read(raw).value for raw in ("1", 1, True)] == ["1", "1", "true"]


def test_a_finding_is_told_at_every_row_that_has_the_text():
    reader = CellReader(column("收缩压"), "收缩压(mmHg)", UTC)
    rows = [Gathered(ROW), Gathered(OTHER_ROW)]
    for row in rows:
        put_cell(reader.read("高"), row)
    told = [(i.key, i.path, i.params["row"], i.params["column"], i.params["value"]) for r in rows for i in r.issues]
    assert told == [("mapping.not-number", "sbp", n, "收缩压(mmHg)", "高") for n in (2, 3)]
    assert rows[0].values == {}


def test_the_second_column_of_a_field_keeps_the_first_value():
    row = Gathered(ROW)
    put_cell(read_cell(column("收缩压"), "150", spelled="收缩压", zone=UTC), row)
    put_cell(read_cell(column("血压"), "140/90", spelled="血压", zone=UTC), row)
    assert row.values == {"sbp": 150, "dbp": 90}
    assert [(i.key, i.path, i.params["first"], i.params["kept"]) for i in row.issues] == [
        ("mapping.second-value", "sbp", "收缩压", "150")
    ]
