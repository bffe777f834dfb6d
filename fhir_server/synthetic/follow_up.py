"""Hypertension follow-ups: records of the form `htn-followup`. 国家基本公共卫生服务规范(第三版), 2017, 高血压患者随访服务记录表."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random

from fhir_server.fhir.shapes import JsonObject
from fhir_server.synthetic.blood_pressure import (
    ADVERSE_REACTION,
    COMPLICATION,
    SATISFIED,
    UNSATISFIED,
    Pressure,
    draw_pressure,
    is_on_target,
)
from fhir_server.synthetic.contracts import Fate
from fhir_server.synthetic.draws import day_between, days_after, near, pick, years_after
from fhir_server.synthetic.households import MALE
from fhir_server.synthetic.places import CENTRE, HOSPITAL_NAME, TOWN
from fhir_server.synthetic.residents import Resident

# name, drug class of the form, dose, unit, times a day. The order is the order of escalation.
_DRUGS = (
    ("苯磺酸氨氯地平片", "1", "5", "mg", 1),
    ("缬沙坦胶囊", "3", "80", "mg", 1),
    ("氢氯噻嗪片", "4", "12.5", "mg", 1),
    ("美托洛尔缓释片", "5", "47.5", "mg", 1),
)
_OTHER_FIRST = (
    ("硝苯地平控释片", "1", "30", "mg", 1),
    ("依那普利片", "2", "10", "mg", 2),
    ("厄贝沙坦片", "3", "150", "mg", 1),
)
_MOST_DRUGS = 4
_WELL_MANAGED, _ON_TARGET_WELL, _ON_TARGET_POORLY, _GAIN_PER_DRUG = 0.50, 0.88, 0.08, 0.03
_LOST_SHARE = 0.012
_RECHECK_DAYS, _RECHECKS = 14, 2
_REFERRAL = {
    "consecutive": ("1", "连续两次控制不满意"),
    ADVERSE_REACTION: ("2", "药物不良反应难以控制"),
    COMPLICATION: ("3", "出现新的并发症"),
    "emergency": ("5", "危急情况"),
}


@dataclass(frozen=True, slots=True)
class _Patient:
    """What stays the same from visit to visit. `height` in metres, `weight` in kg."""

    of: Resident
    is_well_managed: bool
    height: float
    weight: float
    smoke: int
    drink: Decimal


@dataclass(slots=True)
class _Course:
    """What changes from visit to visit: the drugs, and how many visits in a row were unsatisfactory."""

    drugs: int
    first: tuple[str, str, str, str, int]
    unsatisfied: int = 0


def follow_up_records(
    rng: Random, residents: Sequence[Resident], *, fates: Mapping[str, Fate], as_of: date
) -> list[JsonObject]:
    """Returns the visits of the last twelve months to everybody on the hypertension register, by patient and day.

    They are quarterly; an unsatisfactory one is repeated within two weeks, two in a row are referred,
    and what stays unsatisfactory after that is seen at the regular intervals again.
    """
    found: list[JsonObject] = []
    for of in residents:
        if of.health.has("hypertension"):
            end = min(as_of, days_after(fates[of.number].on, -1)) if of.number in fates else as_of
            found += _visits(rng, of, as_of, end)
    for number, record in enumerate(found, 1):
        record["visitNo"] = f"SF{TOWN}{number:06d}"
    return found


def _visits(rng: Random, of: Resident, as_of: date, end: date) -> Iterator[JsonObject]:
    patient = _patient(rng, of)
    drugs = pick(rng, {1: 55.0, 2: 35.0, 3: 10.0} if patient.is_well_managed else {0: 8.0, 1: 52.0, 2: 40.0})
    course = _Course(drugs, rng.choice(_OTHER_FIRST) if rng.random() < 0.5 else _DRUGS[0])
    day = day_between(rng, days_after(years_after(as_of, -1), 1), days_after(as_of, -275))
    while day <= end:
        if rng.random() < _LOST_SHARE:
            yield _lost(rng, of, day)
            return
        record, wait = _visit(rng, patient, course, day)
        yield record
        day = days_after(day, wait)


def _patient(rng: Random, of: Resident) -> _Patient:
    height = near(rng, 1.67 if of.sex == MALE else 1.56, deviation=0.058, low=1.4, high=1.9)
    bmi = near(rng, 24.8, deviation=3.2, low=17.5, high=36)
    smokes, drinks = (0.42, 0.35) if of.sex == MALE else (0.02, 0.03)
    return _Patient(
        of,
        rng.random() < _WELL_MANAGED,
        height,
        bmi * height**2,
        rng.choice((5, 10, 10, 20)) if rng.random() < smokes else 0,
        Decimal(rng.choice(("0.5", "1.0", "1.5", "2.0"))) if rng.random() < drinks else Decimal("0.0"),
    )


def _visit(rng: Random, patient: _Patient, course: _Course, day: date) -> tuple[JsonObject, int]:
    """One visit and the days until the next; the course moves on."""
    likely = _ON_TARGET_WELL if patient.is_well_managed else _ON_TARGET_POORLY + _GAIN_PER_DRUG * course.drugs
    pressure = draw_pressure(rng, patient.of.age, is_controlled=rng.random() < likely)
    class_ = _class_of(rng, pressure, patient.of.age)
    course.unsatisfied = course.unsatisfied + 1 if class_ == UNSATISFIED else 0
    is_regular = class_ == SATISFIED or course.unsatisfied > _RECHECKS
    wait = rng.randint(84, 95) if is_regular else rng.randint(10, _RECHECK_DAYS)
    record = _who_and_when(rng, patient.of, day) | {
        "nextDate": days_after(day, 90 if is_regular else wait).isoformat(),
        "sbp": pressure.sbp,
        "dbp": pressure.dbp,
        "class": class_,
        "adr": "2" if class_ == ADVERSE_REACTION else "1",
        "visitEffect": "1",
    }
    record |= (
        _body(rng, patient)
        | _habits(rng, patient)
        | _medication(rng, course, class_)
        | _referral(course, class_, pressure)
    )
    if class_ == UNSATISFIED:
        course.drugs = min(course.drugs + 1, _MOST_DRUGS)
    return record, wait


def _class_of(rng: Random, pressure: Pressure, age: int) -> str:
    special = rng.random()
    if special < 0.012:
        return ADVERSE_REACTION
    if special < 0.018:
        return COMPLICATION
    return SATISFIED if is_on_target(pressure, age) else UNSATISFIED


def _who_and_when(rng: Random, of: Resident, day: date) -> JsonObject:
    team = of.home.team
    posts = ("family-doctor", "village-doctor", "public-health")
    doctor = rng.choice([m for m in team.members if m.post in posts])
    return {
        "residentNo": of.number,
        "recordNo": of.number,
        "name": of.name,
        "visitDate": day.isoformat(),
        "mode": pick(rng, {"1": 60.0, "2": 32.0, "3": 8.0}),
        "doctorCode": doctor.code,
        "doctorSign": doctor.name,
        "orgCode": doctor.institution if doctor.post == "village-doctor" else CENTRE,
    }


def _lost(rng: Random, of: Resident, day: date) -> JsonObject:
    """A visit that was not made: nothing was measured, so nothing is recorded but the reason."""
    record = _who_and_when(rng, of, day) | {"visitEffect": "2", "noVisitReason": rng.choice(("3", "4"))}
    del record["mode"]
    return record


def _one_decimal(value: float) -> Decimal:
    return Decimal(str(round(value, 1))).quantize(Decimal("0.1"))


def _body(rng: Random, patient: _Patient) -> JsonObject:
    weight = _one_decimal(patient.weight + rng.uniform(-1.2, 1.2))
    bmi = _one_decimal(float(weight) / patient.height**2)
    is_heavy = bmi >= 24
    return {
        "weight": weight,
        "weightTarget": weight - Decimal(rng.choice(("1.0", "2.0", "3.0"))) if is_heavy else weight,
        "bmi": bmi,
        "bmiTarget": Decimal("23.9") if is_heavy else bmi,
        "heartRate": round(near(rng, 74, deviation=9, low=48, high=118)),
    }


def _habits(rng: Random, patient: _Patient) -> JsonObject:
    salt = pick(rng, {"1": 45.0, "2": 42.0, "3": 13.0})
    times = pick(rng, {0: 10.0, 3: 25.0, 5: 35.0, 7: 30.0})
    return {
        "symptoms": _symptoms(rng),
        "smoke": patient.smoke,
        "smokeTarget": patient.smoke // 2,
        "drink": patient.drink,
        "drinkTarget": min(patient.drink, Decimal("0.5")),
        "exTimes": times,
        "exTimesTarget": max(times, 5),
        "exMin": rng.choice((20, 30, 30, 40)) if times else 0,
        "exMinTarget": 30,
        "salt": salt,
        "saltTarget": "1" if salt == "1" else str(int(salt) - 1),
        "psych": pick(rng, {"1": 80.0, "2": 18.0, "3": 2.0}),
        "obey": pick(rng, {"1": 78.0, "2": 19.0, "3": 3.0}),
    }


def _symptoms(rng: Random) -> list[str]:
    if rng.random() < 0.78:
        return ["1"]
    return sorted(rng.sample(("2", "4", "6", "8", "9"), rng.choice((1, 1, 2))))


def _medication(rng: Random, course: _Course, class_: str) -> JsonObject:
    chosen = [course.first, *(d for d in _DRUGS if d[1] != course.first[1])][: course.drugs]
    if not chosen:
        return {"compliance": "3"}
    regular = {"1": 86.0, "2": 14.0} if class_ == SATISFIED else {"1": 58.0, "2": 42.0}
    return {
        "compliance": pick(rng, regular),
        "drugs": [
            {"name": name, "kind": kind, "dose": Decimal(dose), "doseUnit": unit, "timesPerDay": times, "days": 30}
            for name, kind, dose, unit, times in chosen
        ],
    }


def _referral(course: _Course, class_: str, pressure: Pressure) -> JsonObject:
    if pressure.is_emergency:
        code, reason = _REFERRAL["emergency"]
    elif class_ in _REFERRAL:
        code, reason = _REFERRAL[class_]
    elif course.unsatisfied == 2:
        code, reason = _REFERRAL["consecutive"]
    else:
        return {}
    return {"referralCode": code, "referralReason": reason, "referralOrg": f"{HOSPITAL_NAME} 心血管内科"}
