"""Functions of FHIRPath 2.1 and 3.0, and corners of those of N1, that the official suite's selection leaves out."""

from decimal import Decimal

import pytest

from fhir_server.fhirpath import EvaluationError, compile  # noqa: A004 - the room's own name

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"use": "official", "family": "张", "given": ["三", "丰"]}, {"use": "usual", "given": ["小三"]}],
    "gender": "female",
}


def run(text, resource=PATIENT, **environment: object):
    return compile(text).evaluate(resource, **environment)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("defineVariable('v', 'x').select(%v)", ["x"]),
        ("name.first().defineVariable('n').given.select(%n.family & $this)", ["张三", "张丰"]),
        ("name.defineVariable('all').select(%all.count())", [2, 2]),
        ("defineVariable('a', name.first()).defineVariable('b', %a.family & '!').select(%b)", ["张!"]),
        ("name.select(defineVariable('u', use).given.select(%u & ':' & $this))", ["official:三", "official:丰", "usual:小三"]),
        ("defineVariable('v', 1).select(%v) + defineVariable('v', 2).select(%v)", [3]),
        ("defineVariable('v', 1).name[%v].use", ["usual"]),
        ("defineVariable('v', 'usual').name.where(use = %v).given", ["小三"]),
        ("'aaa'.replace(defineVariable('p', 'aa').select(%p), defineVariable('p', 'b').select(%p))", ["ba"]),
        ("defineVariable('v', 1).select(defineVariable('w', %v + 1).select(%v + %w))", [3]),
    ],
)  # fmt: skip
def test_a_defined_variable_is_seen_to_its_right_and_inside(text, wanted):
    assert run(text) == wanted


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("defineVariable('v', 1).select(%v) | %v", "fhirpath.variable-unknown"),
        ("name.select(defineVariable('v', use)).select(%v)", "fhirpath.variable-unknown"),
        ("defineVariable('v').defineVariable('v')", "fhirpath.variable-defined"),
        ("defineVariable('v', 1).select(defineVariable('v', 2).select(%v))", "fhirpath.variable-defined"),
        ("defineVariable('context', 1)", "fhirpath.variable-defined"),
        ("defineVariable('ucum', 1)", "fhirpath.variable-defined"),
        ("defineVariable('given', 1)", "fhirpath.variable-defined"),
        ("defineVariable({}, 1)", "fhirpath.variable-defined"),
    ],
)
def test_a_variable_is_defined_once_and_does_not_leave_its_chain(text, key):
    with pytest.raises(EvaluationError) as caught:
        run(text, given=1)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("coalesce({}, 'z', 1/0)", ["z"]),
        ("Patient.coalesce(name.where(use = 'old'), name.where(use = 'usual')).given", ["小三"]),
        ("coalesce({}, {})", []),
        ("(1 | 2 | 3).sum()", [6]),
        ("(1.5).combine(2).sum()", [Decimal("3.5")]),
        ("(1 'g').combine(500 'mg').sum() = 1500 'mg'", [True]),
        ("{}.sum()", []),
        ("(1 | 2).avg()", [Decimal("1.5")]),
        ("{}.avg()", []),
        ("('b' | 'a' | 'c').min() & ('b' | 'a' | 'c').max()", ["ac"]),
        ("(@2024-05-01 | @2023-01-01).min()", ["2023-01-01"]),
        ("(1 'g' | 2 'mg').max() = 1 'g'", [True]),
        ("(1 'g' | 2 'cm').max()", []),
        ("(1 | 2).combine(2 | 3, true)", [1, 2, 2, 3]),
        ("'A'.matches('a', 'i')", [True]),
        ("'x\\ny'.matches('^y$', 'm')", [True]),
        ("'x\\ny'.matches('^y$')", [False]),
        ("'AbA'.replaceMatches('a', 'x', 'i')", ["xbx"]),
        ("'2024-05'.replaceMatches('(?<y>\\\\d+)-(?<m>\\\\d+)', '${m}/${y}')", ["05/2024"]),
        ("'a.b'.replaceMatches('(?<=a)\\\\.', '$0!')", ["a.!b"]),
        ("'\\\"1<2\\\"'.unescape('json')", ['"1<2"']),
        ("'\\\\ud83d\\\\ude00\\\\n'.unescape('json')", ["😀\n"]),
        ("'x'.unescape('xml')", []),
        ("2.power(-1)", []),
        ("2.power(0.5).round(4)", [Decimal("1.4142")]),
        ("10.power(999999)", []),
        ("125.log(5) = 3", [True]),
        ("0.ln()", []),
        ("1.ln() = 0", [True]),
        ("10 'mg'.toQuantity('g') = 0.01 'g'", [True]),
        ("10 'mg'.toQuantity('g').toString()", ["0.01 'g'"]),
        ("2 weeks.toQuantity('days').toString()", ["14 days"]),
        ("1 'mg'.toQuantity('cm')", []),
        ("'２０２４'.toDate()", []),
        ("'１'.toInteger()", []),
    ],
)  # fmt: skip
def test_expression_gives(text, wanted):
    found = run(text)
    assert found == wanted
    assert [type(v) for v in found] == [type(v) for v in wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@2014-01-05T10:30:40.005-07:00.yearOf()", [2014]),
        ("@2014-01-05T10:30:40.005-07:00.monthOf()", [1]),
        ("@2014-01-05T10:30:40.005-07:00.dayOf()", [5]),
        ("@2014-01-05T10:30:40.005-07:00.hourOf()", [10]),
        ("@2014-01-05T10:30:40.005-07:00.minuteOf()", [30]),
        ("@2014-01-05T10:30:40.005-07:00.secondOf()", [40]),
        ("@2014-01-05T10:30:40.005-07:00.millisecondOf()", [5]),
        ("@2014-01-05T10:30:40.005-07:00.timezoneOffsetOf()", [Decimal(-7)]),
        ("@2014-01-05T10:30:40.005-07:00.dateOf()", ["2014-01-05"]),
        ("@2014-01-05T10:30:40.005-07:00.timeOf()", ["10:30:40.005"]),
        ("@T10:30.hourOf() + @T10:30.minuteOf()", [40]),
        ("@2014-01.dayOf() | @2014-01-05.hourOf() | @T10.secondOf() | @2014-01-05.timeOf() | @2014T.timezoneOffsetOf()", []),
        ("@T10:30.yearOf()", []),
        ("@2025-01-02.duration(@2025-01-07, 'week')", [0]),
        ("@2025-01-02.difference(@2025-01-07, 'week')", [1]),
        ("@2024-12-01.duration(@2025-09-01, 'years')", [0]),
        ("@2024-12-01.difference(@2025-09-01, 'year')", [1]),
        ("@2025-09-01.duration(@2024-12-01, 'month')", [-9]),
        ("@2000-02-29.duration(@2026-02-28, 'year')", [26]),
        ("@2024-05-01T23:30:00+08:00.difference(@2024-05-01T16:00:00Z, 'hour')", [1]),
        ("@T10:30.duration(@T12:10, 'hour') & ''", None),
        ("@2024-12-01.duration(@2025, 'day')", []),
        ("@2024-12-01.difference(@T10, 'day')", []),
    ],
)  # fmt: skip
def test_parts_of_dates_and_what_lies_between_them(text, wanted):
    if wanted is None:
        with pytest.raises(EvaluationError):
            run(text)
    else:
        assert run(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "'a'.yearOf()",
        "@2024.duration(@2025, 'fortnight')",
        "'a'.matches('a', 'x')",
        "(1|2).coalesce(1)",
        "('a' | 1).max()",
    ],
)
def test_what_makes_no_sense_is_an_error(text):
    with pytest.raises(EvaluationError):
        run(text)


