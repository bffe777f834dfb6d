"""Bad usage ends a command with one sentence and exit code 2, before any work is done."""

import json
import socket

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app

VISIT = "随访编号,档案编号,随访日期,随访方式\nS1,R1,2025-03-12,1\n"
MAP = ("map", "--form", "htn-followup", "--dialect", "national")
LOAD = ("load", "--form", "htn-followup", "--dialect", "national")


def run(*arguments: object, **environment: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments], env=environment)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


@pytest.fixture
def visits(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text(VISIT, "utf-8")
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--out", "nowhere/x.ndjson"), "there is no folder nowhere"),
        (("--out", "."), "it is a folder"),
        (("--report", "nowhere/r.json"), "there is no folder nowhere"),
        (("--out", "/dev/full"), "cannot write /dev/full"),
        (("--encoding", "big5"), "Known: auto, utf-8"),
        (("--source", "a b"), "becomes a part of identifiers"),
    ],
)
def test_map_says_what_it_cannot_do(visits, options, said):
    code, err = run(*MAP, visits, *options)
    assert (code, said in err) == (2, True)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FHIR_ZONE": "Mars"}, "'Mars' is no time zone"),
        ({"FHIR_LOG_LEVEL": "loud"}, "is none of debug, info, warning, error"),
        ({"FHIR_PORT": "x"}, "is not a whole number"),
        ({"FHIR_PACKAGES": "/nowhere"}, "expected a FHIR package"),
    ],
)
@pytest.mark.parametrize("command", [MAP, (*LOAD, "--store", "sqlite:///:memory:"), ("validate",)])
def test_a_wrong_setting_is_told_by_every_command(visits, environment, said, command):
    code, err = run(*command, visits, **environment)
    assert (code, said in err) == (2, True)


def test_doctor_tells_a_wrong_setting():
    assert run("doctor", FHIR_ZONE="Mars")[0] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--base-url", "localhost:8080/fhir"), "http://HOST:PORT/fhir, not 'localhost:8080/fhir'"),
        (("--base-url", ""), "http://HOST:PORT/fhir, not ''"),
        (("--base-url", "http://127.0.0.1:1/fhir"), "http://127.0.0.1:1/fhir/metadata: ConnectError"),
        (("--store", "sqlite:///:memory:", "--report", "nowhere/r.json"), "there is no folder nowhere"),
    ],
)
def test_load_says_what_it_cannot_do(visits, options, said):
    code, err = run(*LOAD, visits, *options)
    assert (code, said in err, "what is stored stays" in err) == (2, True, False)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"dialect": "national", "files": []}, "names no files"),
        (
            {"dialect": "national", "files": [{"form": "contract", "paths": ["a.csv"]}]},
            "names no files of the form htn",
        ),
        ({"dialect": "national", "files": [{"form": "htn-followup", "paths": ["a"], "encoding": "x"}]}, "Known: auto"),
        ([], "cannot be used"),
    ],
)
def test_a_manifest_that_names_nothing_is_no_success(tmp_path, manifest, said):
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    code, err = run("map", tmp_path, "--form", "htn-followup")
    assert (code, said in err) == (2, True)


def test_serve_says_that_its_port_is_in_use_before_it_loads_anything():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, err = run("serve", "--port", taken.getsockname()[1], "--store", "sqlite:///:memory:")
    assert (code, "Address already in use" in err) == (2, True)


def test_generate_does_not_write_where_a_file_is(visits):
    code, err = run("generate", "--out", visits, "--residents", "1")
    assert (code, "is a file" in err) == (2, True)


def test_findings_cannot_drive_the_terminal_and_those_of_a_whole_file_have_no_row(visits):
    visits.write_text(f"{VISIT.splitlines()[0]}\nS1,R1,2025-03-99\x1b[31m,1\n", "utf-8")
    _, err = run(*MAP, visits, "--no-validate")
    assert ("\x1b[31m" in err, "\\x1b[31m" in err) == (False, True)
    visits.write_text("", "utf-8")
    code, err = run(*MAP, visits)
    assert (code, "visits.csv  [mapping.file-empty]" in err) == (1, True)


def test_warnings_that_are_not_shown_are_told(visits):
    visits.write_text(VISIT.splitlines()[0] + "\n", "utf-8")
    code, err = run(*MAP, visits)
    assert (code, "1 warning(s), not shown here; --report FILE has them" in err) == (0, True)


def test_load_shows_how_many_resources_the_source_took_back(tmp_path, visits):
    store = f"sqlite:///{tmp_path / 'fhir.db'}"
    residents = tmp_path / "residents.csv"
    residents.write_text("档案编号,姓名,性别,出生日期,血型\nR1,刘某,1,1960-01-01,A\n", "utf-8")
    command = ("load", "--form", "personal-info", "--dialect", "national", residents, "--store", store)
    assert run(*command)[0] == 0
    residents.write_text("档案编号,姓名,性别,出生日期,血型\nR1,刘某,1,1960-01-01,\n", "utf-8")
    _, err = run(*command)
    lines = [line.split() for line in err.splitlines()]
    heading = next(n for n, words in enumerate(lines) if words[:1] == ["form"])
    assert dict(zip(lines[heading], lines[heading + 1], strict=True)) == {
        "form": "personal-info", "read": "1", "mapped": "1", "rejected": "0", "created": "0", "updated": "1",
        "unchanged": "0", "deleted": "1", "warnings": "0",
    }  # fmt: skip


def test_the_time_zone_of_the_settings_reads_the_source(tmp_path):
    slip = tmp_path / "slip.csv"
    slip.write_text(
        "转诊单号,档案编号,患者姓名,日期,机构编码,转诊医生,转入单位,初步印象\nZ1,R1,刘某,2025-06-01 08:00:00,O1,周某,县院,高血压\n",
        "utf-8",
    )
    out = tmp_path / "out.ndjson"
    command = ("map", "--form", "referral", "--dialect", "national", slip, "--out", out)
    assert run(*command, FHIR_ZONE="Asia/Urumqi")[0] == 0
    (request,) = [
        e["resource"]
        for e in json.loads(out.read_text())["entry"]
        if "ServiceRequest" in e["fullUrl"] + e["request"]["url"]
    ]
    assert request["authoredOn"] == "2025-06-01T08:00:00+06:00"
