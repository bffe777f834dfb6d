"""Files as strangers write them: joined tables, foreign units, titles above the header, garbled text, contradictions."""

from dataclasses import astuple
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.mapping import load_mappings
from fhir_server.mapping.binding import bind
from fhir_server.mapping.codecs.units import unit_of_title
from fhir_server.mapping.conditions import years_between
from fhir_server.mapping.record import Code, plain
from fhir_server.mapping.sources.mojibake import meant_text
from fhir_server.operations.map_records import map_files

NOW = datetime(2025, 7, 1, tzinfo=UTC)
HEAD = "随访编号,档案编号,随访日期,随访方式,随访医生签名"
ROW = "V1,R1,2025-06-01,门诊,测试"


@cache
def mappings():
    return load_mappings(only=("htn-followup", "personal-info", "contract"))


@pytest.fixture(name="run")
def runner(tmp_path):
    def start(files, *, form="htn-followup", dialect="national", now=NOW):
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        found = map_files(mappings(), form, dialect, [tmp_path / name for name in files], now=now)
        return list(found), found.report()

    return start


def findings(report):
    return [(f.file, f.row, f.column, f.rule) for f in report.issues]


def counts(report):
    return [(f.read, f.mapped, f.rejected) for f in report.files]


def groups_of(record):
    patient = record.bundle["entry"][0]["resource"]
    url = "http://jtys.example/fhir/StructureDefinition/key-population"
    found = [e["valueCodeableConcept"]["coding"][0]["code"] for e in patient.get("extension", ()) if e["url"] == url]
    return sorted(found)


MPI = "empiId,personName,sexCode,birthday,status"


def test_a_table_without_group_adds_its_fields_to_the_record_and_wins_over_it(run):
    files = {
        "MPI.csv": f"{MPI}\nE1,测试,1,1990-01-01,0\n",
        "EHR.csv": "empiId,phrId,status,cancellationReason\nE1,43090310720100014,1,2\nE9,1,0,\n",
    }
    records, report = run(files, form="personal-info", dialect="chis")
    assert records[0].values | {"recordNo": "43090310720100014", "archiveStatus": "1"} == records[0].values
    assert findings(report) == [
        ("MPI.csv", 2, "status", "mapping.other-value"),
        ("EHR.csv", 3, "", "mapping.orphan-line"),
    ]
    assert counts(report) == [(1, 1, 0), (2, 1, 1)]


def test_a_household_row_joins_every_member_and_is_counted_once(run):
    files = {
        "MPI.csv": "empiId,personName,sexCode,birthday,familyId\nE1,甲,1,1990-01-01,F1\nE2,乙,2,1991-01-01,F1\n",
        "FAM.csv": "familyId,ownerName\nF1,甲\n",
    }
    records, report = run(files, form="personal-info", dialect="chis")
    assert [r.values["householdOwner"] for r in records if not r.is_collected] == ["甲", "甲"]
    assert counts(report) == [(2, 2, 0), (1, 1, 0)]


def test_a_credential_is_neither_read_nor_hashed_and_its_column_is_named(run):
    files = [f"{MPI},drPwd\nE1,测试,1,1990-01-01,0,{word}\n" for word in ("one", "two")]
    runs = [run({"MPI.csv": text}, form="personal-info", dialect="chis") for text in files]
    assert len({records[0].row.sha256 for records, _ in runs}) == 1
    assert [astuple(c) for c in runs[0][1].dropped_columns] == [("MPI.csv", "drPwd", 1)]
    assert "one" not in str(runs[0][1].as_json())


@pytest.mark.parametrize(
    ("column", "value", "weight"),
    [
        ("体重（斤）", "130", Decimal(65)),
        ("体重(公斤)", "65.50", Decimal("65.50")),
        ("体重", "130斤", Decimal(65)),
        ("体重（斤）", "65.0kg", Decimal("65.0")),
        ("体重", "65公斤", Decimal(65)),
    ],
)
def test_a_weight_in_another_unit_becomes_kilograms(run, column, value, weight):
    records, report = run({"a.csv": f"{HEAD},{column}\n{ROW},{value}\n"})
    assert (str(records[0].values["weight"]), report.issues) == (str(weight), ())


