import math
from dataclasses import replace
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.errors import FhirError, SearchParameterUnknown, SearchValueInvalid, Severity
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.includes import Include
from fhir_server.search.parse import ParsedSearch, parse_query
from fhir_server.search.query import (
    AllOf,
    AnyOf,
    HasRange,
    Hop,
    IdIs,
    KeyEnds,
    KeyIs,
    KeyStarts,
    Not,
    RangeOp,
    RangeTest,
    SortBy,
    SortKey,
    TextContains,
    TextIs,
    UpdatedTest,
)

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2024, 6, 1, 8, tzinfo=ZONE)
US = "\x1f"
DAY = 86_400_000_000
MAY_6 = 1_714_924_800_000_000
"""2024-05-06T00:00+08:00 in microseconds."""


@cache
def context(*, lenient: bool = False) -> SearchContext:
    return SearchContext(load_definitions(), ZONE, NOW, "https://fhir.example/r4", max_count=100, lenient=lenient)


def parse(type_: str, *pairs: tuple[str, str], lenient: bool = False) -> ParsedSearch:
    return parse_query(ResourceType(type_), pairs, context(lenient=lenient))


def keys(type_: str, *pairs: tuple[str, str]) -> tuple[type[FhirError], list[tuple[str, str]]]:
    with pytest.raises(FhirError) as caught:
        parse(type_, *pairs)
    texts = [i.text(language) for i in caught.value.issues for language in ("en", "zh")]
    assert [text for text in texts if "{" in text] == []
    return type(caught.value), [(i.key, i.path) for i in caught.value.issues]


