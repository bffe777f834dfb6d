"""People by age and sex, and the households that they live in. Relations: GB/T 4761-2008; margins: Hunan, census of 2020. https://www.stats.gov.cn/."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random

from fhir_server.synthetic.draws import day_between, days_after, pick, shares, years_after

# Percent of all residents by five-year age group, 85 and older last; it gives 0-14 19.52, 60+ 19.88, 65+ 14.81.
AGE_GROUPS = {
    0: 5.20, 5: 7.00, 10: 7.32, 15: 5.90, 20: 4.60, 25: 5.30, 30: 8.10, 35: 7.00, 40: 6.20, 45: 7.90, 50: 8.70, 55: 6.90,
    60: 5.07, 65: 5.45, 70: 4.05, 75: 2.65, 80: 1.65, 85: 1.01,
}  # fmt: skip
# Men for 100 women, from this age on.
SEX_RATIOS = ((80, 80), (65, 97), (15, 104), (0, 112))
OLDEST = 99

MALE, FEMALE = "1", "2"
HEAD = "02"
# Relation to the head (GB/T 4761) by the head's place in the family and the member's. `son` and `daughter` are counted.
_RELATIONS = {
    "father": {"mother": "12", "grandfather": "51", "grandmother": "52", "son": "20", "daughter": "30"},
    "mother": {"grandfather": "53", "grandmother": "54", "son": "20", "daughter": "30"},
    "grandfather": {"grandmother": "12", "father": "20", "mother": "38", "son": "41", "daughter": "42"},
    "grandmother": {"father": "20", "mother": "38", "son": "41", "daughter": "42"},
    "son": {"son": "73", "daughter": "77"},
    "daughter": {"son": "73", "daughter": "77"},
}
_COUNTED = {"20": ("21", "22", "23", "24", "25"), "30": ("31", "32", "33", "34", "35")}
_MAY_HEAD = ("father", "mother", "grandfather", "grandmother", "son", "daughter")


@dataclass(frozen=True, slots=True)
class Body:
    """A resident before names and numbers. `age` is in full years on the reference day."""

    sex: str
    age: int
    birth: date


@dataclass(frozen=True, slots=True)
class Member:
    """A body with its place in the family (`father`, `son` ...) and its relation to the head (GB/T 4761)."""

    body: Body
    place: str
    relation: str


def build_bodies(rng: Random, count: int, *, as_of: date) -> list[Body]:
    """Returns residents whose ages and sexes keep the margins to within one person a group."""
    found: list[Body] = []
    groups = shares(rng, count, AGE_GROUPS)
    for start in AGE_GROUPS:
        men_per_100 = next(ratio for age, ratio in SEX_RATIOS if start >= age)
        sexes = shares(rng, groups.count(start), {MALE: men_per_100, FEMALE: 100})
        found += [_body(rng, sex, start, as_of) for sex in sexes]
    rng.shuffle(found)
    return found


def _body(rng: Random, sex: str, start: int, as_of: date) -> Body:
    age = start + (rng.randrange(5) if start < 85 else min(int(rng.expovariate(0.28)), OLDEST - 85))
    youngest = years_after(as_of, -age)
    return Body(sex, age, day_between(rng, days_after(years_after(as_of, -age - 1), 1), youngest))


@dataclass(frozen=True, slots=True)
class _Pool:
    """Who has no household yet, by sex and age."""

    bodies: dict[tuple[str, int], list[Body]] = field(default_factory=dict)

    def fill(self, bodies: Iterable[Body]) -> None:
        for body in bodies:
            self.bodies.setdefault((body.sex, body.age), []).append(body)

    def take(self, sexes: str, low: int, high: int) -> Body | None:
        """Takes somebody of an age from `low` to `high`, the nearest to the middle first."""
        middle = (low + high) / 2
        for age in sorted(range(max(low, 0), min(high, OLDEST) + 1), key=lambda a: abs(a - middle)):
            for sex in sexes:
                if waiting := self.bodies.get((sex, age)):
                    return waiting.pop()
        return None


Family = list[tuple[str, Body]]


def build_households(rng: Random, bodies: Sequence[Body]) -> list[list[Member]]:
    """Returns everybody in a household of one to seven: families around children first, then couples, then single people."""
    pool = _Pool()
    pool.fill(bodies)
    families: list[Family] = []
    while (child := pool.take("12", 0, 17)) is not None:
        families.append(_family_of(rng, pool, [child, *_siblings(rng, pool, child)]))
    while (young := pool.take("12", 18, 24)) is not None:
        families.append(_family_of(rng, pool, [young]))
    while (adult := pool.take("12", 25, OLDEST)) is not None:
        families.append(_couple(rng, pool, adult))
    rng.shuffle(families)
    return [_members(rng, family) for family in families]


def _siblings(rng: Random, pool: _Pool, child: Body) -> list[Body]:
    wanted = pick(rng, {0: 0.55, 1: 0.36, 2: 0.09})
    found = (pool.take("12", max(child.age - 7, 0), min(child.age + 7, 17)) for _ in range(wanted))
    return [body for body in found if body is not None]


def _family_of(rng: Random, pool: _Pool, children: list[Body]) -> Family:
    """Parents for the children, sometimes grandparents too, or grandparents alone (the parents work elsewhere)."""
    eldest, youngest = max(c.age for c in children), min(c.age for c in children)
    family: Family = []
    is_left_behind = eldest < 18 and rng.random() < 0.12
    mother = None if is_left_behind else pool.take(FEMALE, eldest + 20, max(youngest + 40, eldest + 22))
    if mother is not None:
        family.append(("mother", mother))
        father = pool.take(MALE, mother.age - 2, mother.age + 7)
        family += [("father", father)] if father is not None else []
    if mother is None or rng.random() < 0.2:
        family += _grandparents(pool, max([eldest + 24, *(body.age for _, body in family)]))
    if not family and (guardian := pool.take("12", eldest + 18, OLDEST)) is not None:
        family.append(("father" if guardian.sex == MALE else "mother", guardian))
    return family + [("son" if c.sex == MALE else "daughter", c) for c in children]


def _grandparents(pool: _Pool, parents_age: int) -> Family:
    """Grandparents for parents of at most this age, present or away."""
    grandmother = pool.take(FEMALE, parents_age + 20, parents_age + 42)
    if grandmother is None:
        return []
    grandfather = pool.take(MALE, grandmother.age - 2, grandmother.age + 7)
    return [("grandmother", grandmother)] + ([("grandfather", grandfather)] if grandfather is not None else [])


def _couple(rng: Random, pool: _Pool, adult: Body) -> Family:
    """The adult alone, or married, and then sometimes with a grown-up child at home."""
    place, spouse_place = ("father", "mother") if adult.sex == MALE else ("mother", "father")
    family: Family = [(place, adult)]
    if rng.random() < 0.22:
        return family
    low, high = (adult.age - 6, adult.age + 2) if adult.sex == MALE else (adult.age - 2, adult.age + 6)
    spouse = pool.take(FEMALE if adult.sex == MALE else MALE, max(low, 22), high)
    family += [(spouse_place, spouse)] if spouse is not None else []
    mother_age = next((b.age for p, b in family if p == "mother"), 0)
    if mother_age > 46 and rng.random() < 0.25:
        child = pool.take("12", 25, min(mother_age - 21, 38))
        family += [("son" if child.sex == MALE else "daughter", child)] if child is not None else []
    return family


def _members(rng: Random, family: Family) -> list[Member]:
    """Names the head (sometimes the grandfather where parents live too), and everybody's relation to the head; head first."""
    places = [place for place, _ in family]
    head = next(place for place in _MAY_HEAD if place in places)
    if "grandfather" in places and rng.random() < 0.4:
        head = "grandfather"
    family = sorted(family, key=lambda entry: (entry[0] != head, entry[1].birth))
    found = [Member(family[0][1], head, HEAD)]
    relations = [_RELATIONS[head][place] for place, _ in family[1:]]
    for n, (place, body) in enumerate(family[1:]):
        found.append(Member(body, place, _counted(relations, n)))
    return found


def _counted(relations: list[str], position: int) -> str:
    """Sons and daughters are told apart as only one, eldest, second ...; younger than the head's other relations never are."""
    relation = relations[position]
    if relation not in _COUNTED:
        return relation
    if sum(r in _COUNTED for r in relations) == 1:
        return _COUNTED[relation][0]
    return _COUNTED[relation][min(relations[: position + 1].count(relation), 4)]
