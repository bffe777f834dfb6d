from collections import Counter
from datetime import date
from itertools import pairwise

import pytest

from fhir_server.cli.generate import DEFAULT_AS_OF as SHOWN_AS_OF
from fhir_server.cli.generate import MOST_RESIDENTS as SHOWN_MOST
from fhir_server.synthetic.blood_pressure import SATISFIED, UNSATISFIED, Pressure, draw_pressure, is_on_target
from fhir_server.synthetic.draws import stream
from fhir_server.synthetic.households import AGE_GROUPS, build_bodies
from fhir_server.synthetic.population import DEFAULT_AS_OF, MOST_RESIDENTS, build_population
from fhir_server.synthetic.teams import team_count


@pytest.fixture(scope="module")
def township():
    return build_population(300, seed=2025)


@pytest.fixture(scope="module")
def town():
    return build_population(3000, seed=11)


def age(record):
    birth = date.fromisoformat(record["birthDate"])
    return DEFAULT_AS_OF.year - birth.year - ((DEFAULT_AS_OF.month, DEFAULT_AS_OF.day) < (birth.month, birth.day))


def test_twenty_thousand_residents_keep_the_census_margins():
    bodies = build_bodies(stream(3, "bodies"), 20_000, as_of=DEFAULT_AS_OF)
    children, old, elderly = (
        sum(test(b.age) for b in bodies) for test in (lambda a: a < 15, lambda a: a >= 60, lambda a: a >= 65)
    )
    assert (children, old, elderly) == (3904, 3976, 2962)
    men = sum(b.sex == "1" for b in bodies)
    assert 103.5 < 100 * men / (20_000 - men) < 105.5
    groups = Counter(min(b.age // 5 * 5, 85) for b in bodies)
    assert {g for g, percent in AGE_GROUPS.items() if abs(groups[g] - 200 * percent) > 1} == set()


def test_ages_and_birth_dates_agree(township):
    assert {age(r) >= 65 for r in township.records["personal-info"] if "elderly-65" in r.get("keyPopulation", ())} == {
        True
    }
    bodies = build_bodies(stream(3, "bodies"), 500, as_of=DEFAULT_AS_OF)
    assert [b for b in bodies if age({"birthDate": b.birth.isoformat()}) != b.age] == []


@pytest.mark.parametrize(("residents", "teams"), [(1, 1), (60, 1), (150, 2), (300, 5), (301, 6), (20_000, 19)])
def test_teams_grow_with_the_town(residents, teams):
    assert team_count(residents) == teams


def test_a_demonstration_has_five_teams_and_the_institutions_around_them(township):
    kinds = Counter(r["type"] for r in township.records["organization"])
    assert kinds == {"A100": 1, "C220": 1, "D600": 5}
    assert {r["level"] for r in township.records["organization"] if r["type"] == "A100"} == {"5"}
    assert len(township.records["care-team"]) == 5
    assert len(township.records["personal-info"]) == 300


def test_three_hundred_residents_give_referrals_both_ways(township):
    directions = Counter(r["direction"] for r in township.records["referral"])
    assert directions["1"] >= 6
    assert directions["2"] >= 3


def test_a_down_referral_answers_an_up_referral_that_returned(township):
    ups = {r["referralNo"]: r for r in township.records["referral"] if r["direction"] == "1"}
    downs = [r for r in township.records["referral"] if r["direction"] == "2"]
    assert {ups[d["upReferralNo"]]["status"] for d in downs} == {"returned"}
    assert [d["referralNo"] for d in downs if d["date"] <= ups[d["upReferralNo"]]["date"]] == []
    assert {r["referralNo"] for r in ups.values() if r["status"] == "returned"} == {d["upReferralNo"] for d in downs}


def test_at_least_three_of_three_hundred_numbers_are_spoilt(township):
    assert len(township.spoilt) == 3


def test_spoilt_numbers_are_one_in_two_hundred_of_every_kind():
    bodies = build_population(2000, seed=4).spoilt
    assert Counter(s.kind for s in bodies) == dict.fromkeys(
        ("checksum", "fifteen-digits", "lower-case-x", "full-width", "birth-date"), 2
    )


def test_contracts_keep_their_mix_of_states(town):
    states = Counter(r["status"] for r in town.records["contract"])
    count = states.total()
    assert 0.86 < states["active"] / count < 0.90
    assert 0.025 < states["terminated"] / count < 0.035
    assert 0.035 < states["expired"] / count < 0.045
    assert 0.035 < (states["resident-applied"] + states["doctor-applied"]) / count < 0.045
    assert {"rejected", "voided"} <= set(states)


def test_active_contracts_cover_sixty_percent_of_all_and_eighty_of_the_key_populations(town):
    active = {r["residentNo"] for r in town.records["contract"] if r["status"] == "active"}
    residents = town.records["personal-info"]
    key = [r for r in residents if r.get("keyPopulation")]
    assert 0.58 < len(active) / len(residents) < 0.62
    assert 0.78 < sum(r["residentNo"] in active for r in key) / len(key) < 0.83


def test_fees_add_up(town):
    parts = ("feeInsurance", "feePublicHealth", "feeGovernment", "feeSelf")
    assert [r["contractNo"] for r in town.records["contract"] if sum(r[p] for p in parts) != r["feeTotal"]] == []


def test_nobody_has_two_active_contracts(town):
    holders = Counter(r["residentNo"] for r in town.records["contract"] if r["status"] == "active")
    assert max(holders.values()) == 1


def test_no_family_doctor_has_more_than_two_thousand_contracts():
    contracts = build_population(3000, seed=2).records["contract"]
    assert max(Counter(r["doctorCode"] for r in contracts).values()) <= 2000


def test_a_contract_ended_by_death_closes_the_archive_on_that_day(town):
    deaths = {r["residentNo"]: r["stopDate"] for r in town.records["contract"] if r.get("stopReason") == "death"}
    closed = {r["residentNo"]: r["deathDate"] for r in town.records["personal-info"] if r.get("deceased") == "1"}
    assert closed == deaths
    assert deaths != {}


def test_nobody_is_visited_after_the_last_day(town):
    last = {r["residentNo"]: r["stopDate"] for r in town.records["contract"] if r["status"] == "terminated"}
    last = {n: day for n, day in last.items() if n not in _signed_again(town)}
    late = [v for v in town.records["htn-followup"] if v["visitDate"] >= last.get(v["residentNo"], "9999")]
    assert late == []


def _signed_again(town):
    return {r["residentNo"] for r in town.records["contract"] if r.get("stopReason") == "re-sign"}


def test_visits_follow_the_pressure_rule(town):
    ages = {r["residentNo"]: age(r) for r in town.records["personal-info"]}
    measured = [v for v in town.records["htn-followup"] if v.get("class") in (SATISFIED, UNSATISFIED)]
    told = {v["visitNo"]: v["class"] == SATISFIED for v in measured}
    ruled = {v["visitNo"]: is_on_target(Pressure(v["sbp"], v["dbp"]), ages[v["residentNo"]]) for v in measured}
    assert told == ruled
    assert set(told.values()) == {True, False}


def test_registered_patients_alone_are_followed_up_and_about_three_in_five_are_controlled(town):
    registered = {r["residentNo"] for r in town.records["personal-info"] if r["isHypertension"] == "1"}
    latest = {v["residentNo"]: v for v in town.records["htn-followup"] if "class" in v}
    assert set(latest) <= registered
    assert len(latest) > 0.9 * len(registered)
    controlled = sum(v["class"] == SATISFIED for v in latest.values()) / len(latest)
    assert 0.54 < controlled < 0.70
    assert 0.09 < len(registered) / 3000 < 0.135


def test_a_visit_not_made_has_no_measurement(town):
    lost = [v for v in town.records["htn-followup"] if "noVisitReason" in v]
    assert {"sbp", "dbp", "mode", "class", "drugs"} & {field for v in lost for field in v} == set()
    assert lost != []


def test_the_first_two_unsatisfactory_visits_are_repeated_within_two_weeks(town):
    visits = {}
    for visit in town.records["htn-followup"]:
        visits.setdefault(visit["residentNo"], []).append(visit)
    gaps = {
        (date.fromisoformat(second["visitDate"]) - date.fromisoformat(first["visitDate"])).days
        for of in visits.values()
        for first, second in pairwise(of)
        if first["class"] == UNSATISFIED and first is of[0]
    }
    assert gaps == {10, 11, 12, 13, 14}


def test_two_unsatisfactory_visits_in_a_row_are_referred(town):
    told = [(v["referralCode"], v["class"]) for v in town.records["htn-followup"] if v.get("referralCode") == "1"]
    assert set(told) == {("1", UNSATISFIED)}


@pytest.mark.parametrize(
    ("pressure", "age_", "met"),
    [
        ((139, 89), 64, True),
        ((140, 80), 64, False),
        ((130, 90), 64, False),
        ((149, 89), 65, True),
        ((150, 80), 65, False),
    ],
)
def test_the_target_is_140_90_and_150_90_from_65(pressure, age_, met):
    assert is_on_target(Pressure(*pressure), age_) is met


def test_a_reading_is_on_the_side_that_was_asked_for():
    rng = stream(1, "x")
    drawn = {is_on_target(draw_pressure(rng, 50, is_controlled=False), 50) for _ in range(300)}
    assert drawn == {False}


def test_the_command_line_knows_the_limits_without_loading_the_generator():
    assert (MOST_RESIDENTS, DEFAULT_AS_OF.isoformat()) == (SHOWN_MOST, SHOWN_AS_OF)


def test_all_dates_move_with_the_reference_day():
    earlier = build_population(60, seed=1, as_of=date(2024, 2, 29))
    latest = max(v["visitDate"] for v in earlier.records["htn-followup"])
    assert latest <= "2024-02-29"
    assert min(r["birthDate"] for r in earlier.records["personal-info"]) < "1950"
