"""The data of five mappings against the printed forms and table layouts: no answer, code, column or field is lost."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fhir_server.data_files import data_folder
from fhir_server.mapping import Mappings, load_mappings
from fhir_server.mapping.binding import bind, find_table
from fhir_server.mapping.record import plain
from fhir_server.mapping.records import RecordReader
from fhir_server.mapping.sources import open_source
from fhir_server.mapping.yaml_files import read_yaml

FORMS = ("organization", "practitioner", "personal-info", "contract", "referral")
DIALECTS = ("national", "chis")
ROOT = data_folder("mappings")
TABLES = sorted((ROOT / "_shared" / "tables").glob("*.yaml"))

# Answers printed on 个人基本信息表, 国家基本公共卫生服务规范(第三版), 2017.
PRINTED = {
    "gender": "0 1 2 9",
    "residency": "1 2",
    "abo": "1 2 3 4 5",
    "rh": "1 2 3",
    "education": "1 2 3 4 5 6 7 8 9 10",
    "occupation": "0 1 2 3 4 5 6 7 8",
    "marital": "1 2 3 4 5",
    "payment": "1 2 3 4 5 6 7 8",
    "drugAllergy": "1 2 3 4 5",
    "exposure": "1 2 3 4",
    "diseases.disease": "1 2 3 4 5 6 7 8 9 10 11 12 13",
    "hasSurgery": "1 2",
    "hasTrauma": "1 2",
    "hasTransfusion": "1 2",
    "familyFather": "1 2 3 4 5 6 7 8 9 10 11 12",
    "familyMother": "1 2 3 4 5 6 7 8 9 10 11 12",
    "familySiblings": "1 2 3 4 5 6 7 8 9 10 11 12",
    "familyChildren": "1 2 3 4 5 6 7 8 9 10 11 12",
    "hereditary": "1 2",
    "disability": "1 2 3 4 5 6 7 8",
    "kitchenExhaust": "1 2 3 4",
    "fuel": "1 2 3 4 5 6",
    "water": "1 2 3 4 5 6",
    "toilet": "1 2 3 4 5",
    "livestock": "1 2 3 4",
}
PRINTED_BLANKS = {
    "payment": {"8"},
    "drugAllergy": {"5"},
    "diseases.disease": {"6", "12", "13"},
    "familyFather": {"12"},
    "familyMother": {"12"},
    "familySiblings": {"12"},
    "familyChildren": {"12"},
    "disability": {"8"},
    **{
        name: {"2"} for name in ("hasSurgery", "hasTrauma", "hasTransfusion", "hereditary")
    },  # 有: what it was may follow
}
CONTRACT_STATES = (
    "draft doctor-applied resident-applied active terminating transferring terminated expired changed transferred "
    "rejected withdrawn voided"
)

# (form, dialect, table, columns): every column that the reference layouts name for these tables.
LAYOUTS = [
    ("organization", "national", "机构", "机构编码 机构名称 上级机构编码 机构类别 行政区划 电话 联网状态"),
    ("organization", "chis", "manaUnit", "manaUnitId manaUnitName"),
    ("practitioner", "national", "人员", "人员编码 姓名 身份证号 机构编码 岗位 职称 执业证号 电话 状态"),
    ("practitioner", "chis", "user", "userId userName manaUnitId"),
    (
        "personal-info",
        "national",
        "居民",
        "档案编号 姓名 身份证号 性别 出生日期 民族 电话 现住址 行政区划 户编号 与户主关系 人群类别 经济类型 档案状态",
    ),
    (
        "personal-info",
        "national",
        "居民",
        (
            "姓名 编号 性别 出生日期 身份证号 工作单位 本人电话 联系人姓名 联系人电话 常住类型 民族 血型 RH 文化程度 职业 婚姻状况 "
            "医疗费用支付方式 药物过敏史 暴露史 疾病 手术 外伤 输血 父亲 母亲 兄弟姐妹 子女 遗传病史 残疾情况 厨房排风设施 燃料类型 "
            "饮水 厕所 禽畜栏 现住址 户籍地址 乡镇(街道)名称 村(居)委会名称 建档单位 建档人 责任医生 建档日期"
        ),
    ),
    (
        "personal-info",
        "chis",
        "MPI_DemographicInfo",
        (
            "empiId phrId cardtype idCard childCard cardNo personName sexCode birthday nationCode mobileNumber phoneNumber "
            "contact contactPhone contactRelation address regionCode registeredPermanent bloodTypeCode rhBloodCode "
            "maritalStatusCode educationCode workCode insuranceCode familyId masterFlag relaCode crowdType isHypertension "
            "isDiabetes isPovertyAlleviation manaDoctorId familyDoctorId manaUnitId signFlag sceEndDate status "
            "cancellationReason deadFlag deadDate deadReason createUnit createUser createDate lastModifyUnit lastModifyUser "
            "lastModifyDate RHnegative cookAirTool fuelType waterSourceCode livestockColumn"
        ),
    ),
    (
        "personal-info",
        "chis",
        "EHR_PastHistory",
        "empiId pastHisTypeCode diseaseCode diseaseText startDate confirmDate vestingCode",
    ),
    (
        "contract",
        "national",
        "签约",
        (
            "签约编号 档案编号 户编号 团队编码 签约医生编码 机构编码 签约日期 开始日期 结束日期 签约年限 签约状态 签约方式 签约渠道 "
            "服务包编码 费用合计 医保支付 公卫经费 财政补助 个人自付 解约日期 解约原因"
        ),
    ),
    ("contract", "national", "签约", "协议书编号 甲方 档案编号 姓名 现住址 电话 身份证 人群类型 周期"),
    (
        "contract",
        "chis",
        "SCM_SignContractRecord",
        (
            "SCID favoreeEmpiId favoreeName favoreePhone favoreeMobile familyId ownerName createUnit createUser operatorUnit "
            "regionCode scDate beginDate endDate year signFlag peopleFlag intendedPopulation signServicePackages payOrNot fphm "
            "app firstPartyName SecondPartyName SecondPartyEmpiId agreement stopDate stopReason"
        ),
    ),
    ("contract", "chis", "SCM_SignContractPackage", "SCSPID SCID SPID SPIID SERVICETIMES"),
    (
        "referral",
        "national",
        "转诊",
        (
            "转诊单号 方向 档案编号 转出机构编码 转出医生编码 转入机构编码 转入科室 转诊日期 转诊原因 病情描述 检查项目 检查结果 注意事项 "
            "康复措施指导 状态"
        ),
    ),
    (
        "referral",
        "national",
        "双向转诊(转出)单",
        (
            "致(机构) 患者姓名 性别 年龄 档案编号 家庭住址 联系电话 初步印象 主要现病史(转出原因) 主要既往史 治疗经过 科室 接诊医生 "
            "转诊医生(签字) 机构名称 日期"
        ),
    ),
    (
        "referral",
        "national",
        "双向转诊(回转)单",
        (
            "患者姓名 性别 年龄 病案号 家庭住址 联系电话 转回单位 接诊医生 诊断结果 主要检查结果 "
            "治疗经过、下一步治疗方案及康复建议 转诊医生(签字) 机构名称 日期"
        ),
    ),
    (
        "referral",
        "chis",
        "DR_Referrals",
        (
            "reserveNo businessType status isverify refuseReason isNew mpiId emrNo hosNo submitAgency submitorDoctor hospitalCode "
            "departmentCode JYZRKS ZZRQ submitTime applyInfo turnReason DiseaseDescription JYJCXM JYJCXMJG announcements KFCSZD "
            "wardArea bedNo doctorName doctorPhone payType brxz"
        ),
    ),
    (
        "referral",
        "chis",
        "drIt_sendExchangeReport",
        (
            "exchangeNo reserveNo mpiId submitAgency submitor doctorName hospitalCode exchangeTime treatResult leaveConclusion "
            "healthAdvice payType brxz"
        ),
    ),
]

# Options that a table leaves out on purpose: the target system has no such code.
WITHOUT_TARGET = {
    ("personal-info", "ethnicity", "ethnic"): {"99"},
    ("personal-info", "ethnicityName", "ethnic"): {"99"},
}


# One record a form, and the fields that a dialect has no column for.
RECORDS: dict[str, dict[str, Any]] = {
    "organization": {
        "orgCode": "O1",
        "name": "演示镇卫生院",
        "parentCode": "O0",
        "type": "C220",
        "level": "11",
        "area": "430903107",
        "address": "演示路1号",
        "phone": "0737-0000001",
        "status": "0",
        "uscc": "124309034700000152",
    },
    "practitioner": {
        "staffCode": "D1",
        "name": "彭禾苗",
        "gender": "1",
        "orgCode": "O1",
        "post": "family-doctor",
        "title": "主治医师",
        "licenceNo": "110",
        "phone": "199****0001",
        "status": "1",
    },
    "personal-info": {
        "residentNo": "43090310720100015",
        "recordNo": "43090310720100015",
        "name": "罗德元",
        "gender": "1",
        "birthDate": "1958-02-11",
        "contactName": "罗小满",
        "residency": "1",
        "ethnicity": "06",
        "abo": "3",
        "rh": "2",
        "education": "8",
        "occupation": "4",
        "marital": "2",
        "payment": ["1", "5"],
        "drugAllergy": ["2"],
        "diseases": [{"disease": "2", "diagnosed": "2015-06"}, {"disease": "6", "text": "肺癌"}],
        "address": "演示村3组12号",
        "area": "430903107201",
        "householdNo": "H1",
        "relationToHead": "02",
        "keyPopulation": ["hypertension", "elderly-65"],
        "archiveStatus": "0",
        "orgCode": "O1",
        "doctorCode": "D1",
        "createdOn": "2018-03-12",
    },
    "contract": {
        "contractNo": "Q1",
        "residentNo": "43090310720100015",
        "householdNo": "H1",
        "teamCode": "T1",
        "doctorCode": "D1",
        "orgCode": "O1",
        "signedOn": "2025-06-28",
        "startDate": "2025-07-01",
        "endDate": "2026-06-30",
        "termYears": 1,
        "status": "terminated",
        "stopReason": "death",
        "way": "self",
        "channel": "app-doctor",
        "packages": ["manbing", "sanji"],
        "keyPopulation": ["hypertension"],
        "feeTotal": Decimal("120.00"),
        "area": "430903107",
    },
    "referral": {
        "referralNo": "Z2",
        "direction": "2",
        "upReferralNo": "Z1",
        "residentNo": "43090310720100015",
        "date": "2025-06-20",
        "fromOrgCode": "O0",
        "fromDoctorCode": "D9",
        "toOrgCode": "O1",
        "diagnosis": "好转",
        "plan": "每日步行30分钟",
        "status": "accepted",
    },
}
NOT_WRITTEN = {
    ("personal-info", "chis"): {"diseases", "drugAllergy"},  # its past history is a table of lines
    ("contract", "chis"): {"way", "feeTotal"},
    ("referral", "chis"): {"status"},
}


@pytest.fixture(scope="module", name="mappings")
def all_mappings() -> Mappings:
    return load_mappings(only=FORMS)


def objects_in(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from objects_in(item)


def tables_named(path: Path) -> Iterator[tuple[str, str]]:
    """Yields (field, table) of each directive of a map; the field of a line carries its group."""
    raw = read_yaml(path)
    for resource in raw["resources"]:
        yield from _tables_below(resource, resource.get("each", ""))


def _tables_below(node: Any, line: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for item in node:
            yield from _tables_below(item, line)
    elif isinstance(node, dict):
        named = next((node[k] for k in ("$code", "$coding", "$concept") if k in node), None)
        if named is not None and "table" in node:
            yield (line + named).rstrip(".") if named.startswith(".") else named, node["table"]
        for value in node.values():
            yield from _tables_below(value, node.get("$each", line))


@pytest.mark.parametrize("field", PRINTED)
def test_every_printed_answer_is_an_option(mappings, field):
    found = mappings.forms["personal-info"].find(field)
    assert set(found.options) == set(PRINTED[field].split())


@pytest.mark.parametrize("field", PRINTED)
def test_a_printed_blank_takes_words(mappings, field):
    found = mappings.forms["personal-info"].find(field)
    assert {o.code for o in found.options.values() if o.has_text} == PRINTED_BLANKS.get(field, set())


def test_every_contract_state_is_an_option_and_has_each_target(mappings):
    states = set(CONTRACT_STATES.split())
    assert set(mappings.forms["contract"].fields["status"].options) == states
    for table in ("contract-status", "contract-episode-status", "contract-consent-status"):
        assert set(read_yaml(ROOT / "_shared" / "tables" / f"{table}.yaml")) == states


def _named_tables(table):
    columns = [c for c in table["columns"].values() if isinstance(c, dict)]
    return [(c, c[option]) for c in columns for option in ("codes", "words") if option in c]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("form", FORMS)
def test_every_dialect_code_means_an_option(mappings, form, dialect):
    raw = read_yaml(ROOT / "_dialects" / dialect / f"{form}.yaml")
    used: set[str] = set()
    unknown: set[tuple[str, str]] = set()
    for table in raw["tables"]:
        for column, named in _named_tables(table):
            used.add(named)
            path = f"{table['group']}.{column['field']}" if "group" in table else column["field"]
            for code, target in raw["codes"][named].items():
                to = target.get("to") if isinstance(target, dict) else target
                if to is not None and str(to) not in mappings.forms[form].find(path).options:
                    unknown.add((named, code))
    assert unknown == set()
    assert used == set(raw.get("codes") or {}), "a code table that no column names"


@pytest.mark.parametrize(("form", "dialect", "table", "columns"), LAYOUTS)
def test_every_column_of_the_layout_is_known(mappings, form, dialect, table, columns):
    written = mappings.mapper(form, dialect).dialect
    layout = next(t for t in written.tables if t.name == table)
    assert [name for _, name in bind(written, layout, columns.split()).unused] == []


@pytest.mark.parametrize(
    ("form", "dialect", "table", "columns"), [row for row in LAYOUTS if row[2] not in {"签约", "居民"}]
)
def test_a_header_finds_its_table(mappings, form, dialect, table, columns):
    found = find_table(mappings.mapper(form, dialect).dialect, columns.split(), file="file.csv")
    assert found.name == table


@pytest.mark.parametrize("form", FORMS)
def test_every_field_of_the_form_is_read_by_its_map(mappings, form):
    used = mappings.mapper(form, "national").plan.used
    leaves = {f.path for f in mappings.forms[form].each_field() if f.type != "group"}
    not_output = {"personal-info": {"history.lineNo"}, "contract": {"packageItems.lineNo"}}
    assert leaves - used == not_output.get(form, set())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("form", FORMS)
def test_every_required_field_has_a_column(mappings, form, dialect):
    raw = mappings.mapper(form, dialect).dialect
    filled = {t.field.name for table in raw.tables for c in table.columns.values() for t in c.targets}
    filled |= {name for table in raw.tables for name in dict(_constants(table))}
    assert {f.name for f in mappings.forms[form].fields.values() if f.required} - filled == set()


def _constants(table: Any) -> Iterator[tuple[str, str]]:
    constants = table.constants
    for entry in constants.items() if hasattr(constants, "items") else constants:
        yield (entry[0].name if hasattr(entry[0], "name") else str(entry[0])), str(entry[1])


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.stem)
def test_targets_of_a_shared_table_share_one_system_and_have_displays(path):
    listed = [t if isinstance(t, list) else [t] for t in read_yaml(path).values() if not isinstance(t, str)]
    targets = [target for codings in listed for target in codings]
    full = [codings for codings in listed if len(codings) == max(map(len, listed))]
    assert [t for t in targets if not t.get("display") or not t.get("code") or not t.get("system")] == []
    assert len({codings[0]["system"] for codings in full}) <= 1
    assert len({(t["system"], t["code"], t["display"]) for t in targets}) == len(
        {(t["system"], t["code"]) for t in targets}
    )


def test_every_shared_table_is_used_and_exists():
    named = {table for form in FORMS for _, table in tables_named(ROOT / form / "map.yaml")}
    others = {
        node["table"]
        for path in ROOT.glob("*/map.yaml")
        if path.parent.name not in FORMS
        for node in objects_in(read_yaml(path))
        if isinstance(node.get("table"), str)
    }
    assert named - {p.stem for p in TABLES} == set()
    assert {p.stem for p in TABLES} - named - others == set()


@pytest.mark.parametrize("form", FORMS)
def test_every_option_has_a_target_in_its_tables(mappings, form):
    lost: dict[tuple[str, str], set[str]] = {}
    for field, table in tables_named(ROOT / form / "map.yaml"):
        options = set(mappings.forms[form].find(field).options)
        targets = read_yaml(ROOT / "_shared" / "tables" / f"{table}.yaml")
        missing = options - set(targets) - WITHOUT_TARGET.get((form, field, table), set())
        if missing and table != "past-disease-icd10":
            lost[field, table] = missing
    assert lost == {}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("form", FORMS)
def test_a_record_written_in_a_dialect_reads_back(mappings, form, dialect, tmp_path):
    mapper = mappings.mapper(form, dialect)
    for name, rows in mapper.to_source(RECORDS[form]).items():
        if rows:
            with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    sources = [open_source(path) for path in sorted(tmp_path.iterdir())]
    files = [(source, find_table(mapper.dialect, source.header, file=source.name)) for source in sources]
    (found,) = RecordReader(mapper.dialect, mappings.zone).read(files)
    assert found.record is not None
    values = plain(found.record.values)
    lost = {name for name, value in RECORDS[form].items() if values.get(name) != value}
    assert lost == NOT_WRITTEN.get((form, dialect), set())


def test_a_password_column_is_read_nowhere():
    case = ROOT / "practitioner" / "cases" / "chis-users"
    written = {path.name: path.read_text(encoding="utf-8") for path in case.iterdir()}
    assert {name for name, text in written.items() if "not-to-be-read" in text} == {"user.csv"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_column_traps_are_read_as_documented(mappings, dialect):
    """Rh 1 is 阴性 on the form and 阳性 in the county system; 9 and 09 are two populations."""
    person = mappings.mapper("personal-info", dialect).dialect
    rh = next(c for t in person.tables for c in t.columns.values() if c.targets and c.targets[0].field.name == "rh")
    assert rh.targets[0].codes.read("1").code == {"national": "1", "chis": "2"}[dialect]
    contract = mappings.mapper("contract", dialect).dialect
    groups = [c for t in contract.tables for c in t.columns.values()]
    population = next(c for c in groups if c.targets and c.targets[0].field.name == "keyPopulation").targets[0].codes
    assert (population.read("9").code, population.read("09").code) == ("general", "special-family")
