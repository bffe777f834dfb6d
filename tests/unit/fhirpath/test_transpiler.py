"""fhirpath.transpiler: what it compiles, what it leaves to the evaluator, and that text cannot break out of the source."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fhir_server.fhirpath import compile, r4_model  # noqa: A004 - the room's own name
from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.transpiler.code import Unsupported
from fhir_server.fhirpath.transpiler.generate import extractor, predicate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MODEL = r4_model()


def holds(text, type_, focus):
    """The answer of the transpiled code alone, without the evaluator behind it."""
    return predicate(parse(text), type_, MODEL)(focus, focus, focus, NOW)


ONLY_EXTENSION = {"extension": [{"url": "u", "valueCode": "x"}]}


@pytest.mark.parametrize(
    ("text", "type_", "focus", "wanted"),
    [
        # the sibling of a primitive is seen
        ("birthDate.exists()", "Patient", {"_birthDate": ONLY_EXTENSION}, True),
        ("birthDate.empty()", "Patient", {"_birthDate": ONLY_EXTENSION}, False),
        ("birthDate.hasValue()", "Patient", {"_birthDate": ONLY_EXTENSION}, False),
        ("birthDate.extension('u').exists()", "Patient", {"_birthDate": ONLY_EXTENSION}, True),
        ("name.given.count() = 2", "Patient", {"name": [{"given": ["a", None], "_given": [None, ONLY_EXTENSION]}]}, True),
        ("name.family.exists()", "Patient", {"name": [{"_family": ONLY_EXTENSION}]}, True),
        ("deceased.exists()", "Patient", {"_deceasedBoolean": ONLY_EXTENSION}, True),
        ("value.empty()", "Extension", {"url": "u", "_valueCode": ONLY_EXTENSION}, False),
        # three values
        ("gender != 'male'", "Patient", {}, False),
        ("(gender = 'male').not()", "Patient", {}, False),
        ("(gender = 'male' and active).not()", "Patient", {"active": False}, True),
        ("gender = 'male' or active", "Patient", {"active": True}, True),
        ("gender = 'male' implies active", "Patient", {}, False),
        ("active implies gender = 'male'", "Patient", {"active": False}, True),
        ("active xor gender.exists()", "Patient", {}, False),
        ("active xor gender.exists()", "Patient", {"active": True}, True),
        # exact numbers, dates and quantities
        ("value.ofType(decimal) = 0.3", "Extension", {"valueDecimal": Decimal("0.30")}, True),
        ("start <= end", "Period", {"start": "2024", "end": "2024-05"}, False),
        ("start <= end", "Period", {"start": "2024-05-01T00:00:00+08:00", "end": "2024-04-30T16:00:00Z"}, True),
        ("low <= high", "Range", {"low": {"value": 1, "unit": "kg"}, "high": {"value": 2, "unit": "kg"}}, True),
        ("value.ofType(integer) > 5", "Extension", {"valueInteger": 5}, False),
        ("value.ofType(integer) >= 5", "Extension", {"valueInteger": 5}, True),
        ("name.given.all($this < 'c')", "Patient", {"name": [{"given": ["a", "b"]}]}, True),
        ("(name.given.all($this < 'b')).not()", "Patient", {"name": [{"given": ["a", "b"]}]}, True),
        ("name.given.all($this < 'b')", "Patient", {"name": [{"given": [None], "_given": [ONLY_EXTENSION]}]}, False),
        ("birthDate.toString() = '2024-05'", "Patient", {"birthDate": "2024-05"}, True),
        ("($this as dateTime).toString().length() >= 8", "dateTime", "2024", False),
        ("($this as dateTime).toString().length() >= 8", "dateTime", "2024-05-06T07:08:09+08:00", True),
        ("id.substring(1, 1).toInteger() = 7", "Patient", {"id": "x7"}, True),
        ("id.substring(0, 2).toInteger() = 17", "Patient", {"id": "17"}, True),
        ("id.substring(0, 1).toInteger().empty()", "Patient", {"id": "x7"}, True),
        ("id.substring(2, 1).empty()", "Patient", {"id": "x7"}, True),
        ("id.substring(1, 0) = ''", "Patient", {"id": "x7"}, True),
        ("name.select(use = 'official').allFalse()", "Patient", {"name": [{"use": "old"}, {"use": "usual"}]}, True),
        ("name.select(use = 'old').allFalse()", "Patient", {"name": [{"use": "old"}, {"use": "usual"}]}, False),
        ("name.select(use = 'old').allTrue()", "Patient", {"name": [{"use": "old"}, {}]}, True),
        ("name.select(use = 'old').allTrue()", "Patient", {"name": [{"use": "old"}, {"use": "usual"}]}, False),
        ("end = start + 1 year - 1 day", "Period", {"start": "2024-03-01", "end": "2025-02-28"}, True),
        ("start > today()", "Period", {"start": "2026-03-02"}, True),
        # collections
        ("name.where(use = 'official').given.first() = 'a'", "Patient", {"name": [{"use": "official", "given": ["a", "b"]}]}, True),
        ("name.select(given).isDistinct()", "Patient", {"name": [{"given": ["a"]}, {"given": ["a"]}]}, False),
        ("(code | description).exists()", "Measure.group.stratifier", {"description": "x"}, True),
        ("name.given.aggregate($this & $total, '') = 'ba'", "Patient", {"name": [{"given": ["a", "b"]}]}, True),
        ("identifier.where(system in ('a' | 'b')).count() = 1", "Patient", {"identifier": [{"system": "b"}, {"system": "c"}]}, True),
        ("type.select((code = 'x') or (code = 'y')).exists()", "ElementDefinition", {"type": [{"code": "z"}]}, True),
        ("%resource.contained.ofType(Patient).name.exists()", "Observation", {"contained": [{"resourceType": "Patient", "name": [{"text": "x"}]}]}, True),
        ("entry.first().resource.is(Composition)", "Bundle", {"entry": [{"resource": {"resourceType": "Composition"}}]}, True),
    ],
)  # fmt: skip
def test_transpiled_invariant_answers_as_the_specification_says(text, type_, focus, wanted):
    focus = {"resourceType": type_, **focus} if type_ in MODEL.resources else focus
    assert holds(text, type_, focus) is wanted
    assert compile(text, type_)._evaluated_test(focus, focus, focus, NOW) is wanted


@pytest.mark.parametrize(
    "text",
    [
        "name ~ name",
        "birthDate < 'x'",
        "%unknown",
        "name.memberOf('x')",
        "name.repeat(given)",
        "$index = 1",
        "name[name.count()]",
        "identifier.value.matches(gender)",
    ],
)
def test_the_rest_is_left_to_the_evaluator(text):
    with pytest.raises(Unsupported):
        predicate(parse(text), "Patient", MODEL)


@pytest.mark.parametrize(
    "text", ["''') or print('x", "a' + str(1) + 'b", "\\", "{}{0}%s", "\n'''\"\"\"", "K0", "__import__('os')"]
)
def test_text_of_an_expression_stays_text(text):
    literal = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    assert holds(f"gender = '{literal}'", "Patient", {"resourceType": "Patient", "gender": text}) is True
    assert holds(f"gender = '{literal}'", "Patient", {"resourceType": "Patient", "gender": text + "x"}) is False
    name = literal.replace("`", "\\`").replace("\\'", "'")
    assert extractor(parse(f"Patient.extension('{literal}')"), "Patient", MODEL)(
        {"extension": [{"url": text}]}, None
    ) == [({"url": text}, "Extension")]
    assert compile(f"`{name}`", "Patient").nodes({"resourceType": "Patient", text: "x"}) == []


def test_deeply_nested_expression_falls_back_instead_of_failing():
    text = "name" + ".where(true" * 45 + ")" * 45 + ".exists()"
    patient = {"resourceType": "Patient", "name": [{"text": "x"}]}
    assert compile(text, "Patient").test(patient, patient, patient) is True
    deep = "(" * 95 + "true" + ")" * 95
    assert compile(deep, "Patient").test(patient, patient, patient) is True
