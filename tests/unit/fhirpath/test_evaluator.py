"""fhirpath.evaluator and fhirpath.functions: what the official suite's selection leaves out."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from fhir_server.fhirpath import EvaluationError, FhirPathError, compile  # noqa: A004 - the room's own name
from fhir_server.fhirpath.functions import FUNCTIONS
from fhir_server.fhirpath.functions.filtering import MAX_ITEMS

NOW = datetime(2026, 3, 1, 9, 30, 15, tzinfo=timezone(timedelta(hours=8)))
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "contained": [{"resourceType": "Organization", "id": "o1", "name": "镇卫生院"}],
    "extension": [{"url": "http://e.example/score", "valueDecimal": Decimal("1.50")}],
    "identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}],
    "name": [
        {
            "use": "official",
            "text": "张三",
            "given": ["三", None],
            "_given": [None, {"extension": [{"url": "u", "valueCode": "x"}]}],
        }
    ],
    "gender": "female",
    "birthDate": "1990-05",
    "_birthDate": {"id": "b", "extension": [{"url": "http://e.example/t", "valueTime": "10:30:00"}]},
    "deceasedBoolean": False,
    "multipleBirthInteger": 2,
    "generalPractitioner": [{"reference": "Practitioner/7"}, {"display": "李医生", "type": "PractitionerRole"}],
    "managingOrganization": {"reference": "#o1"},
}


def run(text, focus=PATIENT, **environment: object):
    return compile(text).evaluate(focus, now=NOW, **environment)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # existence
        ("(true | false).allTrue()", [False]),
        ("{}.allTrue()", [True]),
        ("(false).allFalse()", [True]),
        ("(true | false).anyTrue()", [True]),
        ("(true | false).anyFalse()", [True]),
        ("identifier.system.distinct().count()", [2]),
        ("identifier.all(value > '0')", [True]),
        ("{}.all(false)", [True]),
        # filtering and subsetting
        ("identifier.where(system = 'urn:b').value", ["2"]),
        ("identifier.where($index = 1).value", ["2"]),
        ("identifier.select(system & '|' & value)", ["urn:a|1", "urn:b|2"]),
        ("identifier.value.last()", ["2"]),
        ("identifier.value.tail()", ["2"]),
        ("identifier.value.skip(-1).take(1)", ["1"]),
        ("identifier.value[5]", []),
        ("(1 | 2 | 3).intersect(2 | 3 | 4)", [2, 3]),
        ("(1 | 2 | 2.0).count()", [2]),
        ("(3 | 1 | 2).sort()", [1, 2, 3]),
        ("identifier.sort(-value).value", ["2", "1"]),
        ("(1 | 2 | 3).aggregate($total + $this, 10)", [16]),
        ("1.combine(1).union(2)", [1, 2]),
        ("3.repeat(iif($this > 0, $this - 1, {}))", [2, 1, 0]),
        ("3.repeatAll(iif($this > 0, $this - 1, {}))", [2, 1, 0]),
        # arithmetic: exact, truncated towards zero, empty on overflow and by zero
        ("0.1 + 0.2", [Decimal("0.3")]),
        ("1.00 + 1", [Decimal("2.00")]),
        ("(-5) div 2", [-2]),
        ("(-5) mod 2", [-1]),
        ("5 mod 0", []),
        ("2147483647 + 1", []),
        ("1 / 3 < 0.334", [True]),
        ("2.5.round()", [Decimal(3)]),
        ("(-2.5).truncate()", [-2]),
        ("2.power(-1)", []),
        ("(-1).ln()", []),
        ("(-3 'mg').abs() = 3 'mg'", [True]),
        # strings
        ("'中文字'.substring(1, 5)", ["文字"]),
        ("'abc'.substring(3)", []),
        ("'abcabc'.lastIndexOf('b')", [4]),
        ("'a-b'.replaceMatches('(\\\\w)-(\\\\w)', '$2$1')", ["ba"]),
        ("('a' | 'b').join(', ')", ["a, b"]),
        ("'<a>'.escape('html')", ["&lt;a&gt;"]),
        ("'&lt;a&gt;'.unescape('html')", ["<a>"]),
        ("'xyz'.decode('hex')", []),
        ("'' & 'a'", ["a"]),
        ("'a' + {}", []),
        # conversion
        ("'TRUE'.toBoolean()", [True]),
        ("2.toBoolean()", []),
        ("'99999999999'.toInteger()", []),
        ("'1.50'.toDecimal()", [Decimal("1.50")]),
        ("birthDate.toString()", ["1990-05"]),
        ("'2024-02-30'.toDate()", []),
        ("@2024-02-29T10:30:00Z.toDate()", ["2024-02-29"]),
        ("'4 days'.toQuantity() = 4 'd'", [True]),
        ("'5 foo'.toQuantity()", []),
        ("1 'kg'.toQuantity('g').exists()", [True]),
        ("1 'kg'.toQuantity('m').exists()", [False]),
        # the clock
        ("now()", ["2026-03-01T09:30:15.000+08:00"]),
        ("today()", ["2026-03-01"]),
        ("timeOfDay()", ["09:30:15.000"]),
        ("@1990-05-06 >= birthDate", []),
        ("today() - 35 years >= birthDate", [True]),
        # FHIR
        ("birthDate.extension('http://e.example/t').value", ["10:30:00"]),
        ("birthDate.id", ["b"]),
        ("name.given.count()", [2]),
        ("name.given", ["三"]),
        ("name.given.extension('u').value", ["x"]),
        ("name.given[1].exists()", [True]),
        ("name.given[1].hasValue()", [False]),
        ("birthDate.hasValue()", [True]),
        ("gender.getValue() is System.String", [True]),
        ("deceased", [False]),
        ("deceased is boolean", [True]),
        ("multipleBirth.ofType(integer) + 1", [3]),
        ("extension.value = 1.5", [True]),
        ("managingOrganization.resolve().name", ["镇卫生院"]),
        ("generalPractitioner.resolve()", []),
        ("'#'.resolve().id", ["p1"]),
        ("%ucum & %`vs-x`", ["http://unitsofmeasure.orghttp://hl7.org/fhir/ValueSet/x"]),
        ("%`ext-y`", ["http://hl7.org/fhir/StructureDefinition/y"]),
        ("%resource.id & %context.id & %rootResource.id", ["p1p1p1"]),
        ("children().ofType(Identifier).count()", [2]),
        ("descendants().ofType(code)", ["female", "official", "x"]),
        ("Resource.id", ["p1"]),
        ("Observation.id", []),
        ("name.type().name", ["HumanName"]),
        ("conformsTo('http://hl7.org/fhir/StructureDefinition/DomainResource')", [True]),
        ("hasExtension('http://e.example/score')", [True]),
        ("name.given.trace('secret')", ["三"]),
    ],
)
def test_expression_gives(text, wanted):
    found = run(text)
    assert found == wanted
    assert [type(v) for v in found] == [type(v) for v in wanted]


@pytest.mark.parametrize(
    "text",
    [
        "identifier.value + 'x'", "1 + 'x'", "-'x'", "identifier.single()", "1 < 'a'", "birthDate < 'x'", "@T10:00 < @2024-01-01", "%unknown",
        "identifier.iif(true, 1)", "'a'.matches('(' & '')", "conformsTo('http://x.example/unknown')", "1 & 2", "name.startsWith('x')",
        "identifier[true]", "identifier is Patient", "1.5.power('x')", "today() + 1", "today() + 1 'mg'", "name.first() + 1",
    ],
)  # fmt: skip
def test_operation_that_has_no_meaning_is_an_error(text):
    with pytest.raises(EvaluationError):
        run(text)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("name.frist()", 5, "there is no function frist()"),
        ("name.first(1)", 5, "first() at character 6 takes 0 arguments, 1 given"),
        ("name.substring()", 5, "takes 1 to 2 arguments, 0 given"),
        ("1 + name.ofType(Foo)", 9, "Foo is not a FHIR or System type"),
        ("a is System.Foo", 2, "System.Foo is not"),
        ("name.text.matches('(')", 18, "is not a valid regular expression"),
    ],
)
def test_what_can_be_wrong_at_compile_time_is(text, position, message):
    with pytest.raises(FhirPathError) as error:
        compile(text)
    assert error.value.position == position
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("operator", "table"),
    [("and", "TFEFFFEFE"), ("or", "TTTTFETEE"), ("xor", "FTETFEEEE"), ("implies", "TFETTTTEE")],
)
def test_boolean_operators_have_three_values(operator, table):
    names = {"T": "true", "F": "false", "E": "{}"}
    results = {"T": [True], "F": [False], "E": []}
    found = [run(f"{names[a]} {operator} {names[b]}") for a in "TFE" for b in "TFE"]
    assert found == [results[r] for r in table]


def test_doors_of_the_environment_are_asked():
    asked = []

    def resolve(reference):
        asked.append(reference)
        return {"resourceType": "Practitioner", "id": "7"} if reference == "Practitioner/7" else None

    assert run("generalPractitioner.resolve().id", resolve=resolve) == ["7"]
    assert asked == ["Practitioner/7"]
    assert run(
        "gender.memberOf('http://vs')",
        member_of=lambda value, type_, url: (value, type_, url) == ("female", "code", "http://vs"),
    ) == [True]
    assert run("gender.memberOf('http://vs')") == []
    assert run(
        "conformsTo('http://p')", conforms_to=lambda resource, url: resource["id"] == "p1" and url == "http://p"
    ) == [True]
    assert run("%limit + %`x-y`.count()", limit=3, **{"x-y": ["a", "b"]}) == [5]


def test_reference_stands_for_its_type_only_when_asked():
    text = "generalPractitioner.where(resolve() is Practitioner or resolve() is PractitionerRole).count()"
    assert run(text) == [0]
    assert run(text, assume_types=True) == [2]


def test_strict_evaluation_refuses_unknown_elements():
    assert run("name.nmae") == []
    with pytest.raises(FhirPathError, match="HumanName has no element nmae"):
        run("name.nmae", strict=True)
    with pytest.raises(FhirPathError, match="Patient has no element deceasedBoolean"):
        run("deceasedBoolean", strict=True)


@pytest.mark.parametrize(
    "text",
    [
        "'x'.repeat($this & 'x')",
        "1.0.repeatAll($this + 0)",
        "'x'.repeat($this & $this & $this & $this & $this & $this & $this & $this)",
    ],
)
def test_expression_that_never_ends_is_stopped(text):
    with pytest.raises(EvaluationError, match="exceeds the limit"):
        run(text)
    assert MAX_ITEMS == 20_000


def test_result_of_a_quantity_is_fhir_json():
    assert run("1.50 'mg'") == [
        {"value": Decimal("1.50"), "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}
    ]


def test_input_may_be_an_element_a_primitive_or_nothing():
    assert compile("$this + 1").evaluate(2) == [3]
    assert compile("$this").evaluate(None) == []
    assert compile("family", "HumanName").evaluate({"family": "张"}) == ["张"]
    assert compile("value is dateTime", "Extension").evaluate({"valueDateTime": "2024"}) == [True]
    assert compile("$this > @2023", "date").evaluate("2024") == [True]


def test_numbers_and_booleans_are_never_equal():
    assert run("(1 | true).count()") == [2]
    assert run("1 = true") == [False]


def test_functions_are_all_of_the_specification_and_of_fhir():
    wanted = (
        "empty exists all allTrue anyTrue allFalse anyFalse subsetOf supersetOf count distinct isDistinct where select repeat single first last tail skip "
        "take intersect exclude union combine iif toBoolean convertsToBoolean toInteger convertsToInteger toDate convertsToDate toDateTime "
        "convertsToDateTime toDecimal convertsToDecimal toQuantity convertsToQuantity toString convertsToString toTime convertsToTime indexOf substring "
        "startsWith endsWith contains upper lower replace matches replaceMatches length toChars abs ceiling exp floor ln log power round sqrt truncate "
        "children descendants trace now timeOfDay today aggregate not type extension hasValue getValue resolve memberOf subsumes subsumedBy conformsTo htmlChecks checkModifiers"
    )
    assert set(wanted.split()) - set(FUNCTIONS) == set()
