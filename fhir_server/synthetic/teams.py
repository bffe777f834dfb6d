"""Staff and family-doctor teams: one leader, who is a family doctor, and at least one nurse. 国卫基层发〔2018〕35号."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from random import Random

from fhir_server.fhir.shapes import JsonObject
from fhir_server.synthetic.draws import day_between, days_after, years_after
from fhir_server.synthetic.names import given_name, surname
from fhir_server.synthetic.numbers import NumberOffice
from fhir_server.synthetic.places import CENTRE, HOSPITAL, TOWN, TOWN_NAME, Village

_SMALL_TOWN, _RESIDENTS_PER_TEAM, _RESIDENTS_PER_LATER_TEAM = 300, 60, 1500
_TITLES = {
    "family-doctor": ("主治医师", "副主任医师", "执业医师"),
    "nurse": ("护师", "主管护师", "护士"),
    "public-health": ("公共卫生执业医师", "公共卫生主管医师"),
    "village-doctor": ("乡村医生", "执业助理医师"),
    "specialist": ("副主任医师", "主治医师"),
}


@dataclass(frozen=True, slots=True)
class Staff:
    """A person who works in an institution, in one post (team-role code)."""

    code: str
    name: str
    sex: str
    id_card: str
    institution: str
    post: str
    title: str
    licence: str
    phone: str


@dataclass(frozen=True, slots=True)
class Team:
    """A family-doctor team of the township health centre and the villages that it serves. The first member leads."""

    code: str
    name: str
    members: tuple[Staff, ...]
    villages: tuple[Village, ...]
    started_on: date
    phone: str

    @property
    def leader(self) -> Staff:
        """The family doctor who leads the team and signs its contracts."""
        return self.members[0]


def team_count(residents: int) -> int:
    """Returns how many teams serve so many residents: one for 60 up to 300, then one more for each further 1 500.

    The rule of 2 000 contracts a family doctor (国卫基层发〔2018〕35号) is kept with room.
    """
    if residents <= _SMALL_TOWN:
        return max(1, round(residents / _RESIDENTS_PER_TEAM))
    later = -(-(residents - _SMALL_TOWN) // _RESIDENTS_PER_LATER_TEAM)
    return _SMALL_TOWN // _RESIDENTS_PER_TEAM + later


@dataclass(frozen=True, slots=True)
class _Hiring:
    rng: Random
    office: NumberOffice
    numbers: "count[int]"
    as_of: date

    def hire(self, post: str, institution: str) -> Staff:
        rng, number = self.rng, next(self.numbers)
        sex = "2" if rng.random() < (0.95 if post == "nurse" else 0.45) else "1"
        birth = day_between(rng, years_after(self.as_of, -58), years_after(self.as_of, -26))
        name = surname(rng) + given_name(rng, sex, birth)
        licence = "" if post == "village-doctor" else f"1104309{number:08d}"
        id_card, phone = self.office.citizen(sex, birth), self.office.phone()
        return Staff(f"D{number:05d}", name, sex, id_card, institution, post, rng.choice(_TITLES[post]), licence, phone)


def build_teams(rng: Random, office: NumberOffice, *, villages: Sequence[Village], as_of: date) -> tuple[Team, ...]:
    """Returns one team a village: 3 to 8 members, 4.6 in the mean; specialists of the county hospital guide several teams."""
    hiring = _Hiring(rng, office, count(1), as_of)
    specialists = [hiring.hire("specialist", HOSPITAL) for _ in range(1 + len(villages) // 5)]
    return tuple(_team(hiring, village, number, specialists) for number, village in enumerate(villages, 1))


def _team(hiring: _Hiring, village: Village, number: int, specialists: Sequence[Staff]) -> Team:
    rng = hiring.rng
    members = [
        hiring.hire("family-doctor", CENTRE),
        hiring.hire("nurse", CENTRE),
        hiring.hire("village-doctor", village.clinic),
    ]
    for post, institution, share in (
        ("public-health", CENTRE, 0.7),
        ("nurse", CENTRE, 0.3),
        ("village-doctor", village.clinic, 0.2),
    ):
        if rng.random() < share:
            members.append(hiring.hire(post, institution))
    if rng.random() < 0.4 or number == 1:
        members.append(specialists[(number - 1) % len(specialists)])
    started_on = day_between(rng, years_after(hiring.as_of, -6), years_after(hiring.as_of, -4))
    name = f"{TOWN_NAME}第{number}家庭医生团队"
    return Team(f"{TOWN}{number:03d}", name, tuple(members), (village,), started_on, f"0737-420{1000 + number:04d}")


def practitioner_records(teams: Sequence[Team]) -> list[JsonObject]:
    """Returns all members of the teams, each once, as records of the form `practitioner`, by code."""
    staff = {member.code: member for team in teams for member in team.members}
    return [_practitioner(staff[code]) for code in sorted(staff)]


def _practitioner(of: Staff) -> JsonObject:
    record = {"staffCode": of.code, "name": of.name, "idCard": of.id_card, "gender": of.sex, "orgCode": of.institution}
    record |= {"post": of.post, "title": of.title, "phone": of.phone, "status": "1"}
    return record | ({"licenceNo": of.licence} if of.licence else {})


def care_team_records(teams: Sequence[Team]) -> list[JsonObject]:
    """Returns the teams as records of the form `care-team`."""
    return [
        {
            "teamCode": team.code,
            "name": team.name,
            "orgCode": CENTRE,
            "leaderCode": team.leader.code,
            "phone": team.phone,
            "areas": [village.code for village in team.villages],
            "status": "0",
            "category": "family-doctor-team",
            "members": [_member(team, staff, n) for n, staff in enumerate(team.members)],
        }
        for team in teams
    ]


def _member(team: Team, staff: Staff, position: int) -> JsonObject:
    started_on = days_after(team.started_on, 120 * position)
    return {
        "staffCode": staff.code,
        "role": staff.post,
        "isLeader": position == 0,
        "startDate": started_on.isoformat(),
        "status": "0",
    }
