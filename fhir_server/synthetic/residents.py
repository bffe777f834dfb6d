"""Residents with names, numbers, addresses and health, and the health archive of each. 国家基本公共卫生服务规范(第三版), 2017."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from fhir_server.synthetic.draws import age_on, day_between, days_after, pick, years_after
from fhir_server.synthetic.health import Health, draw_health
from fhir_server.synthetic.households import Body, Member
from fhir_server.synthetic.names import given_name, surname
from fhir_server.synthetic.numbers import SPOILT, NumberOffice, Spoilt
from fhir_server.synthetic.teams import Team

_SPOILT_SHARE, _SPOILT_FROM, _SPOILT_LEAST = 0.005, 200, 3
_ETHNIC = {"01": 97.0, "15": 1.2, "06": 0.9, "03": 0.6, "12": 0.3}
# Living environment, the answers of the form: kitchen 2 油烟机, fuel 1 液化气 5 柴火, water 1 自来水 3 井水 ...
_LIVING = {
    "kitchenExhaust": {"2": 62.0, "3": 20.0, "4": 12.0, "1": 6.0},
    "fuel": {"1": 66.0, "3": 12.0, "5": 20.0, "2": 2.0},
    "water": {"1": 78.0, "3": 20.0, "2": 2.0},
    "toilet": {"1": 84.0, "2": 16.0},
    "livestock": {"1": 58.0, "2": 38.0, "4": 4.0},
}
_NEW_FAMILY_NAME = frozenset({"mother", "grandmother"})


@dataclass(frozen=True, slots=True)
class Home:
    """One household: its number and surname, the address, the team that serves it, and the head's name, number and telephone."""

    number: str
    surname: str
    address: str
    team: Team
    head_number: str
    head_name: str
    phone: str
    ethnicity: str
    size: int
    living: dict[str, str]


@dataclass(frozen=True, slots=True)
class Resident:
    """One resident. `number` is the 17-digit record number, `id_card` the citizen number as it is recorded."""

    number: str
    name: str
    sex: str
    birth: date
    age: int
    id_card: str
    relation: str
    phone: str
    home: Home
    health: Health
    archived_on: date

    @property
    def area(self) -> str:
        """The 12-digit code of the village."""
        return self.home.team.villages[0].code


@dataclass(frozen=True, slots=True)
class SpoiltNumber:
    """A citizen number that is recorded badly, and the finding under which it is told (empty: reading mends it)."""

    number: str
    kind: str
    finding: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where households go, and what is drawn for them."""

    rng: Random
    office: NumberOffice
    teams: Sequence[Team]
    as_of: date


def settle(settlement: Settlement, households: Sequence[Sequence[Member]]) -> tuple[list[Resident], list[SpoiltNumber]]:
    """Returns all residents, household by household, and the citizen numbers that were spoilt on purpose."""
    spoilt = _spoilt_positions(settlement.rng, [m.body for members in households for m in members])
    residents: list[Resident] = []
    told: list[SpoiltNumber] = []
    inhabitants = dict.fromkeys((team.code for team in settlement.teams), 0)
    for position, members in enumerate(households):
        team = settlement.teams[position % len(settlement.teams)]
        first = inhabitants[team.code] + 1
        inhabitants[team.code] += len(members)
        home = _home(settlement, team, position // len(settlement.teams) + 1, members, first)
        for number, member in enumerate(members, first):
            way = spoilt.get(len(residents))
            id_card = (way.issue if way else NumberOffice.citizen)(
                settlement.office, member.body.sex, member.body.birth
            )
            residents.append(_resident(settlement, home, member, f"{team.villages[0].code}{number:05d}", id_card))
            told += [SpoiltNumber(residents[-1].number, way.kind, way.finding)] if way else []
    return residents, told


def _spoilt_positions(rng: Random, bodies: Sequence[Body]) -> dict[int, Spoilt]:
    """Which residents' numbers are recorded badly: one in 200, at least three of 200 and more, every kind in turn."""
    wanted = max(round(len(bodies) * _SPOILT_SHARE), _SPOILT_LEAST if len(bodies) >= _SPOILT_FROM else 0)
    found: dict[int, Spoilt] = {}
    order = rng.sample(range(len(bodies)), len(bodies))
    for n in range(wanted):
        way = SPOILT[n % len(SPOILT)]
        fitting = (p for p in order if p not in found and 1900 < bodies[p].birth.year < way.born_before)
        if (position := next(fitting, None)) is not None:
            found[position] = way
    return found


def _home(settlement: Settlement, team: Team, serial: int, members: Sequence[Member], first: int) -> Home:
    rng, village, head = settlement.rng, team.villages[0], members[0].body
    address = f"{village.address}{1 + serial % 18}组{1 + serial // 18}号"
    family = surname(rng)
    name = family + given_name(rng, head.sex, head.birth)
    number, record = f"{village.code}{serial:04d}", f"{village.code}{first:05d}"
    living = {question: pick(rng, answers) for question, answers in _LIVING.items()}
    phone, ethnicity = settlement.office.phone(), pick(rng, _ETHNIC)
    return Home(number, family, address, team, record, name, phone, ethnicity, len(members), living)


def _resident(settlement: Settlement, home: Home, member: Member, number: str, id_card: str) -> Resident:
    rng, body = settlement.rng, member.body
    is_head = number == home.head_number
    has_own_phone = not is_head and 14 <= body.age < 78 and rng.random() < 0.7
    return Resident(
        number,
        home.head_name if is_head else _name(rng, home, member),
        body.sex,
        body.birth,
        age_on(body.birth, settlement.as_of),
        id_card,
        member.relation,
        settlement.office.phone() if has_own_phone else home.phone,
        home,
        draw_health(rng, body, as_of=settlement.as_of),
        _archived_on(rng, body.birth, settlement.as_of),
    )


def _name(rng: Random, home: Home, member: Member) -> str:
    family = surname(rng) if member.place in _NEW_FAMILY_NAME else home.surname
    return family + given_name(rng, member.body.sex, member.body.birth)


def _archived_on(rng: Random, birth: date, as_of: date) -> date:
    """In the last twelve years, after birth, and before any contract that is still of interest."""
    first = min(max(years_after(as_of, -12), days_after(birth, 7)), as_of)
    return day_between(rng, first, max(first, days_after(as_of, -1200)))
