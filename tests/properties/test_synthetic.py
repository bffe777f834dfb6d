"""A township of any size and seed obeys the forms' own rules, and all that its records refer to is there."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.errors import has_errors
from fhir_server.mapping import load_mappings
from fhir_server.mapping.codecs.identifiers import read_id_card
from fhir_server.synthetic.population import build_population

NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)
MAPPINGS = load_mappings()
townships = st.builds(
    build_population, st.integers(min_value=1, max_value=150), seed=st.integers(min_value=0, max_value=10**6)
)
some = settings(max_examples=15, deadline=None)


def broken(form, record):
    mapper = MAPPINGS.mapper(form, "national")
    typed, issues = mapper.read(record)
    return has_errors([*issues, *mapper.check(typed, now=NOW)[1]]) or bool(issues)


@some
@given(townships)
def test_every_record_passes_schema_and_rules_of_its_form(township):
    assert [(form, r) for form, records in township.records.items() for r in records if broken(form, r)] == []


@some
@given(townships)
def test_every_citizen_number_is_valid_but_those_told_as_spoilt(township):
    spoilt = {s.number for s in township.spoilt if s.finding and s.kind != "fifteen-digits"}
    wrong = {
        r["residentNo"]
        for r in township.records["personal-info"]
        if read_id_card(r["idCard"]).problem or read_id_card(r["idCard"]).birth_date != r["birthDate"]
    }
    assert wrong == spoilt
    assert [p for p in township.records["practitioner"] if read_id_card(p["idCard"]).problem] == []


@some
@given(townships)
def test_every_team_is_led_by_one_family_doctor_and_has_a_nurse(township):
    teams = township.records["care-team"]
    leaders = [[(m["staffCode"], m["role"]) for m in t["members"] if m["isLeader"]] for t in teams]
    assert leaders == [[(t["leaderCode"], "family-doctor")] for t in teams]
    nurses = [sum(m["role"] == "nurse" for m in t["members"]) for t in teams]
    sizes = [len(t["members"]) for t in teams]
    assert min(nurses) >= 1
    assert (min(sizes) >= 3, max(sizes) <= 8) == (True, True)


@some
@given(townships)
def test_everybody_lives_in_a_household_with_one_head_and_one_address(township):
    homes: dict[str, list] = {}
    for record in township.records["personal-info"]:
        homes.setdefault(record["householdNo"], []).append(record)
    assert {sum(r["relationToHead"] == "02" for r in members) for members in homes.values()} == {1}
    assert {len({(r["address"], r["doctorCode"], r["fuel"]) for r in members}) for members in homes.values()} == {1}
    assert max(map(len, homes.values())) <= 7


def referred(township):
    """What records name, by the form that has it."""
    records = township.records
    patients = ("contract", "htn-followup", "referral")
    doctors = [r["doctorCode"] for form in ("personal-info", "contract", "htn-followup") for r in records[form]]
    return {
        "personal-info": {r["residentNo"] for form in patients for r in records[form]}
        | {r["signerNo"] for r in records["contract"]},
        "practitioner": {*doctors, *(r["fromDoctorCode"] for r in records["referral"])}
        | {m["staffCode"] for t in records["care-team"] for m in t["members"]},
        "care-team": {r["teamCode"] for r in records["contract"]},
        "organization": {r["orgCode"] for form in ("practitioner", "care-team", "contract") for r in records[form]}
        | {r["toOrgCode"] for r in records["referral"]}
        | {r["parentCode"] for r in records["organization"] if "parentCode" in r},
    }


KEYS = {
    "organization": "orgCode",
    "practitioner": "staffCode",
    "care-team": "teamCode",
    "personal-info": "residentNo",
    "contract": "contractNo",
    "htn-followup": "visitNo",
    "referral": "referralNo",
}


@some
@given(townships)
def test_keys_are_unique_and_everything_named_is_there(township):
    keys = {form: [r[KEYS[form]] for r in records] for form, records in township.records.items()}
    assert {form for form, found in keys.items() if len(found) != len(set(found))} == set()
    assert {form: named - set(keys[form]) for form, named in referred(township).items()} == {
        "personal-info": set(),
        "practitioner": set(),
        "care-team": set(),
        "organization": set(),
    }


@some
@given(st.integers(min_value=1, max_value=60), st.integers(min_value=0, max_value=10**6))
def test_the_same_arguments_give_the_same_township(residents, seed):
    assert build_population(residents, seed=seed) == build_population(residents, seed=seed)
