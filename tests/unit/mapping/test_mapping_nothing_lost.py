"""Every filled cell is in the output or named in the report: answers that contradict each other, parts without their whole."""

import base64
import csv
import io
import json
from datetime import UTC, datetime
from functools import cache

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.mapping import BrokenMapping, Mappings, load_mappings
from fhir_server.mapping.form import read_form
from fhir_server.operations.map_records import map_files
from fhir_server.validation import Validator

NOW = datetime(2025, 11, 22, tzinfo=UTC)
RESIDENT = {"档案编号": "R1", "姓名": "刘某", "性别": "1", "出生日期": "1990-01-01"}
CONTRACT = {
    "签约编号": "Q1", "档案编号": "R1", "团队编码": "T1", "签约医生编码": "D1", "机构编码": "O1", "签约日期": "2025-01-01",
    "开始日期": "2025-01-02", "结束日期": "2026-01-01", "签约状态": "1",
}  # fmt: skip
VISIT = {"随访编号": "S1", "档案编号": "R1", "随访日期": "2025-06-01", "随访方式": "1", "随访医生签名": "周某"}
REFERRAL = {
    "转诊单号": "Z1", "方向": "1", "档案编号": "R1", "转出机构编码": "O1", "转出医生编码": "D1", "转入机构": "县院", "转诊日期": "2025-06-01",
    "初步印象": "高血压",
}  # fmt: skip
COUNTY_RESIDENT = {"empiId": "E1", "personName": "刘某", "sexCode": "1", "birthday": "1990-01-01"}
COUNTY_CONTRACT = {
    "SCID": "Q1", "favoreeEmpiId": "E1", "createUnit": "T1", "createUser": "D1", "operatorUnit": "O1", "scDate": "2025-01-01",
    "beginDate": "2025-01-02", "endDate": "2026-01-01", "signFlag": "1",
}  # fmt: skip


@cache
def mappings() -> Mappings:
    return load_mappings()


@pytest.fixture
def read(tmp_path):
    """Maps rows of one form: the resources, and (rule, column, value) of the findings."""

    def run(form, row, *more_files, dialect="national", validate=None):
        files = [("rows.csv", [row]), *more_files]
        for name, rows in files:
            text = io.StringIO()
            csv.writer(text).writerows([rows[0].keys(), *(r.values() for r in rows)])
            (tmp_path / name).write_text(text.getvalue(), encoding="utf-8")
        paths = [tmp_path / name for name, _ in files]
        told = map_files(mappings(), form, dialect, paths, now=NOW, validate=validate)
        bundles = [r.bundle for r in told if r.bundle]
        resources = [e["resource"] for b in bundles for e in b["entry"]]
        return resources, [(i.rule, i.column, i.value) for i in told.report().issues]

    return run


def of_type(resources, type_):
    return [r for r in resources if r["resourceType"] == type_]


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ({"疾病1": "1", "疾病1名称": "肺癌"}, [("pat-disease-none", "疾病1名称", "肺癌")]),
        ({"疾病1": "2", "疾病2": "无", "疾病2确诊时间": "2020-01"}, [("pat-disease-none", "疾病2确诊时间", "2020-01")]),
        ({"手术": "1", "手术名称1": "阑尾"}, [("pat-surgery-none", "手术", "1")]),
        ({"外伤": "无", "外伤名称1": "骨折"}, [("pat-trauma-none", "外伤", "无")]),
        ({"输血": "1", "输血原因1": "产后"}, [("pat-transfusion-none", "输血", "1")]),
        ({"药物过敏史": "1", "其他药物过敏": "头孢"}, [("pat-allergy-none", "其他药物过敏", "头孢")]),
        ({"遗传病史": "1", "遗传病名称": "血友病"}, [("pat-hereditary-none", "遗传病名称", "血友病")]),
        ({"残疾情况": "1", "其他残疾": "孤独症"}, [("pat-disability-none", "其他残疾", "孤独症")]),
        ({"父亲": "1,2"}, [("pat-family-none", "父亲", "1,2")]),
        ({"民族": "01", "少数民族名称": "苗族"}, [("pat-ethnicity", "民族", "01")]),
        ({"民族": "06", "少数民族名称": "苗族"}, []),
        ({"民族": "99", "少数民族名称": "苗族"}, []),
        ({"注销原因": "2"}, [("pat-cancel-status", "注销原因", "2")]),
        ({"档案状态": "1", "注销原因": "2"}, []),
        ({"档案状态": "0", "死亡日期": "2025-01-01"}, [("pat-death-active", "死亡日期", "2025-01-01")]),
        ({"联系人与本人关系": "51"}, [("pat-contact", "联系人与本人关系", "51")]),
        ({"本人电话": "13800000000.0"}, [("mapping.point-zero", "本人电话", "13800000000.0")]),
        ({"既往史疾病": "2,3", "确诊时间": "2020-01,"}, []),
    ],
)
def test_an_answer_that_contradicts_another_is_told_with_its_value(read, cells, wanted):
    resources, found = read("personal-info", RESIDENT | cells)
    assert (len(of_type(resources, "Patient")), found) == (1, wanted)


