"""Who is registered with what: chronic disease by age and sex, and the key populations. http://www.nhc.gov.cn/."""

from dataclasses import dataclass
from datetime import date
from random import Random

from fhir_server.synthetic.draws import day_between, days_after, years_after
from fhir_server.synthetic.households import FEMALE, MALE, Body

# Percent of persons from this age on (28.3 % and 12.8 % of adults; surveys of 2012-15 and 2018).
_HYPERTENSION = {
    15: 1.5, 20: 4, 25: 5, 30: 7, 35: 12, 40: 18, 45: 27, 50: 33, 55: 42, 60: 48, 65: 54, 70: 58, 75: 60, 80: 60, 85: 58,
}  # fmt: skip
_DIABETES = {
    15: 0.5, 20: 2, 25: 3, 30: 5, 35: 7, 40: 9.5, 45: 12.5, 50: 15.5, 55: 18.5, 60: 21, 65: 23, 70: 24, 75: 24, 80: 23, 85: 20,
}  # fmt: skip
_HYPERTENSION_KNOWN, _DIABETES_KNOWN = 0.515, 0.367
_BY_SEX = {MALE: 1.05, FEMALE: 0.95}
_DIABETES_WITH_HYPERTENSION = 1.8
# key population: (from age, to age, only this sex or "", share). Assumptions where no register publishes a figure.
_OTHERS = {
    "maternal": (20, 39, FEMALE, 0.04),
    "smi": (18, 80, "", 0.0055),
    "tb": (15, 90, "", 0.0005),
    "disabled": (3, 99, "", 0.027),
    "special-family": (50, 99, "", 0.005),
    "poverty-monitored": (0, 99, "", 0.04),
    "low-income": (0, 99, "", 0.029),
    "destitute": (55, 99, "", 0.009),
    "stroke": (40, 99, "", 0.022),
    "chd": (40, 99, "", 0.03),
    "copd": (40, 99, "", 0.02),
}
ELDERLY_FROM, CHILD_TO = 65, 6


@dataclass(frozen=True, slots=True)
class Health:
    """What the registers know: key-population codes in a fixed order, and since when each chronic disease is diagnosed."""

    groups: tuple[str, ...]
    diagnosed: dict[str, date]

    def has(self, group: str) -> bool:
        """Tells whether the resident belongs to a key population."""
        return group in self.groups


def draw_health(rng: Random, body: Body, *, as_of: date) -> Health:
    """Returns a resident's registered diseases and key populations; persons who do not know that they are ill have none."""
    groups = _age_groups(body)
    has_hypertension = _is_ill(rng, _HYPERTENSION, body.age, _BY_SEX[body.sex])
    factor = _DIABETES_WITH_HYPERTENSION if has_hypertension else 0.78
    has_diabetes = _is_ill(rng, _DIABETES, body.age, factor)
    if has_hypertension and rng.random() < _HYPERTENSION_KNOWN:
        groups.append("hypertension")
    if has_diabetes and rng.random() < _DIABETES_KNOWN:
        groups.append("diabetes-t2")
    for group, (low, high, sex, share) in _OTHERS.items():
        if low <= body.age <= high and sex in ("", body.sex) and rng.random() < share:
            groups.append(group)
    return Health(tuple(groups), {g: _diagnosed(rng, body, as_of) for g in groups if g in _DISEASES})


_DISEASES = frozenset({"hypertension", "diabetes-t2", "smi", "tb", "stroke", "chd", "copd"})


def _age_groups(body: Body) -> list[str]:
    if body.age <= CHILD_TO:
        return ["children-0-6"]
    return ["elderly-65"] if body.age >= ELDERLY_FROM else []


def _is_ill(rng: Random, table: dict[int, float], age: int, factor: float) -> bool:
    percent = next((share for start, share in reversed(table.items()) if age >= start), 0.0)
    return rng.random() < percent / 100 * factor


def _diagnosed(rng: Random, body: Body, as_of: date) -> date:
    """One to fifteen years ago, and not before the fourteenth birthday."""
    earliest = max(years_after(as_of, -15), years_after(body.birth, 14))
    return day_between(rng, earliest, max(earliest, days_after(as_of, -400)))
