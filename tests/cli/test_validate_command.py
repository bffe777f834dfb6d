"""`fhir-server validate` as a user meets it: formats, folders, languages, exit codes, many processes."""

import json
import os
import pty
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app
from fhir_server.cli.output import language_of_environment, neutral, neutral_json

GOOD = {"resourceType": "Patient", "id": "p1", "name": [{"text": "测试员"}], "gender": "female"}
BAD = {**GOOD, "id": "p2", "gender": "girl"}
XML = '<Patient xmlns="http://hl7.org/fhir">\n  <gender value="girl"/>\n</Patient>\n'
BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": GOOD}, {"resource": BAD}]}


def run(*arguments, stdin=None, **environment: str):
    done = CliRunner().invoke(app, ["validate", *map(str, arguments)], input=stdin, env={"LANG": "en_US.UTF-8", "LC_ALL": "", **environment})  # fmt: skip
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def text(resource, **options: object):
    return json.dumps(resource, ensure_ascii=False, **options)


@pytest.fixture
def write(tmp_path):
    def written(name, content):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else text(content), "utf-8")
        return file

    return written


def test_several_files_are_told_in_their_order(write):
    good, bad = write("a.json", GOOD), write("b.json", BAD)
    code, out, err = run(bad, good)
    lines = out.splitlines()
    assert (code, lines[0], lines[-1]) == (1, "b.json: 1 finding(s)", "a.json: ok")
    assert err == "2 resource(s) validated: 1 with errors\n"


def test_a_finding_has_severity_place_path_and_sentence(write):
    file = write("bad.json", text(BAD, indent=1))
    row = run(file)[1].splitlines()[1].split()
    assert row[:3] == ["error", "9:2", "Patient.gender"]
    assert "[validation.binding-required]" in run(file)[1]


def test_a_folder_stands_for_its_json_xml_and_ndjson(write, tmp_path):
    write("f/b/two.ndjson", text(GOOD) + "\n\n" + text(GOOD) + "\n")
    write("f/a.json", GOOD)
    write("f/c.xml", XML)
    write("f/readme.txt", "no resource")
    out = run(tmp_path / "f")[1].splitlines()
    names = [line.partition(": ")[0] for line in out if not line.startswith(" ")]
    assert names == ["a.json", "two.ndjson:1", "two.ndjson:3", "c.xml"]


def test_an_empty_folder_is_a_usage_error(tmp_path):
    assert run(tmp_path)[0] == 2


def test_xml_is_placed_in_its_own_text(write):
    code, out, _ = run(write("p.xml", XML))
    assert code == 1
    assert out.splitlines()[1].split()[:3] == ["error", "2:3", "Patient.gender"]


def test_a_bundle_names_the_resource_of_an_entry(write):
    out = run(write("b.json", BUNDLE))[1]
    assert "Bundle.entry[1].resource.gender (Patient/p2)" in out.replace("\n", " ")


@pytest.mark.parametrize(
    ("stdin", "names"),
    [
        (text(GOOD), ["stdin"]),
        (text(GOOD, indent=2), ["stdin"]),
        (text(GOOD) + "\n" + text(GOOD) + "\n", ["stdin:1", "stdin:2"]),
    ],
)
def test_standard_input_is_a_resource_or_lines_of_them(stdin, names):
    code, out, _ = run("-", stdin=stdin)
    assert (code, out.splitlines()) == (0, [f"{name}: ok" for name in names])


def test_json_output_is_one_outcome_a_line_with_the_files_name(write):
    code, out, err = run(write("a b.json", BAD), write("good.json", GOOD), "--json")
    outcomes = [json.loads(line) for line in out.splitlines()]
    assert [o["meta"]["source"] for o in outcomes] == ["a%20b.json", "good.json"]
    assert [o["issue"][0]["details"]["coding"][0]["code"] for o in outcomes] == [
        "validation.binding-required",
        "validation.all-ok",
    ]
    assert (code, err) == (1, "")


