"""The command line as a user meets it: exit codes, messages, files."""

import json

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app
from fhir_server.cli.serve import is_loopback

PATIENT = {"resourceType": "Patient", "name": [{"text": "测试员"}], "multipleBirthInteger": 2}
FOLLOW_UP = """随访编号,编号,姓名,随访日期,随访方式,收缩压,舒张压,心率,体重,服药依从性,药物不良反应,此次随访分类,下次随访日期,随访医生签名
SF0001,43090310710100012,测试员,2025-03-12,2,152,88,76,61.50,1,1,2,2025-03-26,张医生
SF0002,43090310710100012,测试员,2025-06-12,2,82,88,76,61.50,1,1,2,2025-06-26,张医生
"""
RESIDENT = """档案编号,姓名,性别,出生日期
43090310710100012,测试员,2,1950-05-06
"""


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def patient_file(tmp_path):
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(PATIENT), "utf-8")
    return file


def test_version_and_help():
    assert run("--version")[:2] == (0, "fhir-server 0.1.0\n")
    assert "family-doctor contracts" in run("--help")[1]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.5", False),
        ("example.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(host, loopback):
    assert is_loopback(host) is loopback


def test_serve_refuses_other_addresses_with_the_reason_in_both_languages():
    code, _, err = run("serve", "--host", "0.0.0.0")
    assert code == 2
    assert "--insecure" in err
    assert "拒绝监听" in err


def test_serve_refuses_an_unknown_store():
    code, _, err = run("serve", "--store", "redis://x")
    assert (code, "sqlite:///PATH" in err) == (2, True)


def test_validate_is_0_for_good_and_1_for_bad(patient_file):
    assert run("validate", patient_file)[:2] == (0, "patient.json: ok\n")
    patient_file.write_text(json.dumps({**PATIENT, "gender": "girl"}), "utf-8")
    code, out, _ = run("validate", patient_file)
    assert code == 1
    assert "Patient.gender" in out


def test_validate_against_a_profile(patient_file):
    url = "http://jtys.example/fhir/StructureDefinition/fd-patient"
    code, out, _ = run("validate", patient_file, "--profile", url, "--json")
    issues = json.loads(out)["issue"]
    assert code == 1
    assert "Patient" in {i["expression"][0] for i in issues}
    code, _, err = run("validate", patient_file, "--profile", "http://x/y")
    assert (code, url in err) == (2, True)


def test_validate_reads_ndjson_line_by_line(tmp_path):
    file = tmp_path / "two.ndjson"
    file.write_text(json.dumps(PATIENT) + "\n{}\n", "utf-8")
    code, out, _ = run("validate", file)
    assert (code, out.splitlines()[0]) == (1, "two.ndjson:1: ok")
    assert "two.ndjson:2: " in out


def test_fhirpath_prints_results_as_json(patient_file):
    assert run("fhirpath", "name.text | multipleBirth", patient_file)[:2] == (0, '"测试员"\n2\n')
    code, _, err = run("fhirpath", "name.", patient_file)
    assert (code, "name." in err) == (2, True)


def test_doctor_checks_everything(tmp_path):
    code, out, _ = run("doctor", "--store", f"sqlite:///{tmp_path}/new.db")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["ok", "python:"], ["ok", "sqlite:"], ["ok", "time"], ["ok", "definitions:"], ["ok", "mappings:"], ["ok", "store:"]
    ]  # fmt: skip
    (tmp_path / "bad.db").write_text("no database", "utf-8")
    code, out, _ = run("doctor", "--store", f"sqlite:///{tmp_path}/bad.db")
    assert (code, "FAIL  store" in out) == (1, True)


@pytest.fixture
def sources(tmp_path):
    follow_up, resident = tmp_path / "随访.csv", tmp_path / "居民.csv"
    follow_up.write_bytes(FOLLOW_UP.encode("gb18030"))
    resident.write_bytes(RESIDENT.encode("gb18030"))
    return tmp_path


def test_map_writes_bundles_and_a_report(sources):
    out, report = sources / "out.ndjson", sources / "report.json"
    code, _, err = run(
        "map", "--form", "htn-followup", "--dialect", "national", sources / "随访.csv", "--out", out, "--report", report
    )
    assert code == 0
    (bundle,) = map(json.loads, out.read_text("utf-8").splitlines())
    assert {"Encounter", "Observation", "CarePlan", "Provenance"} <= {
        e["resource"]["resourceType"] for e in bundle["entry"]
    }
    assert '"value":61.50' in out.read_text("utf-8")
    told = json.loads(report.read_text("utf-8"))
    assert (told["read"], told["mapped"], told["rejected"]) == (2, 1, 1)
    (found,) = [i for i in told["forms"][0]["issues"] if i["severity"] == "error"]
    assert (found["file"], found["row"], found["column"], found["value"], found["rule"]) == (
        "随访.csv", 3, "收缩压", "82", "bp-1",
    )  # fmt: skip
    assert "收缩压必须大于舒张压" in err


