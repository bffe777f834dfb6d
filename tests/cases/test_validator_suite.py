"""Agreement with the recorded outcomes of the official validator, see conformance/suites/hl7-validator-r4/suite.toml."""

import json
import tomllib

import pytest

from fhir_server.data_files import data_folder
from tests.support.hl7_validator import validate

SUITE = data_folder("conformance") / "suites" / "hl7-validator-r4"
KNOWN = tomllib.loads((SUITE / "known.toml").read_text(encoding="utf-8"))
CASES = [json.loads(line) for line in (SUITE / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
BARS = {"base": 0.93, "profile": 0.88}
"""Least agreement of each phase."""
MOST_FALSE = 0.01
"""Largest share of checks in which we find an error where the official validator finds none."""


def named(case):
    return f"{case['name']}/{case['phase']}"


def params():
    for case in CASES:
        known = KNOWN.get(named(case))
        marks = [pytest.mark.xfail(reason=known["reason"], strict=True)] if known else []
        yield pytest.param(case, id=named(case), marks=marks)


def files_of(names):
    return [(name, (SUITE / "files" / name).read_bytes()) for name in names]


def errors_in(case):
    outcome = validate(
        (SUITE / "files" / case["file"]).read_bytes(),
        format="xml" if case["file"].endswith(".xml") else "json",
        profiles=[case["profile"]] if case["phase"] == "profile" else [],
        load=files_of(case.get("load", ())),
        load_r5=files_of(case.get("load_r5", ())),
        fetch={reference: files_of([name])[0] for reference, name in case.get("fetch", {}).items()},
        options=case.get("options", {}),
    )
    return [issue for issue in outcome["issue"] if issue["severity"] in ("error", "fatal")]


@pytest.mark.parametrize("case", list(params()))
def test_an_error_is_found_where_the_official_validator_finds_one(case):
    assert bool(errors_in(case)) == bool(case["expected"]["errors"])


def test_a_known_difference_is_a_check_of_the_suite():
    assert set(KNOWN) <= {named(case) for case in CASES}


@pytest.mark.parametrize("phase", sorted(BARS))
def test_the_known_differences_leave_the_agreement_that_is_wanted(phase):
    checks = [case for case in CASES if case["phase"] == phase]
    differing = [case for case in checks if named(case) in KNOWN]
    assert 1 - len(differing) / len(checks) >= BARS[phase]


def test_hardly_any_known_difference_is_an_error_too_many():
    too_many = [case for case in CASES if named(case) in KNOWN and not case["expected"]["errors"]]
    assert len(too_many) / len(CASES) < MOST_FALSE