def coding(code, system="urn:s"):
    return {"system": system, "code": code}


def test_subsumes_asks_its_door_about_every_pair_of_codings():
    concept = {"coding": [coding("x"), coding("a")]}
    observation = {"resourceType": "Observation", "code": concept, "meta": {"tag": [coding("b")]}}

    def above(a, b):
        return (a["code"], b["code"]) == ("a", "b")

    assert run("code.subsumes(meta.tag)", observation, subsumes=above) == [True]
    assert run("code.subsumedBy(meta.tag)", observation, subsumes=above) == [False]
    assert run("meta.tag.subsumedBy(%resource.code)", observation, subsumes=above) == [True]
    assert run("code.subsumes(meta.tag)", observation, subsumes=lambda _a, _b: None) == []
    assert run("code.subsumes(meta.tag)", observation) == []


def test_trace_tells_its_door_and_changes_nothing():
    told = []
    assert run(
        "name.trace('n', given).use", trace=lambda name, items: told.append((name, [n.value for n in items]))
    ) == [
        "official",
        "usual",
    ]
    assert told == [("n", ["三", "丰", "小三"])]


BUNDLE = {
    "resourceType": "Bundle",
    "entry": [
        {"fullUrl": "http://h.example/fhir/Patient/1", "resource": {"resourceType": "Patient", "id": "1"}},
        {"resource": {"resourceType": "Group", "id": "2"}},
        {"fullUrl": "urn:uuid:a", "resource": {"resourceType": "Basic", "id": "3", "contained": [{"resourceType": "Device", "id": "d"}]}},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("Patient/1", ["1"]), ("Patient/1/_history/7", ["1"]), ("http://h.example/fhir/Patient/1", ["1"]), ("Group/2", ["2"]),
        ("urn:uuid:a", ["3"]), ("Basic/3", []), ("atient/1", []), ("Patient/9", []),
    ],
)  # fmt: skip
def test_resolve_looks_into_the_bundle_around(reference, found):
    assert run(f"'{reference}'.resolve().id", BUNDLE) == found


def test_resolve_looks_into_the_resource_before_the_bundle_and_outside_last():
    inner = BUNDLE["entry"][2]["resource"]
    assert run("'#d'.resolve().id", inner, rootResource=BUNDLE) == ["d"]
    assert run("'Patient/1'.resolve().id", inner, rootResource=BUNDLE) == ["1"]
    assert run("'Patient/9'.resolve().id", inner, rootResource=BUNDLE, resolve=lambda _: {"id": "far"}) == ["far"]


def test_an_invariant_may_ask_the_doors():
    member = compile("code.memberOf('http://e.example/vs')", "Observation")
    observation = {"resourceType": "Observation", "code": {"coding": [coding("x")]}}
    asked = []

    def member_of(value, type_, url):
        asked.append((value, type_, url))
        return True

    assert member.test(observation, observation, observation, member_of=member_of) is True
    assert asked == [(observation["code"], "CodeableConcept", "http://e.example/vs")]
    assert member.test(observation, observation, observation) is False
    conforms = compile("conformsTo('http://e.example/p')", "Observation")
    assert conforms.test(observation, observation, observation, conforms_to=lambda _, u: u.endswith("/p")) is True
    resolved = compile("subject.resolve().active", "Observation")
    referring = {**observation, "subject": {"reference": "Patient/1"}}
    found = {"resourceType": "Patient", "active": True}
    assert resolved.test(referring, referring, referring, resolve=lambda _: found) is True
    assert resolved.test(referring, referring, referring) is False