def test_a_kind_of_document_without_a_number_is_told_and_one_of_a_newborn_is_not(read):
    told = [("pat-id-type", "cardtype", "03")]
    assert read("personal-info", COUNTY_RESIDENT | {"cardtype": "03"}, dialect="chis")[1] == told
    assert read("personal-info", COUNTY_RESIDENT | {"cardtype": "02", "childCard": "C1"}, dialect="chis")[1] == []


def test_another_way_of_payment_is_a_coverage_although_its_box_is_not_ticked(read):
    resources, found = read("personal-info", RESIDENT | {"医疗费用支付方式": "1", "其他支付方式": "单位补贴"})
    assert [c["type"]["text"] for c in of_type(resources, "Coverage")] == ["城镇职工基本医疗保险", "单位补贴"]
    assert found == []


def test_a_phone_that_a_spreadsheet_took_for_an_amount_is_read_as_its_digits(read):
    (patient,) = of_type(read("personal-info", RESIDENT | {"本人电话": "13800000000.0"})[0], "Patient")
    assert patient["telecom"] == [{"system": "phone", "value": "13800000000"}]


def test_dates_of_diagnosis_stand_with_their_diseases_although_one_is_missing(read):
    resources, _ = read("personal-info", RESIDENT | {"既往史疾病": "2,3", "确诊时间": ",2020-01"})
    assert [c.get("onsetDateTime") for c in of_type(resources, "Condition")] == [None, "2020-01"]


@pytest.mark.parametrize(
    ("word", "code"), [("儿子", "20"), ("妻子", "12"), ("丈夫", "11"), ("奶奶", "62"), ("配偶", "10")]
)
def test_a_relation_in_everyday_words_has_its_code(read, word, code):
    resources, found = read("personal-info", RESIDENT | {"联系人姓名": "李某", "联系人与本人关系": word})
    (contact,) = of_type(resources, "Patient")[0]["contact"]
    assert (contact["relationship"][0]["coding"][1]["code"], found) == (code, [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("430903107", {"code": "430903107"}), ("430903107.0", {"code": "430903107"}), ("岳家桥镇", None)],
)
def test_a_division_is_a_code_and_its_name_stands_in_the_address(read, text, wanted):
    (patient,) = of_type(read("personal-info", RESIDENT | {"行政区划": text})[0], "Patient")
    (address,) = patient["address"]
    coding = address.get("extension", [{}])[0].get("valueCoding")
    assert coding == (wanted and {"system": "http://jtys.example/fhir/CodeSystem/admin-division"} | wanted)
    assert address.get("district") == (None if wanted else text)


def test_the_head_of_a_household_with_another_relation_keeps_both(read):
    resources, _ = read(
        "personal-info", COUNTY_RESIDENT | {"familyId": "H1", "masterFlag": "y", "relaCode": "20"}, dialect="chis"
    )
    (relation,) = of_type(resources, "Observation")
    assert relation["valueCodeableConcept"]["coding"][0]["code"] == "20"
    assert [c["valueBoolean"] for c in relation["component"]] == [True]


def test_a_relation_names_its_household_by_identifier_and_a_provenance_does_not(read):
    resources, _ = read("personal-info", RESIDENT | {"户编号": "H1", "与户主关系": "配偶"})
    (relation,), (provenance,) = of_type(resources, "Observation"), of_type(resources, "Provenance")
    household = {"system": "http://jtys.example/fhir/sid/national/household", "value": "H1"}
    assert relation["focus"] == [{"type": "Group", "identifier": household}]
    assert {t["reference"].partition("/")[0] for t in provenance["target"]} == {"Patient", "Observation"}


def test_a_source_code_without_counterpart_is_not_taken_for_the_form_s_code_of_that_number(read):
    """County 99 is a local 其他, the form's 99 is 少数民族."""
    resources, found = read("personal-info", COUNTY_RESIDENT | {"nationCode": "99"}, dialect="chis")
    (patient,) = of_type(resources, "Patient")
    (group,) = [e for e in patient["extension"] if e["url"].endswith("ethnic-group")]
    assert group["valueCoding"]["code"] == "99"
    assert group["valueCoding"]["system"].endswith("/sid/chis/code/personal-info-ethnicity")
    assert found == [("mapping.code-unmapped", "nationCode", "99")]
    assert of_type(resources, "Observation") == []


def text_of(resources):
    (document,) = of_type(resources, "DocumentReference")
    return base64.b64decode(document["content"][0]["attachment"]["data"]).decode().splitlines()


