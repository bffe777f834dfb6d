"""Whole files as people save, join and cut them, and validation's findings told at the cells of the row."""

from datetime import UTC, datetime
from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.mapping import Mappings, load_mappings
from fhir_server.operations.map_records import map_files
from fhir_server.validation import Validator

NOW = datetime(2025, 11, 22, tzinfo=UTC)
HEADER = "随访编号,档案编号,姓名,随访日期,随访方式,血压,体重,机构编码"
FIRST = "S1,R1,刘某,2025-06-01,1,150/95,61.50,O1"
SECOND = "S2,R1,刘某,2025-07-01,1,140/85,61.00,O1"
CONTRACT = {
    "签约编号": "Q1", "档案编号": "R1", "团队编码": "T1", "签约医生编码": "D1", "机构编码": "O1", "签约日期": "2025-01-01",
    "开始日期": "2025-01-02", "结束日期": "2026-01-01", "签约状态": "1", "服务包编码": "basic", "费用合计": "120.00", "公卫经费": "120.00",
}  # fmt: skip


@cache
def mappings() -> Mappings:
    return load_mappings()


@cache
def validator() -> Validator:
    return Validator(load_definitions())


@pytest.fixture
def read(tmp_path):
    """Maps one file of visits: (read, mapped, rejected), and (rule, row, column) of its findings."""

    def run(content: bytes, *, name: str = "rows.csv", form: str = "htn-followup"):
        path = tmp_path / name
        path.write_bytes(content)
        told = map_files(mappings(), form, "national", [path], now=NOW, validate=validator().check)
        list(told)
        report = told.report()
        whole = report.as_json()
        assert all(f.en and f.zh and f.file == name for f in report.issues)
        return (whole["read"], whole["mapped"], whole["rejected"]), report

    return run


def told(report) -> list[tuple[str, int, str]]:
    return [(f.rule, f.row, f.column) for f in report.issues]


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


@pytest.mark.parametrize("again", [HEADER, HEADER.replace(",", " ,"), f"\ufeff{HEADER}"])
def test_a_header_that_comes_again_is_one_finding_and_no_record(read, again):
    counts, report = read(lines(HEADER, FIRST, again, SECOND))
    assert (counts, told(report)) == ((3, 2, 1), [("mapping.header-again", 3, "")])


def test_a_table_of_names_takes_no_header_for_a_record(read):
    header = "机构编码,机构名称,机构类别,行政区划,运营状态"
    row = "O1,演示卫生院,C220,430903107,0"
    counts, report = read(lines(header, row, header), form="organization")
    assert (counts, told(report)) == ((2, 1, 1), [("mapping.header-again", 3, "")])


def test_titles_that_the_header_repeats_are_known_again(read):
    header = f"{HEADER},用法,用法"
    counts, report = read(lines(header, f"{FIRST},,", header))
    assert (counts, told(report)) == ((2, 1, 1), [("mapping.header-again", 3, "")])


@pytest.mark.parametrize(
    ("start", "name"), [(b"PK\x03\x04", "a.xlsx"), (b"\xd0\xcf\x11\xe0", "a.xls"), (b"PK\x03\x04", "a.csv")]
)
def test_a_workbook_is_refused_as_one(read, start, name):
    counts, report = read(start + bytes(range(256)), name=name)
    assert (counts, told(report)) == ((0, 0, 0), [("mapping.spreadsheet-file", 0, "")])


def test_of_two_joined_encodings_the_line_where_the_second_starts_is_named(read):
    first, second = lines(HEADER, FIRST).decode().encode("gb18030"), lines(SECOND)
    counts, report = read(first + second.replace("刘某".encode(), "刘".encode()))
    assert (counts, told(report)) == ((0, 0, 0), [("mapping.encoding-unknown", 0, "")])
    assert "(line 3)" in report.issues[0].en


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_separator_and_line_end_gives_the_same_records(read, encoding, separator, end):
    content = lines(HEADER, FIRST, "", SECOND).decode().replace(",", separator).replace("\n", end)
    counts, report = read(content.encode(encoding))
    assert (counts, told(report), report.as_json()["files"][0]["blank"]) == ((2, 2, 0), [], 1)


def test_a_control_character_in_a_name_is_told_once_however_many_resources_have_it(read):
    counts, report = read(lines(HEADER, FIRST.replace("刘某", "刘\x01某")))
    assert (counts, told(report)) == ((1, 0, 1), [("validation.string-control", 2, "姓名")])


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"结束日期": "9999-12-31"}, [("fdc-2", 2, "结束日期")]),
        ({"公卫经费": "100.00"}, [("fdc-6", 2, "费用合计")]),
        ({"服务包编码": "无此包"}, [("validation.binding-extensible", 2, "服务包编码")]),
        ({"签约状态": "2", "解约原因": "搬家", "解约日期": "2025-03-01"}, [("mapping.code-unmapped", 2, "解约原因")]),
    ],
)
def test_a_finding_about_a_contract_is_told_at_the_cell_that_causes_it(read, cells, found):
    row = CONTRACT | cells
    _, report = read(lines(",".join(row), ",".join(row.values())), form="contract")
    assert told(report) == found
