"""`fhir-server fhirpath` as a user meets it: JSON and XML, results one a line, a mark where it failed."""

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app

PATIENT = '{"resourceType": "Patient", "name": [{"text": "测试员"}], "multipleBirthInteger": 2}'
XML = '<Patient xmlns="http://hl7.org/fhir"><name><text value="测试员"/></name></Patient>'


def run(expression, stdin):
    done = CliRunner().invoke(app, ["fhirpath", expression, "-"], input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("stdin", [PATIENT, XML])
def test_results_are_json_one_a_line(stdin):
    assert run("name.text | name", stdin) == (0, '"测试员"\n{"text":"测试员"}\n', "")


@pytest.mark.parametrize(
    ("expression", "mark"),
    [
        ("name.first(", "  name.first(\n             ^"),
        ("true and\n1 + 'x'", "  1 + 'x'\n    ^"),
        ("'姓名' + 1", "  '姓名' + 1\n         ^"),
        ("'ab\\q'", "  'ab\\q'\n     ^"),
    ],
)
def test_a_failure_marks_its_place(expression, mark):
    code, _, err = run(expression, PATIENT)
    assert (code, err.rstrip().endswith(mark)) == (2, True), err


def test_text_that_is_no_resource_is_2():
    assert run("name", "[]")[0] == 2
    assert run("name", "<x/>")[0] == 2


def test_what_a_terminal_would_obey_is_written_out():
    assert run("'\\u001b[2J' & '\\u009b'", PATIENT)[1] == '"\\u001b[2J\\u009b"\n'


NDJSON = '{"resourceType": "Patient", "id": "a"}\n\n{"resourceType": "Group", "id": "b"}\n'


def test_each_line_of_ndjson_is_a_resource():
    assert run("id", NDJSON) == (0, '"a"\n"b"\n', "")


def test_a_wrong_line_of_ndjson_ends_it():
    code, out, err = run("id", NDJSON + "{")
    assert (code, out, "JSON" in err) == (2, '"a"\n"b"\n', True), err


def test_a_failure_speaks_the_language_of_the_environment(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "应为名称，实际为表达式结尾" in run("name.first(", PATIENT)[2]
    monkeypatch.setenv("LC_ALL", "C")
    assert "expected a name but found the end" in run("name.first(", PATIENT)[2]
