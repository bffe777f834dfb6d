"""Cells as people and spreadsheets write them: what each is read as, and which finding it gives, in both dialects."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import pytest

from fhir_server.mapping import Mappings, load_mappings
from fhir_server.operations.map_records import MappedRecord, map_files

NOW = datetime(2025, 11, 22, tzinfo=UTC)
VISIT = {
    "随访编号": "S1", "档案编号": "43090310720100001", "姓名": "刘某", "随访日期": "2025-06-01", "随访方式": "1", "症状": "1",
    "收缩压": "150", "舒张压": "95", "体重": "61.50", "心率": "80", "此次随访分类": "2", "随访医生编码": "D1", "机构编码": "O1",
}  # fmt: skip
RESIDENT = {"档案编号": "43090310720100001", "姓名": "刘某", "性别": "1", "出生日期": "1966-11-26"}
CONTRACT = {
    "签约编号": "Q1", "档案编号": "R1", "姓名": "刘某", "团队编码": "T1", "签约医生编码": "D1", "机构编码": "O1", "签约日期": "2025-01-01",
    "开始日期": "2025-01-02", "结束日期": "2026-01-01", "签约状态": "1", "签约类型": "individual", "服务包编码": "basic",
}  # fmt: skip
COUNTY_VISIT = {
    "visitId": "1", "empiId": "E1", "visitDate": "2025-06-01", "visitWay": "1", "currentSymptoms": "1", "constriction": "150",
    "diastolic": "95", "weight": "61.50", "medicineBadEffect": "n", "visitEvaluate": "2", "visitDoctor": "D1",
}  # fmt: skip
COUNTY_RESIDENT = {"empiId": "E1", "personName": "刘某", "sexCode": "1", "birthday": "1966-11-26"}
COUNTY_CONTRACT = {
    "SCID": "Q1", "favoreeEmpiId": "E1", "createUnit": "T1", "createUser": "D1", "operatorUnit": "O1", "scDate": "2025-01-01",
    "beginDate": "2025-01-02", "endDate": "2026-01-01", "signFlag": "1", "signServicePackages": "basic",
}  # fmt: skip
ROWS = {
    ("htn-followup", "national"): VISIT,
    ("personal-info", "national"): RESIDENT,
    ("contract", "national"): CONTRACT,
    ("htn-followup", "chis"): COUNTY_VISIT,
    ("personal-info", "chis"): COUNTY_RESIDENT,
    ("contract", "chis"): COUNTY_CONTRACT,
}


@cache
def mappings() -> Mappings:
    return load_mappings()


@pytest.fixture
def read(tmp_path):
    """Maps one row of a form with some cells written otherwise: the record, and (rule, column) of its findings."""

    def run(
        form: str, dialect: str, *, bad_id: str = "warn", **cells: str
    ) -> tuple[MappedRecord, list[tuple[str, str]]]:
        row = ROWS[form, dialect] | cells
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([row.keys(), row.values()])
        path = tmp_path / "rows.csv"
        path.write_text(text.getvalue(), encoding="utf-8")
        told = map_files(mappings(), form, dialect, [path], now=NOW, bad_id=bad_id)
        (record,) = (r for r in told if not r.is_collected)
        report = told.report()
        assert report.as_json()["read"] == 1
        assert all(f.en and f.zh and f.row == 2 and f.file == "rows.csv" for f in report.issues)
        return record, [(f.rule, f.column) for f in report.issues]

    return run


@pytest.mark.parametrize("column", ["随访日期", "visitDate"])
@pytest.mark.parametrize(
    ("text", "day", "rules"),
    [
        ("45234", "2023-11-04", ["mapping.day-number"]),
        ("45234.75", "2023-11-04", ["mapping.day-number"]),
        ("４５２３４", "2023-11-04", ["mapping.day-number"]),
        ("10000", "1927-05-18", ["mapping.day-number"]),
        ("2025/3/1", "2025-03-01", []),
        ("2025年3月1日", "2025-03-01", []),
        ("20250301", "2025-03-01", []),
        ("'2025-03-01", "2025-03-01", []),
        ('="20250301"', "2025-03-01", []),
        ("2025-3-1 8:05", "2025-03-01", []),
        ("0025-06-01", None, ["mapping.year-impossible", "mapping.required"]),
        ("1849-12-31", None, ["mapping.year-impossible", "mapping.required"]),
        ("1899-12-30", None, ["mapping.required"]),
        ("1900-01-01 00:00:00", None, ["mapping.required"]),
        ("0001-01-01 00:00:00", None, ["mapping.required"]),
        ("25-06-01", None, ["mapping.not-date", "mapping.required"]),
        ("3/1/2025", None, ["mapping.not-date", "mapping.required"]),
        ("2025-02-29", None, ["mapping.no-such-day", "mapping.required"]),
        ("99999", None, ["mapping.not-date", "mapping.required"]),
    ],
)
def test_a_day_is_read_in_every_shape_a_spreadsheet_gives_it(read, column, text, day, rules):
    dialect = "national" if column == "随访日期" else "chis"
    record, found = read("htn-followup", dialect, **{column: text})
    told = [r for r in rules if r != "mapping.required" or len(rules) == 1]
    assert (record.values.get("visitDate"), found) == (day, [(r, column) for r in told])
    assert (record.bundle is None) == (day is None)


@pytest.mark.parametrize(
    ("place", "where", "text", "code"),
    [
        *(
            ("gender", ("personal-info", "national", "性别"), text, "1")
            for text in (
                "1",
                "１",
                "男",
                "男性",
                "1.男",
                "1男",
                "1、男",
                "1-男",
                "1:男",
                "(1)男",
                "男(1)",
                "男性(1)",
                "男（1）",
                "1.0",
                "'1",
            )
        ),
        ("gender", ("personal-info", "national", "性别"), "2.女", "2"),
        ("gender", ("personal-info", "national", "性别"), "不详", "0"),
        ("gender", ("personal-info", "chis", "sexCode"), "1.男", "1"),
        ("gender", ("personal-info", "chis", "sexCode"), "男(1)", "1"),
        ("abo", ("personal-info", "national", "血型"), "A型（1）", "1"),
        ("abo", ("personal-info", "national", "血型"), "4.AB型", "4"),
        ("rh", ("personal-info", "national", "RH"), "阳性(2)", "2"),
        ("rh", ("personal-info", "chis", "rhBloodCode"), "1.RH阳性", "2"),
        ("education", ("personal-info", "national", "文化程度"), "7、初中", "7"),
        ("education", ("personal-info", "chis", "educationCode"), "8.大学本科", "2"),
        ("education", ("personal-info", "chis", "educationCode"), "2.小学", "8"),
        ("ethnicity", ("personal-info", "national", "民族"), "6", "06"),
        ("ethnicity", ("personal-info", "national", "民族"), "6.0", "06"),
        ("ethnicity", ("personal-info", "national", "民族"), "06苗族", "06"),
        ("ethnicity", ("personal-info", "national", "民族"), "少数民族(苗族)", "06"),
        ("ethnicity", ("personal-info", "chis", "nationCode"), "1", "01"),
        ("marital", ("personal-info", "chis", "maritalStatusCode"), "2.0", "2"),
        ("status", ("contract", "national", "签约状态"), "1.签约", "active"),
        ("status", ("contract", "national", "签约状态"), "签约(1)", "active"),
        ("status", ("contract", "chis", "signFlag"), "1.签约", "active"),
        ("mode", ("htn-followup", "national", "随访方式"), "①", "1"),
        ("mode", ("htn-followup", "national", "随访方式"), "门诊(1)", "1"),
        ("mode", ("htn-followup", "chis", "visitWay"), "5.电话随访", "3"),
    ],
)
def test_a_code_is_read_with_its_label_or_as_a_number(read, place, where, text, code):
    form, dialect, column = where
    record, found = read(form, dialect, **{column: text})
    assert (record.values[place], found) == (code, [])


@pytest.mark.parametrize("text", ["1.女", "男(2)", "2男性", "3", "3.男", "M", "11", "1 1"])
def test_a_code_that_its_label_contradicts_is_refused_and_what_is_known_is_told(read, text):
    record, found = read("personal-info", "national", 性别=text)
    assert (record.bundle, found) == (None, [("mapping.code-refused", "性别")])
    assert "Known: 0 未知的性别、1 男、2 女、9 未说明的性别." in record.issues[0].text("en")
    assert "可用：0 未知的性别、1 男、2 女、9 未说明的性别。" in record.issues[0].text("zh")


@pytest.mark.parametrize("text", ["1.家庭", "22", "11", "4", "门诊/电话"])
def test_an_answer_that_is_none_is_kept_as_it_stands_and_told(read, text):
    record, found = read("htn-followup", "national", 随访方式=text)
    assert (record.values["mode"], found) == (text, [("mapping.code-unmapped", "随访方式")])


@pytest.mark.parametrize(("dialect", "column"), [("national", "症状"), ("chis", "currentSymptoms")])
@pytest.mark.parametrize(
    "text",
    ["2,9", "2，9", "2、9", "2;9", "2；9", "2|9", "2/9", "2 9", "2\n9", "2，9，", "头痛头晕,下肢水肿", "2.头痛头晕;9.下肢水肿", "2头痛头晕 9下肢水肿", "2,2,9"],
)  # fmt: skip
def test_several_answers_are_told_apart_by_any_usual_sign(read, dialect, column, text):
    record, found = read("htn-followup", dialect, **{column: text})
    assert (record.values["symptoms"], found) == (["2", "9"], [])


@pytest.mark.parametrize(
    ("text", "codes", "words"),
    [
        ("其他：耳鸣", ["10"], "耳鸣"),
        ("10:耳鸣", ["10"], "耳鸣"),
        ("10.其他:耳鸣", ["10"], "耳鸣"),
        ("10(耳鸣)", ["10"], "耳鸣"),
        ("其他(耳鸣、乏力)", ["10"], "耳鸣、乏力"),
        ("其他（耳鸣；乏力）", ["10"], "耳鸣;乏力"),
        ("其他：耳鸣，乏力", ["10"], "耳鸣、乏力"),
        ("2,其他：耳鸣,乏力", ["2", "10"], "耳鸣、乏力"),
        ("其他：耳鸣,9", ["10", "9"], "耳鸣"),
    ],
)
def test_free_words_stay_with_the_answer_they_belong_to(read, text, codes, words):
    record, found = read("htn-followup", "national", 症状=text)
    assert (record.values["symptoms"], found) == (codes, [])
    assert words in str(record.bundle)


@pytest.mark.parametrize(
    "text", ["basic,manbing", "basic;manbing", "basic；manbing", "basic|manbing", "basic、manbing", "basic\nmanbing"]
)
def test_service_packages_are_listed_with_any_usual_sign(read, text):
    record, found = read("contract", "national", 服务包编码=text)
    assert (record.values["packages"], found) == (["basic", "manbing"], [])


@pytest.mark.parametrize(
    ("text", "pressures", "rules"),
    [
        ("152/88", (152, 88), []),
        ("152／88", (152, 88), []),
        ("１５２/８８", (152, 88), []),
        ("152/88mmHg", (152, 88), []),
        ("/88", (None, 88), []),
        ("0/0", (None, None), []),
        ("88/152", (88, 152), ["bp-1"]),
        ("152/152", (152, 152), ["bp-1"]),
        ("152-88", (None, None), ["mapping.not-in-parts"]),
        ("152/88/70", (None, None), ["mapping.not-in-parts"]),
        ("1,520/88", (None, 88), ["mapping.thousands-separator"]),
    ],
)
def test_joined_pressures_are_taken_apart_or_refused(read, text, pressures, rules):
    record, found = read("htn-followup", "national", 收缩压="", 舒张压="", 血压=text)
    assert (record.values.get("sbp"), record.values.get("dbp")) == pressures
    assert found == [(rule, "血压") for rule in rules]


@pytest.mark.parametrize(
    ("text", "weight", "rules"),
    [
        ("61.50", Decimal("61.50"), []),
        ("６１．５０", Decimal("61.50"), []),
        ("61.50公斤", Decimal("61.50"), []),
        ("123斤", Decimal("61.5"), []),
        ("0.00", None, []),
        ("未测", None, []),
        ("61,50", None, ["mapping.not-number"]),
        ("6.15E+01", None, ["mapping.not-number"]),
        ("615", Decimal(615), ["mapping.too-large"]),
    ],
)
def test_a_weight_keeps_its_digits(read, text, weight, rules):
    record, found = read("htn-followup", "national", 体重=text)
    assert (str(record.values.get("weight")), found) == (str(weight), [(rule, "体重") for rule in rules])


@pytest.mark.parametrize(
    ("form", "dialect", "column"),
    [
        ("htn-followup", "national", "档案编号"),
        ("htn-followup", "national", "随访编号"),
        ("personal-info", "national", "本人电话"),
        ("contract", "national", "团队编码"),
        ("htn-followup", "chis", "empiId"),
        ("contract", "chis", "SCID"),
    ],
)
@pytest.mark.parametrize("text", ["4.30903E+16", "4.3e+16", "4E+16"])
def test_a_number_whose_digits_a_spreadsheet_lost_identifies_nobody(read, form, dialect, column, text):
    record, found = read(form, dialect, **{column: text})
    assert record.bundle is None
    assert ("mapping.digits-lost", column) in found


@pytest.mark.parametrize(
    "text",
    [
        "'43090310720100001",
        "’43090310720100001",
        '="43090310720100001"',
        "４３０９０３１０７２０１００００１",
        "\ufeff43090310720100001",
    ],
)
def test_a_number_marked_as_text_is_the_number(read, text):
    record, found = read("htn-followup", "national", 档案编号=text)
    assert (record.values["residentNo"], found) == ("43090310720100001", [])


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("43090219661126737X", []),
        ("43090219661126737x", []),
        ("43090219661126737Ⅹ", []),
        ("４３０９０２１９６６１１２６７３７Ｘ", []),
        ("'43090219661126737X", []),
        ("430902 19661126 737X", []),
        ("430902661126737", ["mapping.id-card-15"]),
        ("430902196611267370", ["mapping.id-card-checksum"]),
        ("43090219661326737X", ["mapping.id-card-day"]),
        ("E12345678", ["mapping.id-card-shape"]),
        ("4.30902E+17", ["mapping.id-card-shape"]),
    ],
)
def test_a_citizen_number_is_verified_or_kept_apart(read, text, rules):
    record, found = read("personal-info", "national", 身份证号=text)
    systems = {
        i["system"] for e in record.bundle["entry"] for i in e["resource"].get("identifier", ()) if isinstance(i, dict)
    }
    assert found == [(rule, "身份证号") for rule in rules]
    assert ("urn:oid:2.16.156.10011.1.3" in systems) == (rules in ([], ["mapping.id-card-15"]))


@pytest.mark.parametrize(
    ("kind", "is_rejected"), [("03", False), ("3", False), ("06", False), ("01", True), ("", True)]
)
def test_a_passport_is_not_measured_by_the_rules_of_citizen_numbers(read, kind, is_rejected):
    record, found = read("personal-info", "chis", bad_id="reject", cardtype=kind, idCard="E12345678")
    assert (record.bundle is None, found) == (is_rejected, [("mapping.id-card-shape", "idCard")] if is_rejected else [])


def test_a_contact_of_whom_only_the_relation_is_known_does_not_cost_the_resident(read):
    record, found = read("personal-info", "national", 联系人与本人关系="51")
    assert found == [("pat-contact", "联系人与本人关系")]
    assert all("contact" not in e["resource"] for e in record.bundle["entry"])


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"结束日期": "2024-12-01"}, [("fdc-1", "结束日期")]),
        ({"结束日期": "2025-01-02"}, [("fdc-1", "结束日期")]),
        ({"结束日期": "长期"}, [("mapping.not-date", "结束日期")]),
        ({"签约日期": "2026-06-01"}, [("contract-signed-future", "签约日期")]),
        ({"团队编码": ""}, [("fdc-3", "团队编码")]),
        ({"签约年限": "10"}, [("mapping.too-large", "签约年限")]),
        ({"签约类型": "9"}, [("mapping.code-refused", "签约类型")]),
        ({"费用合计": "1,200.00"}, [("mapping.thousands-separator", "费用合计")]),
        ({"费用合计": "免费"}, [("mapping.not-number", "费用合计")]),
    ],
)
def test_a_contract_that_cannot_be_is_rejected_at_its_column(read, cells, found):
    record, told = read("contract", "national", **cells)
    assert (record.bundle, told) == (None, found)