@pytest.mark.parametrize(
    ("type_", "name", "value", "clause"),
    [
        ("Patient", "name", "Wang  X", KeyStarts("name", "wang x")),
        ("Patient", "name:contains", "ＡＢ", TextContains("name", "ab")),
        ("Patient", "name:exact", "Wang\\, X", TextIs("name", "Wang, X")),
        ("Patient", "name:missing", "false", KeyStarts("name", "")),
        ("Patient", "name:missing", "true", Not(KeyStarts("name", ""))),
        ("Patient", "gender", "Male", KeyStarts("gender", f"male{US}")),
        ("Patient", "identifier", "urn:S|A", KeyIs("identifier", f"a{US}urn:S")),
        ("Patient", "identifier", "|A", KeyIs("identifier", f"a{US}")),
        ("Patient", "identifier", "urn:S|", KeyEnds("identifier", f"{US}urn:S")),
        (
            "Patient",
            "gender:not",
            "male,female",
            Not(AnyOf((KeyStarts("gender", f"male{US}"), KeyStarts("gender", f"female{US}")))),
        ),
        (
            "Patient",
            "general-practitioner",
            "d1",
            AnyOf(
                tuple(
                    KeyIs("general-practitioner", f"{t}/d1")
                    for t in ("Practitioner", "Organization", "PractitionerRole")
                )
            ),
        ),
        ("Observation", "patient", "p1", KeyIs("subject", "Patient/p1")),
        ("Observation", "patient", "https://fhir.example/r4/Patient/p1", KeyIs("subject", "Patient/p1")),
        ("Observation", "subject", "Practitioner/d1", KeyIs("subject", "Practitioner/d1")),
        ("Observation", "subject:Group", "g1", KeyIs("subject", "Group/g1")),
        ("Observation", "subject:identifier", "a|B", KeyIs("subject:identifier", f"b{US}a")),
        (
            "Observation",
            "subject:missing",
            "false",
            AnyOf((KeyStarts("subject", ""), KeyStarts("subject:identifier", ""))),
        ),
        ("Observation", "date", "ge2024-05-06", RangeTest("date", RangeOp.GE, MAY_6, MAY_6 + DAY)),
        ("Observation", "date", "2024-05-06T00:00:00 08:00", RangeTest("date", RangeOp.EQ, MAY_6, MAY_6 + 1_000_000)),
        (
            "Observation",
            "date",
            "ap2024-05-12",
            RangeTest("date", RangeOp.AP, MAY_6 + 6 * DAY - 2 * DAY + DAY // 15, MAY_6 + 7 * DAY + 2 * DAY - DAY // 15),
        ),
        ("Observation", "date:missing", "true", Not(HasRange("date"))),
        (
            "Observation",
            "value-quantity",
            "5|http://u|mg",
            AnyOf(
                (
                    RangeTest("value-quantity", RangeOp.EQ, 4.5, 5.5, f"mg{US}http://u"),
                    RangeTest("value-quantity", RangeOp.EQ, 4.5, 5.5, f"mg{US}http://u{US}"),
                )
            ),
        ),
        (
            "Observation",
            "value-quantity",
            "ap5||mg",
            AnyOf(
                (
                    RangeTest("value-quantity", RangeOp.AP, 4.5, math.nextafter(5.5, math.inf), "mg"),
                    RangeTest("value-quantity", RangeOp.AP, 4.5, math.nextafter(5.5, math.inf), f"mg{US}"),
                    RangeTest("value-quantity", RangeOp.AP, 4.5, math.nextafter(5.5, math.inf), f"{US}mg"),
                )
            ),
        ),
        ("ChargeItem", "factor-override", "ne0.5", RangeTest("factor-override", RangeOp.NE, 0.45, 0.55)),
        ("ValueSet", "url:below", "http://a/b/", AnyOf((KeyIs("url", "http://a/b"), KeyStarts("url", "http://a/b/")))),
        (
            "ValueSet",
            "url:above",
            "http://a/b",
            AnyOf(tuple(KeyIs("url", u) for u in ("http://a", "http://a/", "http://a/b", "http://a/b/"))),
        ),
        ("ValueSet", "url", "http://A/b", KeyIs("url", "http://A/b")),
        ("Patient", "_id", "a,b,a", IdIs(("a", "b"))),
        ("Patient", "_id:not", "a", Not(IdIs(("a",)))),
        ("Patient", "_id:missing", "true", Not(AllOf(()))),
        ("Patient", "_lastUpdated", "gt2024-05-06", UpdatedTest(RangeOp.GT, MAY_6, MAY_6 + DAY)),
        ("Patient", "_tag", "a|b", KeyIs("_tag", f"b{US}a")),
        ("Patient", "_profile", "http://a/p", KeyIs("_profile", "http://a/p")),
    ],
)
def test_a_pair_becomes_the_clause_that_r4_gives_it(type_, name, value, clause):
    parsed = parse(type_, (name, value))
    assert (parsed.query.where, parsed.used, parsed.issues) == ((clause,), ((name, value),), ())


def test_pairs_of_one_name_must_all_hold_and_order_is_kept():
    parsed = parse("Patient", ("name", "a"), ("gender", "male"), ("name", "b"))
    assert parsed.query.where == (KeyStarts("name", "a"), KeyStarts("gender", f"male{US}"), KeyStarts("name", "b"))


def test_a_pair_without_a_value_is_ignored_and_not_used():
    parsed = parse("Patient", ("name", ""), ("nonsense", ""), ("_count", ""), ("gender", "male"))
    assert (parsed.used, len(parsed.query.where), parsed.query.count) == ((("gender", "male"),), 1, 20)


@pytest.mark.parametrize(
    ("type_", "name", "value", "key"),
    [
        ("Patient", "nonsense", "x", "search.parameter-unknown"),
        ("Patient", "_query", "x", "search.parameter-not-offered"),
        ("Patient", "_list", "$current-problems", "search.list-functional"),
        ("Patient", "_filter", "nonsense eq x", "search.parameter-unknown"),
        ("Patient", "_filter", "gender.name eq x", "search.chain-no-reference"),
        ("Observation", "code-value-quantity:exact", "x", "search.modifier-unknown"),
        ("Location", "near:exact", "1|2", "search.modifier-unknown"),
        ("Patient", "link:above", "1", "search.reference-hierarchy"),
        ("Observation", "code.name", "x", "search.chain-no-reference"),
        ("Observation", "nonsense.name", "x", "search.parameter-unknown"),
        ("Patient", "_has:Nonsense:patient:code", "x", "search.has-type"),
        ("Patient", "_has:Observation:code:code", "x", "search.chain-no-reference"),
        ("Practitioner", "_has:Observation:patient:code", "x", "search.target-invalid"),
        ("Observation", "subject:Practitioner.name", "x", "search.target-invalid"),
        ("Observation", "subject:Patient.nonsense", "x", "search.parameter-unknown"),
        ("Observation", "focus." * 4 + "_id", "x", "search.chain-too-wide"),
        ("Observation", "subject:Patient." + "link:Patient." * 16 + "name", "x", "search.chain-too-long"),
        ("Patient", "name:exact:x", "x", "search.name-malformed"),
        ("Patient", "name:fuzzy", "x", "search.modifier-unknown"),
        ("Patient", "name:text", "x", "search.modifier-not-offered"),
        ("Patient", "birthdate:in", "2024", "search.modifier-not-offered"),
        ("Patient", "birthdate:exact", "2024", "search.modifier-unknown"),
        ("Patient", "_lastUpdated:exact", "2024", "search.modifier-unknown"),
        ("Patient", "_count:exact", "2", "search.modifier-not-taken"),
        ("Patient", "_include:again", "Patient:organization", "search.modifier-not-taken"),
        ("Observation", "subject:Practitioner", "x", "search.target-invalid"),
        ("Observation", "subject:Nonsense", "x", "search.modifier-unknown"),
        ("Patient", "_include", "Patient:name", "search.include-parameter"),
        ("Patient", "_revinclude", "Nonsense:patient", "search.include-type"),
        ("Patient", "_sort", "nonsense", "search.sort-unknown"),
        ("Observation", "_sort", "code-value-quantity", "search.sort-unknown"),
    ],
)
def test_what_is_unknown_or_not_offered_is_refused_by_its_own_key(type_, name, value, key):
    error, found = keys(type_, (name, value))
    assert (error, [k for k, _ in found]) == (SearchParameterUnknown, [key])


@pytest.mark.parametrize(
    ("type_", "name", "value", "key"),
    [
        ("Patient", "name", "a,,b", "search.value-empty"),
        ("Patient", "name", " \t", "search.value-empty"),
        ("Patient", "name:contains", "\u0301", "search.value-empty"),
        ("Patient", "gender", "a|b|c", "search.value-token"),
        ("Patient", "gender", "|", "search.value-token"),
        ("Patient", "gender:missing", "yes", "search.value-missing"),
        ("Patient", "birthdate", "1990-02-30", "search.value-date"),
        ("Patient", "birthdate", "xx1990", "search.value-date"),
        ("Patient", "_lastUpdated", "soon", "search.value-date"),
        ("Observation", "value-quantity", "mg", "search.value-quantity"),
        ("Observation", "value-quantity", "5|mg", "search.value-quantity"),
        ("Observation", "value-quantity", "5|http://u|", "search.value-quantity"),
        ("Observation", "subject", "a b", "search.value-reference"),
        ("ValueSet", "url:below", "urn:oid:1.2", "search.value-url"),
        ("Observation", "code-value-quantity", "x", "search.value-composite"),
        ("Observation", "code-value-quantity", "a$b$c", "search.value-composite"),
        ("Observation", "code-value-quantity", "a$", "search.value-composite"),
        ("Observation", "code-value-quantity", "a$b", "search.value-quantity"),
        ("Observation", "component-code-value-quantity", "a|b|c$5", "search.value-token"),
        ("Location", "near", "1", "search.value-near"),
        ("Location", "near", "91|2", "search.value-near"),
        ("Location", "near", "1|181", "search.value-near"),
        ("Location", "near", "1|2|-3", "search.value-near"),
        ("Location", "near", "1|2|3|kg", "search.value-near"),
        ("Location", "near", "1|2|3|km|x", "search.value-near"),
        ("Patient", "general-practitioner:below", "Practitioner/1", "search.value-reference"),
        ("Patient", "identifier:of-type", "a|b", "search.value-of-type"),
        ("Patient", "identifier:of-type", "a|b|", "search.value-of-type"),
        ("Observation", "code:below", "a", "search.value-concept"),
        ("Observation", "code:above", "http://loinc.org|85354-9", "search.concept-unknown"),
        ("Observation", "code:in", "http://nobody.example/vs", "search.value-set-unknown"),
        ("Observation", "code:not-in", "http://hl7.org/fhir/ValueSet/observation-codes", "search.value-set-open"),
        ("Observation", "code:text", " ", "search.value-empty"),
        ("Patient", "_filter", "name", "search.filter-syntax"),
        ("Patient", "_filter", "name eq", "search.filter-syntax"),
        ("Patient", "_filter", "name is x", "search.filter-syntax"),
        ("Patient", "_filter", "name eq x name eq y", "search.filter-syntax"),
        ("Patient", "_filter", "not name eq x", "search.filter-syntax"),
        ("Patient", "_filter", "(name eq x", "search.filter-syntax"),
        ("Patient", "_filter", "organization[name eq x] eq y", "search.filter-syntax"),
        ("Patient", "_filter", 'name eq "x', "search.filter-syntax"),
        ("Patient", "_filter", " or ".join(["name eq x"] * 101), "search.filter-syntax"),
        ("Patient", "_filter", "(" * 30 + "name eq x" + ")" * 30, "search.filter-syntax"),
        ("Patient", "_filter", "gender co m", "search.filter-operation"),
        ("Patient", "_filter", "birthdate co 2024", "search.filter-operation"),
        ("Patient", "_filter", "name pr maybe", "search.value-missing"),
        ("Patient", "_count", "-1", "search.count-invalid"),
        ("Patient", "_count", "ten", "search.count-invalid"),
        ("Patient", "_count", "1.5", "search.count-invalid"),
        ("Patient", "_total", "some", "search.total-invalid"),
        ("Patient", "_sort", "name,", "search.value-empty"),
        ("Patient", "_summary", "maybe", "search.result-invalid"),
        ("Patient", "_contained", "maybe", "search.result-invalid"),
        ("Patient", "_include", "Patient", "search.include-malformed"),
        ("Patient", "_include", "Patient:organization:Organization:x", "search.include-malformed"),
        ("Patient", "_include", "Observation:subject", "search.include-source"),
        ("Patient", "_include", "Patient:organization:Patient", "search.include-target"),
        ("Organization", "_revinclude", "Observation:subject", "search.include-target"),
        ("Patient", "_revinclude", "Observation:subject:Group", "search.include-target"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_by_its_own_key(type_, name, value, key):
    error, found = keys(type_, (name, value))
    assert (error, [k for k, _ in found]) == (SearchValueInvalid, [key])


def test_all_findings_come_at_once_each_at_its_parameter():
    error, found = keys("Patient", ("nonsense", "x"), ("birthdate", "x"), ("name:text", "x"), ("_count", "x"))
    assert error is SearchParameterUnknown
    assert set(found) == {
        ("search.parameter-unknown", "nonsense"),
        ("search.value-date", "birthdate"),
        ("search.modifier-not-offered", "name:text"),
        ("search.count-invalid", "_count"),
    }


def test_the_refusal_of_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(SearchParameterUnknown) as caught:
        parse("Patient", ("nonsense", "x"))
    valid = caught.value.issues[0].params["valid"].split(", ")
    assert {"name", "birthdate", "_id", "_lastUpdated", "_tag"} <= set(valid)
    assert {"_query", "_type", "nonsense"} & set(valid) == set()


def test_lenient_handling_leaves_unknown_names_out_and_says_so():
    parsed = parse(
        "Patient", ("nonsense", "x"), ("gender", "male"), ("name:fuzzy", "x"), ("_sort", "foo,-name"), lenient=True
    )
    assert parsed.used == (("gender", "male"), ("_sort", "-name"))
    assert parsed.query.where == (KeyStarts("gender", f"male{US}"),)
    assert {(i.severity, i.key) for i in parsed.issues} == {
        (Severity.INFORMATION, "search.parameter-unknown"),
        (Severity.INFORMATION, "search.modifier-unknown"),
        (Severity.INFORMATION, "search.sort-unknown"),
    }


def test_lenient_handling_still_refuses_values_that_cannot_be_read():
    with pytest.raises(SearchValueInvalid) as caught:
        parse("Patient", ("nonsense", "x"), ("birthdate", "x"), lenient=True)
    assert [i.key for i in caught.value.issues] == ["search.value-date"]


def test_without_result_parameters_the_newest_come_first_without_total():
    query = parse("Patient").query
    assert (query.sort, query.count, query.with_total) == ((SortKey(SortBy.UPDATED, descending=True),), 20, False)


@pytest.mark.parametrize(
    ("raw", "count", "issues"), [("0", 0, []), ("100", 100, []), ("101", 100, ["search.count-capped"])]
)
def test_count_goes_from_zero_to_the_maximum_and_the_self_link_tells_what_was_used(raw, count, issues):
    parsed = parse("Patient", ("_count", raw))
    assert (parsed.query.count, parsed.used, [i.key for i in parsed.issues]) == (
        count,
        (("_count", str(count)),),
        issues,
    )
    assert parsed.count_only is (count == 0)


def test_summary_count_asks_for_the_number_alone():
    assert parse("Patient", ("_summary", "count")).count_only
    assert not parse("Patient", ("_summary", "true")).count_only


@pytest.mark.parametrize(("raw", "total"), [("none", False), ("estimate", True), ("accurate", True)])
def test_total_says_whether_to_count(raw, total):
    assert parse("Patient", ("_total", raw)).query.with_total is total


def test_sort_keys_are_read_by_the_kind_of_their_parameter():
    parsed = parse("Observation", ("_sort", "_id,-_lastUpdated,code,-value-quantity,value-string,date"))
    assert parsed.query.sort == (
        SortKey(SortBy.ID),
        SortKey(SortBy.UPDATED, descending=True),
        SortKey(SortBy.KEY, "code"),
        SortKey(SortBy.RANGE, "value-quantity", descending=True),
        SortKey(SortBy.TEXT, "value-string"),
        SortKey(SortBy.CLINICAL),
    )


PATIENT_DATE = SortKey(SortBy.RANGE, "birthdate", through=(Hop("subject", ResourceType("Patient")),))


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("subject:Patient.birthdate", PATIENT_DATE),
        ("patient.birthdate", PATIENT_DATE),
        ("-subject.birthdate", replace(PATIENT_DATE, descending=True)),
        (
            "encounter:Encounter.date",
            SortKey(SortBy.RANGE, "date", through=(Hop("encounter", ResourceType("Encounter")),)),
        ),
        ("patient._id", SortKey(SortBy.ID, through=PATIENT_DATE.through)),
        (
            "subject.name",
            SortKey(
                SortBy.TEXT, "name", through=tuple(Hop("subject", ResourceType(t)) for t in ("Location", "Patient"))
            ),
        ),
    ],
)
def test_a_sort_key_may_lead_through_one_reference(raw, key):
    parsed = parse("Observation", ("_sort", raw))
    assert (parsed.query.sort, parsed.used) == ((key,), (("_sort", raw),))


@pytest.mark.parametrize(
    ("type_", "raw", "key"),
    [
        ("Observation", "patient.organization.name", "search.sort-chain"),
        ("Observation", "patient.name:exact", "search.sort-chain"),
        ("Observation", "_has:X:y.name", "search.name-malformed"),
        ("Observation", "code.name", "search.chain-no-reference"),
        ("Observation", "patient.height", "search.sort-unknown"),
        ("Observation", "subject:Organization.name", "search.target-invalid"),
        ("Observation", "patient:Group.identifier", "search.sort-ambiguous"),
    ],
)
def test_a_sort_key_that_leads_nowhere_is_refused(type_, raw, key):
    with pytest.raises(SearchParameterUnknown) as caught:
        parse(type_, ("_sort", raw))
    assert {i.key for i in caught.value.issues} == {key}


def test_includes_name_source_parameter_and_target():
    parsed = parse(
        "Observation",
        ("_include", "Observation:subject"),
        ("_include", "Observation:subject:Patient"),
        ("_revinclude", "Provenance:target"),
    )
    assert parsed.includes == (
        Include(ResourceType("Observation"), "subject", None, reverse=False),
        Include(ResourceType("Observation"), "subject", ResourceType("Patient"), reverse=False),
        Include(ResourceType("Provenance"), "target", None, reverse=True),
    )


def test_parameters_that_shape_the_response_are_passed_on_and_used():
    pairs = (
        ("_summary", "true"),
        ("_elements", "id,name"),
        ("_format", "json"),
        ("_pretty", "true"),
        ("_contained", "false"),
    )
    parsed = parse("Patient", *pairs)
    assert (parsed.result_parameters, parsed.used, parsed.query.where) == (pairs, pairs, ())


@pytest.mark.parametrize("name", ["_count", "_sort", "_total", "_summary", "_elements"])
def test_a_result_parameter_given_twice_is_refused(name):
    value = {"_count": "1", "_sort": "_id", "_total": "none", "_summary": "true", "_elements": "id"}[name]
    assert keys("Patient", (name, value), (name, value)) == (
        SearchValueInvalid,
        [("search.result-repeated", name)],
    )


@pytest.mark.parametrize(("name", "raw"), [("name", "\ufffd\ufffd"), ("n\ufffd", "x"), ("_filter", 'name eq "\ufffd"')])
def test_bytes_that_were_no_utf8_are_refused_by_name(name, raw):
    with pytest.raises(SearchValueInvalid) as refused:
        parse("Patient", (name, raw))
    assert [(found.key, found.path) for found in refused.value.issues] == [("rest.parameter-not-utf8", name)]


@pytest.mark.parametrize("raw", ["5||", "gt5||"])
def test_a_quantity_whose_unit_was_left_empty_is_of_any_unit(raw):
    left_empty = parse("Observation", ("value-quantity", raw)).query.where
    assert left_empty == parse("Observation", ("value-quantity", raw.removesuffix("||"))).query.where
