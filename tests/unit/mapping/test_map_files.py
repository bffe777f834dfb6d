"""Files -> records -> report, on the hypertension follow-up and on small broken files."""

from dataclasses import astuple
from datetime import UTC, datetime
from functools import cache

import pytest

from fhir_server.errors import InvalidRequest, Issue, Severity
from fhir_server.mapping import load_mappings
from fhir_server.operations.map_records import map_files

NOW = datetime(2025, 7, 1, tzinfo=UTC)
HEAD = "随访编号,档案编号,随访日期,随访方式,收缩压,舒张压,心率,随访医生签名,机构编码"


@cache
def mappings():
    return load_mappings(only=("htn-followup", "care-team"))


@pytest.fixture
def run(tmp_path):
    def start(files, *, form="htn-followup", dialect="national", **options: object):
        paths = []
        for name, text in files.items():
            path = tmp_path / name
            path.write_text(text, encoding="utf-8")
            paths.append(path)
        found = map_files(mappings(), form, dialect, paths, now=NOW, **options)
        return list(found), found.report()

    return start


def findings(report):
    return [(f.row, f.column, f.rule, f.severity) for f in report.issues]


def test_read_is_mapped_plus_rejected_and_blank_rows_are_no_rows(run):
    good = "V1,R1,2025-06-01,门诊,130,80,70,测试,O1"
    records, report = run({"a.csv": f"{HEAD}\n{good}\n\n,,,,,,,,\nV2,,2025-06-01,门诊,130,80,70,测试,O1\nV3\n"})
    assert astuple(report.files[0]) == ("a.csv", "UTF-8", False, 3, 1, 2, 2, 0)
    assert (report.read, report.mapped, report.rejected) == (3, 1, 2)
    assert [(r.row.row, r.key, r.bundle is None) for r in records] == [(2, "V1", False), (5, "", True), (6, "", True)]
    assert findings(report) == [
        (5, "档案编号", "mapping.required", "error"),
        (6, "", "mapping.shifted-columns", "error"),
    ]


def test_a_finding_names_row_line_column_value_and_both_languages(run):
    _, report = run({"a.csv": f"{HEAD}\nV1,R1,2025-06-01,门诊,高,80,70,测试,O1\n"})
    (found,) = report.issues
    assert (found.file, found.row, found.line, found.column, found.value, found.path) == (
        "a.csv",
        2,
        2,
        "收缩压",
        "高",
        "sbp",
    )
    assert found.zh == "第 2 行 ‘收缩压’=‘高’：收缩压 应为数字（可带一个小数点）。"
    assert found.en.startswith("Row 2, '收缩压' = '高': 收缩压 is a number")


def test_three_values_of_the_wrong_kind_hint_at_shifted_columns(run):
    _, report = run({"a.csv": f"{HEAD}\nV1,R1,门诊,130,测试,x,70,测试,O1\n"})
    assert [f.rule for f in report.issues][-1] == "mapping.shifted-hint"
    assert sum(f.severity == "error" for f in report.issues) == 3


def test_unknown_columns_are_counted_by_their_values_and_dropped_ones_never_told(run):
    files = {
        "a.csv": "visitId,empiId,visitDate,visitWay,riskLevel,password\n1,E1,2025-06-01,1,2,topsecret\n2,E1,2025-06-02,1,,\n"
    }
    records, report = run(files, dialect="chis")
    assert [astuple(u) for u in report.unused_columns] == [("a.csv", "riskLevel", 1)]
    assert "topsecret" not in str(report.as_json())
    assert "topsecret" not in str(records)


def test_a_dropped_value_does_not_change_the_hash_of_its_row(run):
    text = "visitId,empiId,visitDate,visitWay,password\n1,E1,2025-06-01,1,{}\n"
    hashes = {run({"a.csv": text.format(word)}, dialect="chis")[0][0].row.sha256 for word in ("one", "two")}
    assert len(hashes) == 1


def test_orphan_lines_are_rejected_rows_of_their_file(run):
    files = {
        "visits.csv": "visitId,empiId,visitDate,visitWay\n1,E1,2025-06-01,1\n",
        "drugs.csv": "visitId,medicineName\n1,甲药\n2,乙药\n,丙药\n",
    }
    records, report = run(files, dialect="chis")
    assert [(f.file, f.read, f.mapped, f.rejected) for f in report.files] == [
        ("visits.csv", 1, 1, 0),
        ("drugs.csv", 3, 1, 2),
    ]
    assert findings(report) == [(3, "", "mapping.orphan-line", "error"), (4, "", "mapping.orphan-line", "error")]
    assert records[0].values["drugs"] == [{"name": "甲药"}]


def test_a_bad_line_rejects_its_whole_record_at_its_own_row(run):
    files = {
        "visits.csv": "visitId,empiId,visitDate,visitWay\n1,E1,2025-06-01,1\n",
        "drugs.csv": "visitId,medicineName,medicineDosage\n1,甲药,10\n1,乙药,半片\n",
    }
    _, report = run(files, dialect="chis")
    assert [(f.read, f.mapped, f.rejected) for f in report.files] == [(1, 0, 1), (2, 0, 2)]
    assert [(f.file, f.row, f.column, f.rule) for f in report.issues] == [
        ("drugs.csv", 3, "medicineDosage", "mapping.not-number"),
        ("visits.csv", 2, "", "mapping.rejected-with"),
        ("drugs.csv", 2, "", "mapping.rejected-with"),
    ]