def test_a_column_in_a_unit_that_we_cannot_convert_is_unused_and_never_read_as_ours(run):
    records, report = run({"a.csv": f"{HEAD},体重(磅)\n{ROW},140\n"})
    assert "weight" not in records[0].values
    assert [astuple(c) for c in report.unused_columns] == [("a.csv", "体重(磅)", 1)]


@pytest.mark.parametrize(
    ("title", "unit"), [("体重\n（KG）*", "kg"), ("摄盐(咸淡)", ""), ("体重", ""), ("血糖(mg/dl)", "mg/dL")]
)
def test_the_unit_of_a_title_is_the_bracket_at_its_end(title, unit):
    assert unit_of_title(title) == unit


def test_a_second_value_for_one_field_is_told_and_the_first_kept(run):
    records, report = run({"a.csv": f"{HEAD},收缩压,舒张压,血压\n{ROW},130,80,140/80\n"})
    assert (records[0].values["sbp"], records[0].values["dbp"]) == (130, 80)
    assert findings(report) == [("a.csv", 2, "血压", "mapping.second-value")]


def test_two_texts_about_one_drug_are_both_kept(run):
    records, _ = run({"a.csv": f"{HEAD},药物名称1,用法1,用量1\n{ROW},甲药,bid,半片\n"})
    assert records[0].values["drugs"] == [{"name": "甲药", "usage": "bid; 半片"}]


def test_several_json_values_for_one_answer_reject_the_row(run):
    text = '[{"随访编号": "1", "档案编号": "R1", "随访日期": "2025-06-01", "随访方式": ["1", "2"]}]'
    _, report = run({"a.json": text})
    assert ("a.json", 1, "随访方式", "mapping.single-value") in findings(report)


def test_nested_lines_are_found_under_the_name_of_their_table_and_others_are_told(run):
    start = '{"visitId": "1", "empiId": "E1", "visitDate": "2025-06-01", "visitWay": 1, "MDC_HypertensionMedicine": '
    records, report = run({"a.ndjson": start + '[{"medicineName": "甲药"}]}\n' + start + '"甲药"}\n'}, dialect="chis")
    assert records[0].values["drugs"] == [{"name": "甲药"}]
    assert findings(report) == [("a.ndjson", 2, "MDC_HypertensionMedicine", "mapping.no-line")]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("ÕÅÈý", "张三"),
        ("寮犱笁", "张三"),
        ("å¼\xa0ä¸‰", "张三"),
        ("Müller", None),
        ("欧阳娜娜", None),
        ("卡托普利片, β受体阻滞剂 25µg", None),
    ],
)
def test_text_read_in_a_wrong_encoding_is_recognised(text, meant):
    assert meant_text(text) == meant


def test_a_garbled_row_is_rejected_and_its_meaning_guessed_for_people(run):
    _, report = run({"a.csv": f"{HEAD}\n{ROW.replace('测试', '寮犱笁')}\n"})
    assert (counts(report), findings(report)) == ([(1, 0, 1)], [("a.csv", 2, "随访医生签名", "mapping.mojibake")])
    assert "张三" in report.issues[0].zh


def test_titles_and_blank_rows_may_stand_above_the_header(run):
    records, report = run({"a.csv": f"高血压随访表,,,,\n\n{HEAD}\n{ROW}\n"})
    assert [r.row.row for r in records] == [4]
    assert findings(report) == [("a.csv", 1, "", "mapping.title-row")]


def test_a_file_without_rows_and_a_last_line_without_end_are_told(run):
    _, report = run({"a.csv": f"{HEAD}\n", "b.csv": f"{HEAD}\n{ROW}"})
    assert findings(report) == [("b.csv", 0, "", "mapping.no-line-end"), ("a.csv", 0, "", "mapping.no-rows")]


def test_a_byte_order_mark_inside_a_file_is_no_part_of_a_value(run):
    records, _ = run({"a.csv": f"{HEAD}\n\ufeff{ROW}\n"})
    assert records[0].values["visitNo"] == "V1"


CONTRACT = "签约编号,档案编号,机构编码,团队名称,签约医生,签约日期,开始日期,结束日期,签约状态"


