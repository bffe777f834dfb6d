"""Contracts with their mix of states, terms, packages and fees: records of the form `contract`. 国卫基层发〔2018〕35号."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random

from fhir_server.fhir.shapes import JsonObject
from fhir_server.synthetic.draws import day_between, days_after, pick, shares, years_after
from fhir_server.synthetic.places import CENTRE, CENTRE_NAME, TOWN
from fhir_server.synthetic.residents import Resident

# Share of residents with an active contract: 60 % of all and 80 % of the key populations (益阳, 2025).
COVERAGE_KEY, COVERAGE_ALL = 0.80, 0.60
STATES = {"active": 88.0, "applied": 4.0, "terminated": 3.0, "expired": 4.0, "rejected": 1.0, "voided": 0.3}
EXPIRING_SHARE, EXPIRING_WITHIN_DAYS = 0.08, 60
_TERMS = {1: 85.0, 2: 10.0, 3: 5.0}
_REASONS = {
    "moved-away": 35.0,
    "death": 20.0,
    "resident-request": 18.0,
    "lost-contact": 15.0,
    "re-sign": 10.0,
    "other": 2.0,
}
_CHANNELS = {"app-resident": 35.0, "app-doctor": 30.0, "web": 20.0, "paper": 10.0, "import": 5.0}
_TIERS = {"base": 78.0, "primary": 14.0, "intermediate": 5.0, "advanced": 2.0, "private": 1.0}
# tier: packages, total fee from and to (yuan a year), residents' own share from and to.
_PACKAGES: dict[str, tuple[tuple[str, ...], int, int, int, int]] = {
    "base": (("basic",), 120, 150, 0, 20),
    "primary": (("basic", "health-management"), 200, 300, 60, 120),
    "intermediate": (("basic", "care-discount"), 320, 480, 160, 260),
    "advanced": (("basic", "health-management", "care-discount"), 600, 900, 400, 600),
    "private": (("texu",), 1500, 5000, 1300, 4800),
}
_PUBLIC_HEALTH, _GOVERNMENT = 40, 20
_MAY_DIE_FROM, _GROWN_FROM = 60, 4
_OPEN = frozenset({"active", "applied"})


@dataclass(frozen=True, slots=True)
class Fate:
    """Why and on which day a contract was terminated; it also closes the archive and ends visits."""

    reason: str
    on: date


@dataclass(frozen=True, slots=True)
class Signing:
    """One contract to be written: for whom, the last day of reference, and its running number."""

    rng: Random
    resident: Resident
    as_of: date
    number: int


def contract_records(
    rng: Random, residents: Sequence[Resident], *, as_of: date
) -> tuple[list[JsonObject], dict[str, Fate]]:
    """Returns the contracts by their number, and the fates that terminated some, by record number of the resident.

    A re-signed resident has two: the terminated one and the active one that follows it.
    """
    records: list[JsonObject] = []
    fates: dict[str, Fate] = {}
    for resident, state in _with_states(rng, _signing_residents(rng, residents)):
        this = Signing(rng, resident, as_of, len(records) + 1)
        record, fate = _contract(this, state)
        records.append(record)
        if fate is not None and fate.reason == "re-sign":
            records.append(_active(Signing(rng, resident, as_of, len(records) + 1), fate.on))
        elif fate is not None:
            fates[resident.number] = fate
    return records, fates


def _signing_residents(rng: Random, residents: Sequence[Resident]) -> list[Resident]:
    """Who has a contract in any state; the active ones among them reach the coverage."""
    keys = [r for r in residents if r.health.groups]
    others = [r for r in residents if not r.health.groups]
    active = STATES["active"] / sum(STATES.values())
    wanted_keys = min(len(keys), round(len(keys) * COVERAGE_KEY / active))
    wanted = round(len(residents) * COVERAGE_ALL / active)
    chosen = {r.number for r in rng.sample(keys, wanted_keys)}
    chosen |= {r.number for r in rng.sample(others, min(len(others), max(0, wanted - wanted_keys)))}
    return [r for r in residents if r.number in chosen]


def _with_states(rng: Random, signing: Sequence[Resident]) -> list[tuple[Resident, str]]:
    """Gives every contract its state; the youngest, who cannot have an old contract, have an open one."""
    states = shares(rng, len(signing), STATES)
    closed = [s for s in states if s not in _OPEN]
    grown = [r.number for r in signing if r.age >= _GROWN_FROM]
    chosen = dict(zip(rng.sample(grown, min(len(closed), len(grown))), closed, strict=False))
    others = iter([s for s in states if s in _OPEN] + ["active"] * len(closed))
    return [(r, chosen[r.number] if r.number in chosen else next(others)) for r in signing]


def _contract(this: Signing, state: str) -> tuple[JsonObject, Fate | None]:
    if state == "terminated":
        return _terminated(this)
    return _STATES[state](this), None


def _active(this: Signing, not_before: date | None = None) -> JsonObject:
    rng, as_of = this.rng, this.as_of
    years = pick(rng, _TERMS)
    if not_before is not None:
        start = not_before
    elif rng.random() < EXPIRING_SHARE:
        start = days_after(years_after(as_of, -years), rng.randint(1, EXPIRING_WITHIN_DAYS))
    else:
        start = days_after(years_after(as_of, -years), rng.randint(EXPIRING_WITHIN_DAYS + 2, 365 * years))
    return _record(this, "active", max(start, min(days_after(this.resident.birth, 14), as_of)), years)


def _applied(this: Signing) -> JsonObject:
    """Proposed by one side, and waiting for the other."""
    state = this.rng.choice(("resident-applied", "doctor-applied"))
    return _record(this, state, days_after(this.as_of, this.rng.randint(1, 20)), 1, is_signed=False)


def _expired(this: Signing) -> JsonObject:
    start = days_after(years_after(this.as_of, -1), -this.rng.randint(5, 200))
    return _record(this, "expired", start, 1)


def _rejected(this: Signing) -> JsonObject:
    start = days_after(this.as_of, -this.rng.randint(5, 300))
    return _record(this, "rejected", start, 1, is_signed=False)


def _voided(this: Signing) -> JsonObject:
    start = days_after(this.as_of, -this.rng.randint(40, 300))
    stopped = {"stopDate": days_after(start, this.rng.randint(1, 30)).isoformat(), "stopReason": "invoice-voided"}
    return _record(this, "voided", start, 1) | stopped


_STATES: dict[str, Callable[[Signing], JsonObject]] = {
    "active": _active,
    "applied": _applied,
    "expired": _expired,
    "rejected": _rejected,
    "voided": _voided,
}


def _terminated(this: Signing) -> tuple[JsonObject, Fate]:
    rng = this.rng
    reason = pick(rng, _REASONS)
    if reason == "death" and this.resident.age < _MAY_DIE_FROM:
        reason = "moved-away"
    start = days_after(this.as_of, -rng.randint(60, 330))
    fate = Fate(reason, day_between(rng, days_after(start, 20), days_after(this.as_of, -3)))
    stopped = {"stopDate": fate.on.isoformat(), "stopReason": reason}
    return _record(this, "terminated", start, 1) | stopped, fate


def _record(this: Signing, state: str, start: date, years: int, *, is_signed: bool = True) -> JsonObject:
    of, team = this.resident, this.resident.home.team
    record = {
        "contractNo": f"QY{TOWN}-{start.year}-{this.number:06d}",
        "residentNo": of.number,
        "residentName": of.name,
        "idCard": of.id_card,
        "residentPhone": of.phone,
        "residentAddress": of.home.address,
        "householdNo": of.home.number,
        "ownerName": of.home.head_name,
        "teamCode": team.code,
        "teamName": team.name,
        "doctorCode": team.leader.code,
        "doctorName": team.leader.name,
        "orgCode": CENTRE,
        "orgName": CENTRE_NAME,
        "startDate": start.isoformat(),
        "endDate": days_after(years_after(start, years), -1).isoformat(),
        "termYears": years,
        "status": state,
        "channel": pick(this.rng, _CHANNELS),
        "area": of.area,
        "keyPopulation": list(of.health.groups) or ["general"],
    }
    return record | _signature(this, start, is_signed=is_signed) | _package(this, is_signed=is_signed)


def _signature(this: Signing, start: date, *, is_signed: bool) -> JsonObject:
    """Who signs: a child's guardian, sometimes an old resident's family, otherwise the resident."""
    rng, of = this.rng, this.resident
    is_by_head = of.age < 18 or (of.age >= 80 and of.home.size > 1)
    way = "family-proxy" if is_by_head else pick(rng, {"self": 62.0, "qr": 20.0, "assisted": 12.0, "doctor-proxy": 6.0})
    signer = {"signer": of.home.head_name, "signerNo": of.home.head_number}
    record: JsonObject = {"way": way, "agreed": "1" if is_signed else "0", "partyA": CENTRE_NAME}
    record |= signer if is_by_head else {"signer": of.name, "signerNo": of.number}
    signed_on = min(days_after(start, -rng.randint(0, 10)), this.as_of)
    return record | ({"signedOn": signed_on.isoformat()} if is_signed else {})


def _package(this: Signing, *, is_signed: bool) -> JsonObject:
    rng, health = this.rng, this.resident.health
    tier = pick(rng, _TIERS)
    packages, low, high, own_low, own_high = _PACKAGES[tier]
    special = [
        p
        for p, groups in (("manbing", ("hypertension", "diabetes-t2")), ("doudi", ("low-income", "destitute")))
        if any(map(health.has, groups))
    ]
    own = rng.randint(own_low // 5, own_high // 5) * 5
    total = max(rng.randint(low // 10, high // 10) * 10, own + _PUBLIC_HEALTH + _GOVERNMENT)
    fees = {"feeTotal": total, "feeInsurance": total - own - _PUBLIC_HEALTH - _GOVERNMENT}
    fees |= {"feePublicHealth": _PUBLIC_HEALTH, "feeGovernment": _GOVERNMENT, "feeSelf": own}
    kind = (
        "private-doctor"
        if tier == "private"
        else "family"
        if this.resident.home.size > 1 and rng.random() < 0.75
        else "individual"
    )
    return {
        "contractType": kind,
        "packages": [*packages, *special],
        "payStatus": "paid" if is_signed else "unpaid",
    } | {name: Decimal(amount).quantize(Decimal("0.01")) for name, amount in fees.items()}
