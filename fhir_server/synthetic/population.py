"""The whole township as form records, in load order. See docs/decisions/0002-mapping-language.md."""

from dataclasses import dataclass
from datetime import date

from fhir_server.fhir.shapes import JsonObject
from fhir_server.synthetic.archives import archive_record
from fhir_server.synthetic.contracts import contract_records
from fhir_server.synthetic.draws import stream
from fhir_server.synthetic.follow_up import follow_up_records
from fhir_server.synthetic.households import build_bodies, build_households
from fhir_server.synthetic.numbers import NumberOffice
from fhir_server.synthetic.places import build_villages, organization_records
from fhir_server.synthetic.referrals import referral_records
from fhir_server.synthetic.residents import Settlement, SpoiltNumber, settle
from fhir_server.synthetic.teams import build_teams, care_team_records, practitioner_records, team_count

FORMS = ("organization", "practitioner", "care-team", "personal-info", "contract", "htn-followup", "referral")
"""The forms that are written, each after those that it refers to."""

DEFAULT_AS_OF = date(2025, 6, 30)
MOST_RESIDENTS = 400_000
"""There are names for 300 villages, and a village has a team of its own."""


@dataclass(frozen=True, slots=True)
class Population:
    """A township on its reference day. `records` are plain form records by form, in load order."""

    seed: int
    residents: int
    as_of: date
    records: dict[str, list[JsonObject]]
    spoilt: tuple[SpoiltNumber, ...]


def build_population(residents: int, *, seed: int, as_of: date = DEFAULT_AS_OF) -> Population:
    """Returns a township with so many residents (1 to 400 000); the same arguments give the same one.

    All dates are relative to `as_of`; the clock is not read.
    """
    office = NumberOffice(stream(seed, "numbers"))
    villages = build_villages(stream(seed, "villages"), team_count(residents))
    teams = build_teams(stream(seed, "teams"), office, villages=villages, as_of=as_of)
    bodies = build_bodies(stream(seed, "bodies"), residents, as_of=as_of)
    households = build_households(stream(seed, "households"), bodies)
    people, spoilt = settle(Settlement(stream(seed, "residents"), office, teams, as_of), households)
    contracts, fates = contract_records(stream(seed, "contracts"), people, as_of=as_of)
    archives = stream(seed, "archives")
    records = {
        "organization": organization_records(stream(seed, "organizations"), villages),
        "practitioner": practitioner_records(teams),
        "care-team": care_team_records(teams),
        "personal-info": [archive_record(archives, of, fate=fates.get(of.number)) for of in people],
        "contract": contracts,
        "htn-followup": follow_up_records(stream(seed, "follow-up"), people, fates=fates, as_of=as_of),
        "referral": referral_records(stream(seed, "referrals"), people, teams=teams, fates=fates, as_of=as_of),
    }
    return Population(seed, residents, as_of, {form: records[form] for form in FORMS}, tuple(spoilt))