def test_overlapping_active_contracts_of_a_resident_name_the_first_row(run):
    rows = [
        "C1,R1,O1,甲队,测试,2025-01-01,2025-01-01,2025-12-31,1",
        "C2,R1,O1,乙队,测试,2025-01-01,2025-06-01,2026-05-31,1",
        "C3,R1,O1,乙队,测试,2025-01-01,2026-06-01,2027-05-31,1",
        "C4,R2,O1,乙队,测试,2025-01-01,2025-01-01,2025-12-31,1",
        "C1,R1,O1,甲队,测试,2025-01-01,2025-01-01,2025-12-31,1",
    ]
    _, report = run({"a.csv": "\n".join((CONTRACT, *rows)) + "\n"}, form="contract")
    assert findings(report) == [("a.csv", 3, "开始日期", "fdc-8"), ("a.csv", 6, "开始日期", "fdc-8")]
    assert "a.csv #2" in report.issues[0].zh


def test_one_id_number_under_two_record_numbers_names_the_first_row(run):
    rows = "1,甲,1,1950-03-12,43090319500312123X\n2,乙,1,1950-03-12,43090319500312123X\n"
    _, report = run({"a.csv": f"档案编号,姓名,性别,出生日期,身份证号\n{rows}"}, form="personal-info")
    assert findings(report) == [("a.csv", 3, "身份证号", "pat-same-id")]
    assert "a.csv #2" in report.issues[0].zh


def test_an_id_number_of_the_other_sex_is_told(run):
    row = "1,甲,2,1950-03-12,43090319500312123X\n"
    _, report = run({"a.csv": f"档案编号,姓名,性别,出生日期,身份证号\n{row}"}, form="personal-info")
    assert findings(report) == [("a.csv", 2, "身份证号", "mapping.id-card-sex")]


@pytest.mark.parametrize(
    ("born", "groups"),
    [
        ("1960-07-01", ["elderly-65"]),
        ("1960-07-02", []),
        ("2018-07-02", ["children-0-6"]),
        ("2018-07-01", []),
        ("1960-07", []),
        ("1960-06", ["elderly-65"]),
    ],
)
def test_age_groups_are_told_by_the_day_of_the_run(run, born, groups):
    records, _ = run({"a.csv": f"档案编号,姓名,性别,出生日期\n1,甲,1,{born}\n"}, form="personal-info")
    assert groups_of(records[0]) == groups


def test_a_birthday_counts_from_its_day_on():
    days = [NOW.date(), datetime(2025, 2, 28, tzinfo=UTC).date()]
    assert [years_between("1960-07-01", day) for day in days] == [65, 64]


def test_an_empty_field_is_told_by_the_columns_that_would_feed_it(run):
    _, report = run({"a.csv": "visitId,empiId,visitDate,visitWay\n1,,2025-06-01,1\n"}, dialect="chis")
    assert findings(report) == [("a.csv", 2, "empiId", "mapping.required")]


def test_a_joined_column_is_named_only_where_it_can_be_joined():
    dialect = mappings().mapper("contract", "chis").dialect
    table = next(t for t in dialect.tables if t.name == "SCM_SignContractRecord")
    assert bind(dialect, table, ("SCID", "CREATEUSER")).feeds["doctorCode"] == "CREATEUSER"


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 700), st.decimals(-5, 700, places=2), st.text(max_size=12),
    st.sampled_from(["2025-06-01", "2025-13-01", Code("1", "1"), Code(None, "9")]),
    st.lists(st.builds(Code, st.sampled_from(["1", "2", None]), st.just("x")), max_size=3),
    st.lists(st.dictionaries(st.sampled_from(["name", "dose", "no"]), st.text(max_size=3), max_size=2), max_size=12),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_is_quickly_accepted_breaks_nothing_in_the_schema(data):
    schema = mappings().mapper("htn-followup", "national").schema
    names = st.sampled_from([*schema.form.fields, "nonsense"])
    given_values = data.draw(st.dictionaries(names, VALUES, max_size=4))
    values = {"residentNo": "R1", "visitDate": "2025-06-01"} | given_values
    problems = list(schema.iter_errors(plain(values)))
    assert not (schema.accepts(values) and problems)
    assert list(schema.iter_errors({}))


def test_a_usual_record_is_quickly_accepted(run):
    records, _ = run({"a.csv": f"{HEAD},血压,症状\n{ROW},130/80,1\n"})
    mapper = mappings().mapper("htn-followup", "national")
    checked, _ = mapper.read(records[0].values)
    assert mapper.schema.accepts(checked.values)