def test_a_fee_without_its_total_is_kept_in_the_agreement(read):
    resources, found = read("contract", CONTRACT | {"个人自付": "20", "缴费状态": "已缴"})
    assert (text_of(resources), found) == (["缴费状态: 已缴费", "个人自付: 20"], [])
    resources, _ = read("contract", CONTRACT | {"费用合计": "20", "个人自付": "20", "缴费状态": "已缴"})
    assert of_type(resources, "DocumentReference") == []
    resources, _ = read("contract", COUNTY_CONTRACT | {"payOrNot": "2"}, dialect="chis")
    assert text_of(resources) == ["缴费状态: 否"]


def test_an_active_agreement_with_a_termination_is_told(read):
    _, found = read("contract", CONTRACT | {"解约日期": "2025-06-01", "解约原因": "02"})
    assert found == [
        ("contract-stop-active", "解约原因", "02"),
        ("contract-stop-active", "解约日期", "2025-06-01"),
    ]


TEAM = {"团队编码": "T1", "团队名称": "一队", "机构编码": "O1", "状态": "0", "服务电话": "1", "服务区划": "430903"}


def test_members_who_left_are_told_or_keep_their_end_and_a_leader_is_one_of_them(read):
    members = [
        {"团队编码": "T1", "人员编码": "D1", "成员状态": "0", "结束日期": ""},
        {"团队编码": "T1", "人员编码": "D2", "成员状态": "1", "结束日期": "2025-01-01"},
        {"团队编码": "T1", "人员编码": "D3", "成员状态": "1", "结束日期": ""},
    ]
    resources, found = read("care-team", TEAM | {"队长人员编码": "D9"}, ("members.csv", members))
    (team,) = of_type(resources, "CareTeam")
    is_leader = [[e["valueBoolean"] for e in p.get("extension", [])] for p in team["participant"]]
    assert [p.get("period") for p in team["participant"]] == [None, {"end": "2025-01-01"}, None]
    assert is_leader == [[], [], [True]]
    assert found == [("team-member-left", "人员编码", "D3")]
    resources, _ = read("care-team", TEAM | {"队长人员编码": "D1"}, ("members.csv", members))
    assert [len(t["participant"]) for t in of_type(resources, "CareTeam")] == [2]


@pytest.mark.parametrize("word", ["无", "无症状", "1", "1.无症状"])
def test_no_symptoms_is_an_answer(read, word):
    (survey,) = of_type(read("htn-followup", VISIT | {"症状": word})[0], "Observation")
    assert [c["valueCodeableConcept"]["coding"][0]["code"] for c in survey["component"]] == ["1"]


def test_a_visit_that_was_not_made_has_no_invented_class_and_no_finding(read):
    row = VISIT | {"随访方式": "", "失访原因": "死亡"}
    resources, found = read("htn-followup", row, validate=Validator(load_definitions()).check)
    absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    assert [e["class"] for e in of_type(resources, "Encounter")] == [{"extension": [absent]}]
    assert found == []


@pytest.mark.parametrize(
    ("text", "day"), [("2025-06-01 上午 09:30:00", "2025-06-01"), ("2025/6/1 下午12:05", "2025-06-01")]
)
def test_a_time_with_its_half_of_the_day_is_read(read, text, day):
    (visit,) = of_type(read("htn-followup", VISIT | {"随访日期": text})[0], "Encounter")
    assert visit["period"] == {"start": day}


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ({"紧急程度": "急"}, []),
        ({"紧急程度": "马上"}, [("mapping.code-refused", "紧急程度", "马上")]),
        ({"接收期限": "2025-05-01"}, [("referral-due", "转诊日期", "2025-06-01")]),
        ({"初步印象": "", "主要现病史(转出原因)": "头痛"}, []),
    ],
)
def test_a_referral_that_cannot_be_right_is_refused_in_plain_words(read, cells, wanted):
    resources, found = read("referral", REFERRAL | cells)
    assert (bool(resources), found) == (not wanted, wanted)


@pytest.mark.parametrize(
    "rule",
    [
        {"forbids": {"field": "lines.a", "is": ["1"], "then": ["no"]}},
        {"requires": {"field": "no", "then": ["lines.a"]}},
        {"forbids": {"field": "lines.a", "then": ["others.b"]}},
    ],
)
def test_a_rule_that_mixes_fields_of_a_group_with_others_is_broken(tmp_path, rule):
    group = {"type": "group", "repeats": True}
    form = {
        "form": "demo",
        "title": "示例",
        "key": ["no"],
        "fields": {
            "no": {"type": "string"},
            "lines": group | {"fields": {"a": {"type": "string"}}},
            "others": group | {"fields": {"b": {"type": "string"}}},
        },
        "rules": [{"key": "k", "en": "e", "zh": "z", **rule}],
    }
    path = tmp_path / "form.yaml"
    path.write_text(json.dumps(form), encoding="utf-8")
    with pytest.raises(BrokenMapping, match="or of one group"):
        read_form(path)
