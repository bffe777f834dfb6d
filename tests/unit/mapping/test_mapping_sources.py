"""Files -> rows: encodings, CSV, JSON."""

import pytest

from fhir_server.mapping.sources import FileRefused, open_source


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cells(source):
    return [(r.row, r.line, r.cells) for r in source.rows() if not r.is_blank and r.problem is None]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("编号,姓名\n1,测试\n".encode(), "UTF-8"),
        (b"\xef\xbb\xbf" + "编号,姓名\n1,测试\n".encode(), "UTF-8 with BOM"),
        ("编号,姓名\n1,测试\n".encode("gb18030"), "GB18030"),
    ],
)
def test_the_encoding_is_found_and_the_header_has_no_mark(tmp_path, content, encoding):
    source = open_source(write(tmp_path, "a.csv", content))
    assert (source.encoding, source.header, cells(source)) == (encoding, ("编号", "姓名"), [(2, 2, ("1", "测试"))])


@pytest.mark.parametrize(
    ("content", "declared", "detected"),
    [
        ("编号\n测试\n".encode("gb18030"), "utf-8", "GB18030"),
        ("编号\n测试\n".encode(), "gb18030", "UTF-8"),
        ("编号\n测试\n".encode("utf-16"), "auto", "UTF-16"),
    ],
)
def test_a_wrong_declaration_refuses_the_whole_file_and_names_what_was_found(tmp_path, content, declared, detected):
    with pytest.raises(FileRefused) as refused:
        open_source(write(tmp_path, "a.csv", content), encoding=declared)
    assert refused.value.issue.key == "mapping.encoding-mismatch"
    assert refused.value.issue.params["detected"] == detected
    assert refused.value.issue.text("zh").startswith(f"文件编码错误（检测为 {detected}），整份文件未导入")


def test_a_declaration_that_fits_is_kept(tmp_path):
    assert open_source(write(tmp_path, "a.csv", "a\n1\n"), encoding="GBK").encoding == "GB18030"
    assert open_source(write(tmp_path, "b.csv", "编号\n1\n".encode("gbk")), encoding="gb2312").encoding == "GB18030"


def test_bytes_of_no_encoding_are_told_with_offset_and_line(tmp_path):
    with pytest.raises(FileRefused) as refused:
        open_source(write(tmp_path, "a.csv", b"a,b\n1,2\n3,\xff\xff\n"))
    found = refused.value.issue
    assert (found.key, found.params["offset"], found.params["at_line"]) == ("mapping.encoding-unknown", 10, 3)


def test_a_sequence_across_two_pieces_of_a_file_is_no_error(tmp_path):
    content = "a\n" + "x" * ((1 << 20) - 3) + "测\n"
    assert open_source(write(tmp_path, "a.csv", content)).encoding == "UTF-8"


def test_an_unknown_encoding_name_is_a_programming_error(tmp_path):
    with pytest.raises(ValueError, match="latin-1"):
        open_source(write(tmp_path, "a.csv", "a\n1\n"), encoding="latin-1")


@pytest.mark.parametrize(("name", "key"), [("empty.csv", "mapping.file-empty"), ("gone.csv", "mapping.file-missing")])
def test_an_empty_or_missing_file_is_refused(tmp_path, name, key):
    write(tmp_path, "empty.csv", "\n \n")
    with pytest.raises(FileRefused) as refused:
        open_source(tmp_path / name)
    assert refused.value.issue.key == key


def test_the_separator_is_told_from_the_header(tmp_path):
    source = open_source(write(tmp_path, "a.txt", "a\tb\n1,5\t2\n"))
    assert cells(source) == [(2, 2, ("1,5", "2"))]


def test_rows_count_as_a_spreadsheet_does_and_lines_as_an_editor_does(tmp_path):
    source = open_source(write(tmp_path, "a.csv", 'a,b\n"x\ny",1\n\n,\nz,2\n'))
    rows = [(r.row, r.line, r.is_blank) for r in source.rows()]
    assert rows == [(2, 2, False), (3, 4, True), (4, 5, True), (5, 6, False)]


def test_a_row_with_another_number_of_cells_is_shifted_unless_the_surplus_is_empty(tmp_path):
    source = open_source(write(tmp_path, "a.csv", "a,b\n1\n1,2,3\n1,2,,\n"))
    found = [
        (r.row, r.problem and (r.problem.key, r.problem.params["found"], r.problem.params["expected"]))
        for r in source.rows()
    ]
    assert found == [
        (2, ("mapping.shifted-columns", 1, 2)),
        (3, ("mapping.shifted-columns", 3, 2)),
        (4, None),
    ]


def test_a_broken_quotation_costs_its_row_and_not_the_file(tmp_path):
    source = open_source(write(tmp_path, "a.csv", 'a,b\n"x"y,1\nz,2\n'))
    assert [(r.row, r.line, r.problem and r.problem.key) for r in source.rows()] == [
        (2, 2, "mapping.csv-broken"),
        (3, 3, None),
    ]


def test_a_quotation_that_never_ends_names_the_lines_it_swallowed(tmp_path):
    source = open_source(write(tmp_path, "a.csv", 'a,b\n"x,1\nz,2\n'))
    (row,) = source.rows()
    assert (row.problem.key, row.line, row.problem.params["last_line"]) == ("mapping.csv-broken", 2, 3)


def test_repeated_column_names_are_counted(tmp_path):
    assert open_source(write(tmp_path, "a.csv", "药,用法,用法\n1,2,3\n")).header == ("药", "用法", "用法2")


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1, "b": {"c": "x"}}, {"a": 2}]',
        '{"total": 2, "rows": [{"a": 1, "b": {"c": "x"}}, {"a": 2}]}',
        '{"a": 1, "b": {"c": "x"}}\n\n{"a": 2}\n',
    ],
)
def test_json_comes_as_an_array_in_an_object_or_a_line_each(tmp_path, text):
    source = open_source(write(tmp_path, "a.json", text))
    assert source.header == ("a", "b.c")
    assert [dict(zip(r.header, r.cells, strict=True)) for r in source.rows() if not r.is_blank] == [
        {"a": 1, "b.c": "x"},
        {"a": 2},
    ]


def test_json_in_gb18030_is_read(tmp_path):
    source = open_source(write(tmp_path, "a.json", '[{"a": "测试"}]'.encode("gb18030")))
    assert [r.cells for r in source.rows()] == [("测试",)]


def test_a_broken_json_line_costs_its_row(tmp_path):
    source = open_source(write(tmp_path, "a.ndjson", '{"a": 1}\n{"a": \n{"a": 3}\n'))
    assert [(r.row, r.problem and r.problem.key) for r in source.rows()] == [
        (1, None),
        (2, "mapping.json-row"),
        (3, None),
    ]


@pytest.mark.parametrize("text", ['{"a": 1}', '{"a": [], "b": []}', '[{"a": 1}'])
def test_json_without_exactly_one_array_of_records_is_refused(tmp_path, text):
    with pytest.raises(FileRefused) as refused:
        open_source(write(tmp_path, "a.json", text))
    assert refused.value.issue.key == "mapping.json-file"