def test_the_same_row_again_is_unchanged_and_another_one_with_its_key_is_told(run):
    row = "V1,R1,2025-06-01,门诊,130,80,70,测试,O1"
    records, report = run({"a.csv": f"{HEAD}\n{row}\n{row}\n{row.replace('130', '131')}\n"})
    assert report.files[0].unchanged == 1
    assert findings(report) == [(4, "", "mapping.duplicate-record", "warning")]
    assert records[0].bundle["entry"][0] == records[1].bundle["entry"][0]


def test_a_refused_file_does_not_stop_the_others(run):
    files = {"a.csv": "机构编码\nO1\n", "b.csv": f"{HEAD}\nV1,R1,2025-06-01,门诊,130,80,70,测试,O1\n"}
    _, report = run(files)
    assert [(f.file, f.is_refused, f.read) for f in report.files] == [("a.csv", True, 0), ("b.csv", False, 1)]
    assert [f.rule for f in report.issues] == ["mapping.no-table"]


def test_an_invalid_resource_rejects_the_row_and_is_told_at_the_source_value(run):
    def validate(resource):
        code = resource.get("code", {}).get("text")
        return (
            [Issue(Severity.ERROR, "value", "too-fast", "Observation.value", {"en": "fast", "zh": "快"})]
            if code == "心率"
            else []
        )

    records, report = run({"a.csv": f"{HEAD}\nV1,R1,2025-06-01,门诊,130,80,70,测试,O1\n"}, validate=validate)
    assert records[0].bundle is None
    (found,) = report.issues
    assert (found.row, found.column, found.value, found.rule, found.path) == (
        2,
        "心率",
        "70",
        "too-fast",
        "Observation.value",
    )
    assert found.zh == "第 2 行 ‘心率’=‘70’：由此生成的 Observation：快"


def test_two_files_of_one_name_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InvalidRequest, match=r"called a\.csv"):
        map_files(mappings(), "htn-followup", "national", [tmp_path / "a.csv", tmp_path / "b" / "a.csv"], now=NOW)


def test_progress_is_told_after_every_row(run):
    seen = []
    run({"a.csv": f"{HEAD}\nV1,R1,2025-06-01,门诊,130,80,70,测试,O1\n\n"}, progress=seen.append)
    assert seen == [1, 2]


def test_zero_and_null_dates_mean_that_nothing_was_recorded(run):
    text = (
        "visitId,empiId,visitDate,visitWay,constriction,diastolic,nextDate\n1,E1,2025-06-01,1,0,0,1900-01-01 00:00:00\n"
    )
    records, _ = run({"a.csv": text}, dialect="chis")
    assert records[0].values == {"visitNo": "1", "residentNo": "E1", "visitDate": "2025-06-01", "mode": "1"}


def test_one_pressure_without_the_other_is_absent_and_never_zero(run):
    text = "visitId,empiId,visitDate,visitWay,constriction,diastolic,visitUnit\n1,E1,2025-06-01,1,140,0,U1\n"
    records, _ = run({"a.csv": text}, dialect="chis")
    bp = next(e["resource"] for e in records[0].bundle["entry"] if e["resource"].get("code", {}).get("text") == "血压")
    assert [("valueQuantity" in c, "dataAbsentReason" in c) for c in bp["component"]] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("way", "code", "codings"),
    [
        ("1", "AMB", ["outpatient"]),
        ("4", "HH", ["home", "4"]),
        ("2", "AMB", ["outpatient", "2"]),
        ("6", "6", ["6"]),
    ],
)
def test_follow_up_ways_of_the_county_system_are_not_those_of_the_form(run, way, code, codings):
    records, _ = run({"a.csv": f"visitId,empiId,visitDate,visitWay\n1,E1,2025-06-01,{way}\n"}, dialect="chis")
    visit = records[0].bundle["entry"][0]["resource"]
    assert (visit["class"]["code"], [c["code"] for c in visit["type"][1]["coding"]]) == (code, codings)


def test_adverse_reaction_is_y_or_n_in_the_county_system_and_1_is_neither(run):
    rows = "\n".join(f"{n},E1,2025-06-0{n},1,{word}" for n, word in enumerate("ny1", 1))
    records, report = run({"a.csv": f"visitId,empiId,visitDate,visitWay,medicineBadEffect\n{rows}\n"}, dialect="chis")
    assert [r.values["adr"] for r in records] == ["1", "2", "1"]
    assert findings(report) == [(4, "medicineBadEffect", "mapping.code-unmapped", "warning")]
    (answer,) = (
        component
        for entry in records[2].bundle["entry"]
        for component in entry["resource"].get("component", [])
        if component["code"].get("text") == "药物不良反应"
    )
    assert [c["system"] for c in answer["valueCodeableConcept"]["coding"]] == [
        "http://jtys.example/fhir/sid/chis/code/htn-followup-adr"
    ]
