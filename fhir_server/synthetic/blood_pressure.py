"""Blood pressure of managed patients, and how a follow-up visit is classed. 国家基本公共卫生服务规范(第三版), 2017, 高血压患者健康管理."""

from dataclasses import dataclass
from random import Random

from fhir_server.synthetic.draws import near, standard

SATISFIED, UNSATISFIED, ADVERSE_REACTION, COMPLICATION = "1", "2", "3", "4"
EMERGENCY_SBP, EMERGENCY_DBP = 180, 110
_CORRELATION = 0.6
_DIGIT_PREFERENCE = 0.25


@dataclass(frozen=True, slots=True)
class Pressure:
    """A blood pressure in mmHg."""

    sbp: int
    dbp: int

    @property
    def is_emergency(self) -> bool:
        """At or above 180/110 in either value: refer at once, visit again within two weeks."""
        return self.sbp >= EMERGENCY_SBP or self.dbp >= EMERGENCY_DBP


def is_on_target(pressure: Pressure, age: int) -> bool:
    """Tells whether both values are below the target: 140/90 mmHg, and 150/90 from 65 years on."""
    return pressure.sbp < (150 if age >= 65 else 140) and pressure.dbp < 90


def draw_pressure(rng: Random, age: int, *, is_controlled: bool) -> Pressure:
    """Returns a reading of a managed patient on or above the target, whole mmHg; a quarter is read to the nearest ten."""
    while True:
        pressure = _controlled(rng) if is_controlled else _uncontrolled(rng)
        if rng.random() < _DIGIT_PREFERENCE:
            pressure = Pressure(round(pressure.sbp, -1), round(pressure.dbp, -1))
        if is_on_target(pressure, age) == is_controlled and pressure.sbp - pressure.dbp >= 20:
            return pressure


def _controlled(rng: Random) -> Pressure:
    return _pair(rng, 131, 7, 79, 6)


def _uncontrolled(rng: Random) -> Pressure:
    return _pair(rng, 152, 11, 90, 8)


def _pair(rng: Random, sbp: float, sbp_deviation: float, dbp: float, dbp_deviation: float) -> Pressure:
    first = near(rng, 0, deviation=1, low=-3, high=3)
    second = _CORRELATION * first + (1 - _CORRELATION**2) ** 0.5 * standard(rng)
    return Pressure(round(sbp + sbp_deviation * first), round(dbp + dbp_deviation * second))