def test_text_that_is_no_json_is_a_fatal_finding(write):
    code, out, _ = run(write("x.json", '{"resourceType": "Patient",\n "name" }'))
    assert (code, out.splitlines()[1].split()[:2]) == (1, ["fatal", "2:9"])


def test_findings_below_the_least_severity_are_not_shown_but_errors_count(write):
    warned = {**GOOD, "meta": {"profile": ["http://e.example/none"]}}
    file = write("w.json", warned)
    assert "warning" in run(file)[1]
    assert run(file, "--severity", "error")[:2] == (0, "w.json: ok\n")
    assert run(write("b.json", BAD), "--severity", "error")[0] == 1


def test_quiet_names_only_what_has_findings(write):
    assert run(write("a.json", GOOD), "--quiet")[1] == ""


@pytest.mark.parametrize(
    ("arguments", "environment", "word"),
    [
        ([], {"LANG": "zh_CN.UTF-8"}, "个问题"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "finding(s)"),
        (["--lang", "zh"], {}, "个问题"),
        (["--lang", "en"], {"LANG": "zh_CN.UTF-8"}, "finding(s)"),
    ],
)
def test_findings_are_told_in_the_users_language(write, arguments, environment, word):
    assert word in run(write("bad.json", BAD), *arguments, **environment)[1]


def test_the_environment_tells_the_language():
    assert language_of_environment({"LANG": "zh_TW"}) == "zh"
    assert language_of_environment({"LC_MESSAGES": "en_GB", "LANG": "zh_CN"}) == "en"
    assert language_of_environment({}) == "en"


def test_what_a_terminal_would_obey_is_written_out(write):
    evil = {**GOOD, "gender": "\x1b[2Jgirl\u202e\x9b"}
    out = run(write("e.json", evil))[1]
    assert not set(out) & {"\x1b", "\u202e", "\x9b"}
    assert "\\x1b[2J" in out
    line = run(write("e.json", evil), "--json")[1]
    assert not set(line) & {"\x1b", "\u202e", "\x9b"}
    assert "[2Jgirl\u202e\x9b" in json.loads(line)["issue"][0]["details"]["text"]


def test_neutral_text_keeps_everything_else():
    assert neutral("明 é \t\r\x07\u2066") == "明 é \\x09\\x0d\\x07\\u2066"
    assert json.loads(neutral_json('"明\x9b"')) == "明\x9b"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["none.json"], "no such file"),
        (["-", "--profile", "http://e.example/none"], "not loaded"),
        (["-", "--jobs", "0"], "jobs"),
    ],
)
def test_a_command_that_cannot_start_is_2(arguments, word):
    code, _, err = run(*arguments, stdin="{}")
    assert (code, word in err) == (2, True)


def test_help_explains_the_exit_codes():
    assert "Exit codes: 0 no errors; 1 errors were found; 2" in " ".join(run("--help")[1].split())


def test_many_processes_give_the_same_answer_in_the_same_order(write):
    lines = [text(BAD if n % 97 == 0 else {**GOOD, "id": f"p{n}"}) for n in range(500)]
    file = write("many.ndjson", "\n".join(lines) + "\n")
    alone, together = run(file, "--jobs", "1"), run(file, "--jobs", "2")
    assert together == alone
    assert together[1].splitlines()[1:3] != []
    assert together[1].count("1 finding(s)") == 6


def test_a_bar_is_drawn_on_a_terminal_only(write):
    """Runs the command with a terminal as standard error; the findings go to a pipe and stay clean."""
    file = write("a.json", GOOD)
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "fhir_server", "validate", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, check=False, env={**os.environ, "TERM": "xterm"})  # fmt: skip
    os.close(follower)
    shown = os.read(leader, 65536)
    os.close(leader)
    assert (done.returncode, done.stdout) == (0, b"a.json: ok\n")
    assert "━".encode() in shown
    assert b"1 resource(s) validated" in shown
