"""The health archive of a resident: a record of the form `personal-info`. 国家基本公共卫生服务规范(第三版), 2017, 个人基本信息表."""

from random import Random

from fhir_server.fhir.shapes import JsonObject
from fhir_server.synthetic.contracts import Fate
from fhir_server.synthetic.draws import pick
from fhir_server.synthetic.households import HEAD, MALE
from fhir_server.synthetic.places import CENTRE, CENTRE_NAME, TOWN_NAME
from fhir_server.synthetic.residents import Resident

# Diseases of the form by key population: 2 高血压, 3 糖尿病, 4 冠心病, 5 慢阻肺, 7 脑卒中, 8 严重精神障碍, 9 结核病.
DISEASES = {"hypertension": "2", "diabetes-t2": "3", "chd": "4", "copd": "5", "stroke": "7", "smi": "8", "tb": "9"}
NO_DISEASE = "1"
_ECONOMIC = ("poverty-monitored", "low-income", "destitute", "special-family")
_DISABILITIES = {"2": 14.0, "3": 24.0, "4": 2.0, "5": 44.0, "6": 8.0, "7": 8.0}
_BLOOD = {"1": 31.0, "2": 27.0, "3": 33.0, "4": 9.0}
# Education: 1 研究生 2 本科 3 大专 4 中专 6 高中 7 初中 8 小学 9 文盲或半文盲.
_EDUCATION_BY_AGE = (
    (75, {"9": 24.0, "8": 58.0, "7": 15.0, "6": 3.0}),
    (55, {"9": 5.0, "8": 40.0, "7": 40.0, "6": 12.0, "4": 2.0, "3": 1.0}),
    (35, {"8": 12.0, "7": 48.0, "6": 18.0, "4": 6.0, "3": 10.0, "2": 6.0}),
    (18, {"7": 18.0, "6": 28.0, "4": 10.0, "3": 24.0, "2": 18.0, "1": 2.0}),
    (15, {"7": 55.0, "6": 45.0}),
    (12, {"7": 60.0, "8": 40.0}),
    (7, {"8": 100.0}),
)
_OCCUPATION = {"4": 48.0, "5": 16.0, "3": 16.0, "1": 7.0, "2": 4.0, "7": 9.0}
_DEATHS = ("脑卒中", "冠心病", "肺部感染", "恶性肿瘤")


def archive_record(rng: Random, of: Resident, *, fate: Fate | None) -> JsonObject:
    """Returns the archive; `fate` is a death or move that closed it, told by the contract."""
    record = _identity(of) | _person(rng, of) | _history(rng, of) | of.home.living | _management(of)
    return record | _closure(rng, fate)


def _identity(of: Resident) -> JsonObject:
    return {
        "residentNo": of.number,
        "recordNo": of.number,
        "name": of.name,
        "gender": of.sex,
        "birthDate": of.birth.isoformat(),
        "idCard": of.id_card,
        "idType": "01",
        "phone": of.phone,
        "residency": "1",
        "ethnicity": of.home.ethnicity,
        "contactName": of.home.head_name,
        "contactPhone": of.home.phone,
        "contactRelation": "01" if of.relation == HEAD else "02",
        "address": of.home.address,
        "township": TOWN_NAME,
        "village": of.home.team.villages[0].name,
        "area": of.area,
        "householdNo": of.home.number,
        "isHead": "1" if of.relation == HEAD else "0",
        "relationToHead": of.relation,
    }


def _person(rng: Random, of: Resident) -> JsonObject:
    record: JsonObject = {
        "abo": pick(rng, _BLOOD) if rng.random() < 0.7 else "5",
        "rh": "2" if rng.random() < 0.6 else "3",
    }
    education = next((weights for age, weights in _EDUCATION_BY_AGE if of.age >= age), None)
    if education is not None:
        record["education"] = pick(rng, education)
    if of.age >= 16:
        has_work = of.age < 70 and rng.random() < 0.85
        record["occupation"] = pick(rng, _OCCUPATION) if has_work else "8"
        record["marital"] = _marital(rng, of)
    is_employee = record.get("occupation") in {"1", "2"}
    return record | {"payment": ["1" if is_employee else "3"]}


def _marital(rng: Random, of: Resident) -> str:
    """1 未婚, 2 已婚, 3 丧偶, 4 离婚: spouses, parents and children in law of a head are married ones."""
    if of.relation in {"11", "12", "38"}:
        return "2"
    if of.age < 25:
        return "1"
    if of.home.size == 1:
        return pick(rng, {"3": 70.0, "4": 15.0, "1": 15.0} if of.age >= 60 else {"1": 50.0, "4": 20.0, "2": 30.0})
    return "2" if of.age >= 32 else pick(rng, {"1": 60.0, "2": 40.0})


def _history(rng: Random, of: Resident) -> JsonObject:
    diseases = [{"disease": DISEASES[g], "diagnosed": f"{day:%Y-%m}"} for g, day in of.health.diagnosed.items()]
    record: JsonObject = {
        "drugAllergy": [pick(rng, {"1": 94.5, "2": 3.5, "3": 1.5, "4": 0.5})],
        "exposure": ["1"],
        "diseases": diseases or [{"disease": NO_DISEASE}],
        "hasSurgery": "1",
        "hasTrauma": "1",
        "hasTransfusion": "1",
        "familyFather": [pick(rng, {"1": 70.0, "2": 20.0, "3": 5.0, "7": 5.0})],
        "familyMother": [pick(rng, {"1": 72.0, "2": 19.0, "3": 6.0, "4": 3.0})],
        "hereditary": "1",
        "disability": [pick(rng, _DISABILITIES) if of.health.has("disabled") else "1"],
    }
    if of.age >= 20 and rng.random() < 0.08:
        item = rng.choice(
            ("阑尾切除术", "胆囊切除术", "白内障摘除术") if of.sex == MALE else ("剖宫产术", "阑尾切除术", "胆囊切除术")
        )
        year = rng.randint(of.birth.year + 18, max(of.birth.year + 18, of.archived_on.year))
        record |= {"hasSurgery": "2", "surgery": [{"item": item, "date": str(year)}]}
    return record


def _management(of: Resident) -> JsonObject:
    leader = of.home.team.leader
    village_doctor = next(m for m in of.home.team.members if m.post == "village-doctor")
    record: JsonObject = {
        "orgCode": CENTRE,
        "orgName": CENTRE_NAME,
        "creator": village_doctor.name,
        "createdOn": of.archived_on.isoformat(),
        "doctorCode": leader.code,
        "doctorName": leader.name,
        "isHypertension": "1" if of.health.has("hypertension") else "0",
        "isDiabetes": "1" if of.health.has("diabetes-t2") else "0",
        "isPoverty": "1" if of.health.has("poverty-monitored") else "0",
        "economicType": [g for g in _ECONOMIC if of.health.has(g)] or ["general"],
        "archiveStatus": "0",
        "deceased": "0",
    }
    return record | ({"keyPopulation": list(of.health.groups)} if of.health.groups else {})


def _closure(rng: Random, fate: Fate | None) -> JsonObject:
    if fate is None or fate.reason not in {"death", "moved-away"}:
        return {}
    closed: JsonObject = {"archiveStatus": "1", "cancelReason": fate.reason}
    if fate.reason == "death":
        closed |= {"deceased": "1", "deathDate": fate.on.isoformat(), "deathReason": rng.choice(_DEATHS)}
    return closed
