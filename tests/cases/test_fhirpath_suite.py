"""The official FHIRPath tests for R4, and the business rules of the family-doctor profiles with their cases.

See conformance/suites/fhirpath-r4/suite.toml and tests/cases/data/invariants_cases.json.
"""

import json
import re
import tomllib
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from fhir_server.data_files import data_folder
from fhir_server.fhirpath import EvaluationError, FhirPathError, compile  # noqa: A004 - the room's own name
from fhir_server.fhirpath.nodes import DATES, fhir_type
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import TIME, Temporal

SUITE = data_folder("conformance") / "suites" / "fhirpath-r4"
KNOWN = tomllib.loads((SUITE / "known.toml").read_text(encoding="utf-8"))
RULES = Path(__file__).parent / "data"
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=8)))


def suite_tests():
    for line in (SUITE / "tests.jsonl").read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        name = f"{test['group']}/{test['name']}"
        marks = [pytest.mark.xfail(reason=KNOWN[name]["reason"], strict=True)] if name in KNOWN else []
        yield pytest.param(test, id=name, marks=marks)


@cache
def read_input(name):
    return json.loads((SUITE / "inputs" / name).read_bytes(), parse_float=Decimal) if name else None


def spelled(node):
    """The text of a result as the suite writes it."""
    value = node.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Temporal):
        return ("@T" if value.kind == TIME else "@") + value.text
    if isinstance(value, Quantity):
        return value.text
    return f"@{value}" if node.type in DATES else str(value)


def is_expected(node, wanted):
    if wanted["type"] in ("integer", "decimal"):
        return fhir_type(node) == wanted["type"] and Decimal(node.value) == Decimal(wanted["value"])
    if wanted["type"] is not None and fhir_type(node).lower() != wanted["type"].rpartition(".")[2].lower():
        return False
    return spelled(node) == wanted["value"]


def are_expected(found, wanted, *, ordered):
    if len(found) != len(wanted):
        return False
    if ordered:
        return all(is_expected(n, w) for n, w in zip(found, wanted, strict=True))
    return all(any(is_expected(n, w) for n in found) for w in wanted) and all(
        any(is_expected(n, w) for w in wanted) for n in found
    )


@pytest.mark.parametrize("test", list(suite_tests()))
def test_official_expression_gives_the_official_result(test):
    def run():
        options = {"strict": True} if test.get("mode") == "strict" else {}
        found = compile(test["expression"]).collection(read_input(test["input"]), now=NOW, **options)
        return [n for n in found if n.value is not None]

    if "invalid" in test:
        with pytest.raises((EvaluationError, FhirPathError)):
            run()
    elif test.get("predicate"):
        found = run()
        truth = bool(found) and not (len(found) == 1 and found[0].value is False)
        assert truth is (test["expected"][0]["value"] == "true")
    else:
        found = run()
        assert are_expected(found, test["expected"], ordered=test.get("ordered", True)), [
            (spelled(n), n.type) for n in found
        ]


def test_every_known_failure_names_a_test_of_the_suite():
    names = {f"{t['group']}/{t['name']}" for t in map(json.loads, (SUITE / "tests.jsonl").read_text().splitlines())}
    assert set(KNOWN) - names == set()
    assert len(KNOWN) <= len(names) * 0.03


def dated(text):
    """Replaces `{today-Ny}` and `{today-Ny+1d}`."""

    def day(match):
        year = NOW.year - int(match[1])
        last = NOW.day if (NOW.month, NOW.day) != (2, 29) else 28
        return (NOW.replace(year=year, day=last) + timedelta(days=1 if match[2] else 0)).date().isoformat()

    return re.sub(r"\{today-(\d+)y(\+1d)?\}", day, text)


def rule_cases():
    document = json.loads((RULES / "invariants_cases.json").read_text(encoding="utf-8"), parse_float=Decimal)
    for case in document["cases"]:
        text = json.dumps(case["instance"], default=str, ensure_ascii=False).replace("{B}", document["base"])
        rule = rules()[case["key"]]
        yield pytest.param(rule, as_decimals(json.loads(dated(text)), case["instance"]), case["expect"], id=case["id"])


def as_decimals(copy, original):
    """Puts the decimals of the original back where the copy has their text."""
    if isinstance(original, dict):
        return {k: as_decimals(copy[k], v) for k, v in original.items()}
    if isinstance(original, list):
        return [as_decimals(c, o) for c, o in zip(copy, original, strict=True)]
    return original if isinstance(original, Decimal) else copy


@cache
def rules():
    text = (RULES / "invariants.json").read_text(encoding="utf-8").replace("{B}", "http://jtys.example/fhir")
    return {rule["key"]: rule for rule in json.loads(text)}


@pytest.mark.parametrize(("rule", "instance", "holds"), list(rule_cases()))
def test_business_rule_holds_on_its_cases_and_fails_on_the_others(rule, instance, holds):
    expression = compile(rule["expression"], rule["context"])
    assert expression.evaluate(instance, now=NOW) == [holds]
    assert expression.test(instance, instance, instance, now=NOW) is holds


def test_every_business_rule_has_a_case_that_holds_and_one_that_fails():
    cases = json.loads((RULES / "invariants_cases.json").read_text(encoding="utf-8"))["cases"]
    assert {(c["key"], c["expect"]) for c in cases} == {(key, holds) for key in rules() for holds in (True, False)}
