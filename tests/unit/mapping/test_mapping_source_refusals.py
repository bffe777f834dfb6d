"""Files and objects that nobody can read in one way only are refused, and the reason fits what is wrong."""

import os
from datetime import UTC, datetime

import pytest

from fhir_server.errors import InvalidRequest
from fhir_server.mapping import load_mappings
from fhir_server.mapping.sources import FileRefused, open_source
from fhir_server.operations.map_records import map_files

NOW = datetime(2025, 11, 22, tzinfo=UTC)


def rows_of(tmp_path, text, name="a.json"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return [(r.row, r.cells, r.problem and (r.problem.key, r.problem.params)) for r in open_source(path).rows()]


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_an_object_that_says_a_key_twice_with_different_values_is_refused_with_both(tmp_path, name):
    ((row, cells, problem),) = rows_of(
        tmp_path, '{"a": 140, "b": 1, "a": 150}'.join("[]" if name == "a.json" else ("", "")), name
    )
    assert (row, cells, problem[0]) == (1, (), "mapping.json-key-twice")
    assert (problem[1]["column"], problem[1]["value"]) == ("a", "140 / 150")


def test_a_key_inside_a_line_counts_as_well_and_escapes_hide_nothing(tmp_path):
    nested = '[{"a": [{"b": 1, "b": 2}]}, {"a": {"c": "x", "c": "y"}}, {"a": 1, "\\u0061": 2}]'
    assert [p and p[1]["column"] for _, _, p in rows_of(tmp_path, nested)] == ["b", "c", "a"]


def test_what_only_looks_like_a_second_key_passes(tmp_path):
    same = '[{"a": 1, "a": 1}, {"a": "x\\": 1, \\"a", "b": "a:a:a"}, {"a": {"b": 1}, "b": {"b": 1}}, {"a": "\\u003a"}]'
    assert [problem for _, _, problem in rows_of(tmp_path, same)] == [None] * 4


@pytest.mark.parametrize("text", ["[]", "[1, 2]", "[null]"])
def test_json_without_an_object_is_told_as_such(tmp_path, text):
    with pytest.raises(FileRefused) as refused:
        rows_of(tmp_path, text)
    assert (refused.value.issue.key, refused.value.issue.params["reason"]) == (
        "mapping.json-file",
        "there is no object in it",
    )


def test_an_array_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(FileRefused) as refused:
        rows_of(tmp_path, '{"rows": [{"a": 1}], "rows": [{"a": 2}]}')
    assert "'rows' stands twice" in refused.value.issue.params["reason"]


@pytest.mark.parametrize("mark", [";", "|", "，"])
def test_a_file_with_another_separator_is_told_as_such(tmp_path, mark):
    path = tmp_path / "a.csv"
    path.write_text(f"随访编号{mark}档案编号{mark}随访日期\nS1{mark}R1{mark}2025-01-01\n", encoding="utf-8")
    run = map_files(load_mappings(only=("htn-followup",)), "htn-followup", "national", [path], now=NOW)
    assert list(run) == []
    assert [(i.rule, mark in i.en, mark in i.zh) for i in run.report().issues] == [("mapping.separator", True, True)]


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path):
    with pytest.raises(FileRefused) as refused:
        open_source(tmp_path)
    assert (refused.value.issue.key, refused.value.issue.params["reason"]) == (
        "mapping.file-unreadable",
        os.strerror(21),
    )


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"encoding": "big5"}, "mapping.encoding-name"),
        ({"source": "a b"}, "mapping.source-name"),
        ({"source": "a|b"}, "mapping.source-name"),
        ({"source": "x" * 65}, "mapping.source-name"),
    ],
)
def test_a_run_with_impossible_options_is_refused_before_anything_is_read(tmp_path, options, key):
    mappings = load_mappings(only=("organization",))
    with pytest.raises(InvalidRequest) as refused:
        map_files(mappings, "organization", "national", [tmp_path / "none.csv"], now=NOW, **options)
    assert [i.key for i in refused.value.issues] == [key]


@pytest.mark.parametrize("options", [{"encoding": "GB18030"}, {"source": "岳麓-his_2.0"}])
def test_a_run_with_possible_options_is_made(tmp_path, options):
    map_files(
        load_mappings(only=("organization",)), "organization", "national", [tmp_path / "a.csv"], now=NOW, **options
    )