def test_map_strict_and_refused_files_exit_with_1(sources):
    arguments = ("map", "--form", "htn-followup", "--dialect", "national", sources / "随访.csv", "--out", sources / "o")
    assert run(*arguments, "--strict")[0] == 1
    code, _, err = run(*arguments, "--encoding", "utf-8")
    assert code == 1
    assert "检测为 GB18030" in err


def test_map_says_what_is_missing(sources):
    assert run("map", sources / "随访.csv")[0] == 2
    code, _, err = run("map", "--form", "shoe", "--dialect", "national", sources / "随访.csv", "--out", sources / "o")
    assert (code, "htn-followup" in err) == (2, True)
    code, _, err = run("map", "--form", "contract", "--dialect", "national", sources / "none.csv")
    assert (code, "no such file" in err) == (2, True)
    assert run("map", sources)[0] == 2


def load(sources, form: str, file: str, store: str) -> dict:
    report = sources / "load.json"
    code, *_ = run(
        "load", "--form", form, "--dialect", "national", sources / file, "--store", store, "--report", report
    )
    assert code == 0
    return json.loads(report.read_text("utf-8"))


def test_loading_twice_changes_nothing_and_says_unchanged(sources):
    store = f"sqlite:///{sources}/fhir.db"
    first = load(sources, "personal-info", "居民.csv", store)
    assert first["stored"] == {"created": 1, "updated": 0, "unchanged": 0}
    assert load(sources, "htn-followup", "随访.csv", store)["stored"] == {"created": 1, "updated": 0, "unchanged": 0}
    again = load(sources, "htn-followup", "随访.csv", store)
    assert again["stored"] == {"created": 0, "updated": 0, "unchanged": 1}
    assert again["resources"]["created"] + again["resources"]["updated"] == 0


def test_a_changed_row_makes_new_versions_of_what_changed(sources):
    store = f"sqlite:///{sources}/fhir.db"
    load(sources, "personal-info", "居民.csv", store)
    load(sources, "htn-followup", "随访.csv", store)
    (sources / "随访.csv").write_bytes(FOLLOW_UP.replace("61.50", "62.00").encode("gb18030"))
    changed = load(sources, "htn-followup", "随访.csv", store)
    assert changed["stored"] == {"created": 0, "updated": 1, "unchanged": 0}
    assert changed["resources"]["updated"] == 2  # the weight and the Provenance


def test_a_record_without_its_resident_is_rejected_and_told(sources):
    report = load(sources, "htn-followup", "随访.csv", f"sqlite:///{sources}/empty.db")
    assert (report["read"], report["mapped"], report["rejected"]) == (2, 0, 2)
    rules = {(i["row"], i["rule"], i["value"]) for i in report["forms"][0]["issues"] if i["severity"] == "error"}
    assert rules == {(3, "bp-1", "82"), (2, "load.owner-missing", "43090310710100012")}


def test_load_needs_exactly_one_place(sources):
    code, _, err = run("load", "--form", "contract", "--dialect", "national", sources / "居民.csv")
    assert (code, "--base-url" in err) == (2, True)


def test_load_over_http_does_the_same(sources):
    from support.live import live_server

    with live_server(sources) as base_url:
        results = []
        for form, file in (("personal-info", "居民.csv"), ("htn-followup", "随访.csv"), ("htn-followup", "随访.csv")):
            report = sources / "http.json"
            arguments = ("--form", form, "--dialect", "national", sources / file, "--base-url", base_url)
            assert run("load", *arguments, "--report", report)[0] == 0
            results.append(json.loads(report.read_text("utf-8"))["stored"])
    assert results[0]["created"] == 1
    assert results[1]["created"] == 1
    assert results[2] == {"created": 0, "updated": 0, "unchanged": 1}


def test_load_over_http_says_when_nobody_answers(sources):
    arguments = ("--form", "personal-info", "--dialect", "national", sources / "居民.csv")
    code, _, err = run("load", *arguments, "--base-url", "http://127.0.0.1:9/fhir")
    assert (code, "127.0.0.1:9" in err) == (2, True)


def test_a_pressure_that_nobody_is_said_to_have_measured_stays_one_of_r4_with_a_warning(tmp_path):
    file, out, report = tmp_path / "v.csv", tmp_path / "o.ndjson", tmp_path / "r.json"
    file.write_text(
        "编号,姓名,随访日期,随访方式,收缩压,舒张压,室温\n43090310710100012,甲,2025-03-12,1,150,95,21\n", "utf-8"
    )
    arguments = ("--form", "htn-followup", "--dialect", "national", file, "--out", out, "--report", report)
    code, _, err = run("map", *arguments)
    told = json.loads(report.read_text("utf-8"))
    assert (code, told["mapped"], told["rejected"]) == (0, 1, 0)
    assert [i["rule"] for i in told["forms"][0]["issues"]] == ["htn-performer"]
    assert '"profile":["http://hl7.org/fhir/StructureDefinition/bp"]' in out.read_text("utf-8")
    assert "v.csv 室温: not used, 1 value(s)" in err
