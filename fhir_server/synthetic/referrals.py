"""Referrals up to the county hospital and back down: records of the form `referral`. 国家基本公共卫生服务规范(第三版), 2017, 双向转诊单."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from fhir_server.fhir.shapes import JsonObject
from fhir_server.synthetic.contracts import Fate
from fhir_server.synthetic.draws import days_after, pick
from fhir_server.synthetic.households import MALE
from fhir_server.synthetic.places import CENTRE, CENTRE_NAME, HOSPITAL, HOSPITAL_NAME, TOWN
from fhir_server.synthetic.residents import Resident
from fhir_server.synthetic.teams import Staff, Team

# A year's up-referrals for each resident: 6.8 visits x 52 % at the grassroots x 6 per 1 000 is 0.021, raised a little.
_UP_SHARE, _DOWN_SHARE = 0.026, 0.45
_FROM_AGE = 30
_PRIORITIES = {"stat": 8.0, "urgent": 22.0, "asap": 10.0, "routine": 60.0}
_ACCEPTED, _ARRIVED, _DOWN_ACCEPTED = 0.88, 0.92, 0.94
_REFUSALS = {"暂无床位": 45.0, "本院无对应专科": 20.0, "转诊资料不完整": 20.0, "不符合转诊指征": 15.0}
_DAYS_TO_ANSWER = {"stat": 1, "urgent": 1, "asap": 2, "routine": 3}


@dataclass(frozen=True, slots=True)
class Complaint:
    """The texts of one kind of illness, going up and coming down. `group`: the register it belongs to, or empty."""

    group: str
    department: str
    impression: str
    history: str
    examination: tuple[str, str]
    diagnosis: str
    course: str
    advice: str


COMPLAINTS = (
    Complaint("hypertension", "心血管内科", "高血压3级 极高危", "反复头晕3天，两次随访血压控制不满意，调整用药后仍高于目标。",
              ("血压、心电图", "血压 182/104 mmHg；心电图：左室高电压"), "高血压3级 极高危",
              "住院期间完善检查，联合降压治疗，出院前血压 136/82 mmHg。", "低盐饮食，每周测血压2次，两周内社区随访一次，按时服药。"),
    Complaint("chd", "心血管内科", "冠心病 不稳定型心绞痛", "活动后胸闷、胸骨后压榨感1周，休息后可缓解，近2日发作频繁。",
              ("心电图、心肌酶", "心电图：V4-V6 ST段压低"), "冠心病 不稳定型心绞痛",
              "抗血小板、调脂、扩冠治疗后症状缓解，冠脉造影示中度狭窄，药物治疗。", "双联抗血小板，步行康复每日20分钟，胸痛发作立即就诊。"),
    Complaint("stroke", "神经内科", "脑梗死(急性期?)", "晨起右侧肢体无力、言语不清2小时，既往高血压病史。",
              ("血压、快速血糖、头颅CT", "血压 168/96 mmHg；快速血糖 6.8 mmol/L；本院无CT"), "脑梗死(左侧基底节区)",
              "改善循环、营养神经治疗，右侧肌力恢复至4级，言语较清晰。", "肢体功能训练每日2次，每次30分钟；吞咽与言语训练；控制血压；一周内上门随访。"),
    Complaint("diabetes-t2", "内分泌科", "2型糖尿病 血糖控制不佳", "口干、多饮、多尿加重1月，口服降糖药调整后空腹血糖仍高。",
              ("空腹血糖、尿常规", "空腹血糖 15.2 mmol/L；尿酮体 1+"), "2型糖尿病伴血糖控制不佳",
              "胰岛素强化治疗后改为基础胰岛素联合口服药，空腹血糖 6.9 mmol/L。", "每周监测空腹及餐后血糖，学习胰岛素注射，糖尿病饮食，两周内随访。"),
    Complaint("copd", "呼吸与危重症医学科", "慢性阻塞性肺疾病急性加重", "咳嗽咳痰加重伴气促5天，黄痰，活动后明显。",
              ("血氧饱和度、血常规、胸片", "血氧饱和度 90%；白细胞 12.4×10^9/L"), "慢性阻塞性肺疾病急性加重",
              "抗感染、平喘、低流量吸氧治疗，气促明显缓解。", "规范吸入用药，缩唇呼吸与步行训练，戒烟，一月后复查肺功能。"),
    Complaint("", "呼吸与危重症医学科", "社区获得性肺炎", "发热、咳嗽3天，最高体温39.2℃，门诊治疗效果不佳。",
              ("血常规、胸片", "白细胞 14.1×10^9/L；胸片：右下肺斑片影"), "社区获得性肺炎(右下肺)",
              "静脉抗感染7天，体温正常，复查胸片吸收好转。", "继续口服抗菌药物3天，注意休息，两周后复查胸片。"),
    Complaint("", "骨科", "股骨颈骨折?", "跌倒后左髋部疼痛、不能站立1小时。",
              ("查体、X线", "左下肢外旋短缩；本院X线示股骨颈皮质不连续"), "左侧股骨颈骨折",
              "行髋关节置换术，伤口甲级愈合，可扶助行器行走。", "髋关节功能锻炼，防跌倒，继续抗凝，术后一月复查。"),
    Complaint("", "消化内科", "上消化道出血?", "黑便2次，伴上腹隐痛、乏力。",
              ("血常规、大便潜血", "血红蛋白 92 g/L；大便潜血阳性"), "十二指肠球部溃疡伴出血",
              "内镜下止血，抑酸治疗，出院前大便潜血阴性。", "规律抑酸治疗4周，忌酒及刺激饮食，复查血常规。"),
)  # fmt: skip


def referral_records(
    rng: Random, residents: Sequence[Resident], *, teams: Sequence[Team], fates: Mapping[str, Fate], as_of: date
) -> list[JsonObject]:
    """Returns up-referrals of the last year by day, then the down-referrals that answer some of them.

    300 residents give 8 up and 4 down; a resident has at most one of each.
    """
    patients = [r for r in residents if r.age >= _FROM_AGE and r.number not in fates]
    wanted = min(len(patients), max(1, round(len(residents) * _UP_SHARE)))
    returning = rng.sample(range(wanted), min(wanted, max(1, round(wanted * _DOWN_SHARE))))
    days = sorted(days_after(as_of, -rng.randint(30, 330)) for _ in range(wanted))
    ups = [
        _up(rng, patient, day, f"SZ{TOWN}{n + 1:05d}", comes_back=n in returning)
        for n, (patient, day) in enumerate(zip(_ill_ones(rng, patients, wanted), days, strict=True))
    ]
    specialists = [m for team in teams for m in team.members if m.institution == HOSPITAL]
    downs = [_down(rng, ups[n], f"XZ{TOWN}{n + 1:05d}", rng.choice(specialists)) for n in sorted(returning)]
    return [record for record, _, _ in ups] + downs


def _ill_ones(rng: Random, patients: Sequence[Resident], wanted: int) -> list[Resident]:
    """Residents on a register first, up to two thirds of those wanted; others fill up."""
    groups = {c.group for c in COMPLAINTS if c.group}
    registered = [r for r in patients if groups & set(r.health.groups)]
    chosen = rng.sample(registered, min(len(registered), -(-2 * wanted // 3)))
    taken = {r.number for r in chosen}
    chosen += rng.sample([r for r in patients if r.number not in taken], wanted - len(chosen))
    return rng.sample(chosen, wanted)


Referred = tuple[JsonObject, Resident, Complaint]


def _up(rng: Random, of: Resident, day: date, number: str, *, comes_back: bool) -> Referred:
    fitting = [c for c in COMPLAINTS if c.group and of.health.has(c.group)]
    complaint = rng.choice(fitting or [c for c in COMPLAINTS if not c.group])
    priority = pick(rng, _PRIORITIES)
    leader = of.home.team.leader
    record = _patient(of) | {
        "referralNo": number,
        "direction": "1",
        "kind": _kind(rng, priority, comes_back=comes_back),
        "priority": priority,
        "date": day.isoformat(),
        "submittedAt": f"{day.isoformat()}T{rng.randint(8, 17):02d}:{rng.randint(0, 59):02d}:00+08:00",
        "dueDate": days_after(day, _DAYS_TO_ANSWER[priority]).isoformat(),
        **_sender(CENTRE, CENTRE_NAME, leader),
        "toOrgCode": HOSPITAL,
        "toOrgName": HOSPITAL_NAME,
        "toDept": complaint.department,
        "payType": "2",
        "visitKind": "1" if priority == "stat" else "2",
        "precautions": "转运途中监测生命体征，携带既往检查资料。",
        "treatment": "门诊对症处理，病情需上级医院进一步诊治。",
    }
    return record | _illness(of, complaint) | _state(rng, comes_back=comes_back), of, complaint


def _kind(rng: Random, priority: str, *, comes_back: bool) -> str:
    if priority == "stat":
        return "emergency"
    return "inpatient" if comes_back else pick(rng, {"outpatient": 45.0, "inpatient": 35.0, "exam": 20.0})


def _state(rng: Random, *, comes_back: bool) -> JsonObject:
    if comes_back:
        return {"status": "returned"}
    if rng.random() >= _ACCEPTED:
        return {"status": "rejected", "rejectReason": pick(rng, _REFUSALS)}
    if rng.random() >= _ARRIVED:
        return {"status": "accepted"}
    return {"status": pick(rng, {"patient-arrived": 55.0, "admitted": 20.0, "discharged": 25.0})}


def _patient(of: Resident) -> JsonObject:
    return {
        "residentNo": of.number,
        "recordNo": of.number,
        "name": of.name,
        "gender": "男" if of.sex == MALE else "女",
        "age": of.age,
        "address": of.home.address,
        "phone": of.phone,
    }


def _sender(institution: str, name: str, doctor: Staff) -> JsonObject:
    return {
        "fromOrgCode": institution,
        "fromOrgName": name,
        "fromDoctorCode": doctor.code,
        "fromDoctorName": doctor.name,
        "fromDoctorPhone": doctor.phone,
    }


def _illness(of: Resident, complaint: Complaint) -> JsonObject:
    known = {
        "hypertension": "高血压",
        "diabetes-t2": "2型糖尿病",
        "chd": "冠心病",
        "stroke": "脑卒中",
        "copd": "慢阻肺",
    }
    past = "、".join(known[g] for g in of.health.groups if g in known)
    return {
        "impression": complaint.impression,
        "history": complaint.history,
        "description": f"{complaint.impression}。{complaint.history}",
        "pastHistory": past or "既往体健",
        "examItems": complaint.examination[0],
        "examResults": complaint.examination[1],
    }


def _down(rng: Random, referred: Referred, number: str, specialist: Staff) -> JsonObject:
    """Back to the team after a stay of 5 to 14 days (8.8 in the mean), with diagnosis, summary and rehabilitation plan."""
    up, of, complaint = referred
    day = days_after(date.fromisoformat(up["date"]), rng.choice((5, 7, 8, 8, 9, 9, 10, 14)))
    return _patient(of) | {
        "referralNo": number,
        "upReferralNo": up["referralNo"],
        "direction": "2",
        "kind": "rehab",
        "priority": "routine",
        "status": "accepted" if rng.random() < _DOWN_ACCEPTED else "submitted",
        "date": day.isoformat(),
        "submittedAt": f"{day.isoformat()}T{rng.randint(9, 16):02d}:{rng.randint(0, 59):02d}:00+08:00",
        "dueDate": days_after(day, 7).isoformat(),
        **_sender(HOSPITAL, HOSPITAL_NAME, specialist),
        "toOrgCode": CENTRE,
        "toOrgName": CENTRE_NAME,
        "toDept": "全科医学科",
        "toDoctorName": of.home.team.leader.name,
        "toDoctorPhone": of.home.team.leader.phone,
        "inpatientNo": f"ZY{day.year}{rng.randint(1, 99999):05d}",
        "diagnosis": complaint.diagnosis,
        "history": f"{complaint.diagnosis}，病情稳定，转回社区康复。",
        "findings": complaint.examination[1],
        "summary": complaint.course,
        "plan": complaint.advice,
        "payType": "2",
        "visitKind": "3",
    }
