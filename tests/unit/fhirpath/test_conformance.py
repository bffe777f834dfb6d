"""Rules of FHIRPath and of R4's additions that engines like to differ in, http://hl7.org/fhirpath/N1 and https://hl7.org/fhir/R4/fhirpath.html."""

from decimal import Decimal

import pytest

from fhir_server.fhirpath import EvaluationError, FhirPathError, compile  # noqa: A004 - the room's own name

UCUM = "http://unitsofmeasure.org"
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "gender": "female",
    "birthDate": "1950-01-31",
    "name": [{"use": "official", "given": ["A", "B"]}, {"use": "usual", "text": "C"}],
    "maritalStatus": {"coding": [{"system": "urn:s", "code": "M", "display": "Married"}], "text": "x"},
    "communication": [
        {"language": {"coding": [{"system": "urn:s", "code": "m"}, {"code": "zh"}]}},
        {"language": {"coding": [{"system": "urn:t", "code": "M"}]}},
        {"language": {"text": "only text"}},
        {"language": {"text": "Only  Text"}},
    ],
}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "x"},
    "valueQuantity": {"value": 2, "unit": "yr", "system": UCUM, "code": "a"},
    "component": [{"valueQuantity": {"value": 24, "system": UCUM, "code": "mo"}}],
}


def run(text, resource=PATIENT, **environment: object):
    return compile(text, resource["resourceType"] if resource else None).evaluate(resource, **environment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient is System.Patient", [False]),
        ("Patient.ofType(System.Patient)", []),
        ("1 is FHIR.Integer", [False]),
        ("1 is System.Quantity", [False]),
    ],
)
def test_nothing_is_of_a_type_that_only_the_other_model_has(text, expected):
    assert run(text) == expected


def test_a_type_of_no_model_is_an_error_at_compile_time():
    with pytest.raises(FhirPathError):
        compile("1 is System.Foo")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gender.ofType(System.String)", ["female"]),
        ("gender.as(String)", ["female"]),
        ("gender.as(string)", []),
        ("active.ofType(Boolean) is Boolean", [True]),
        ("active is Boolean", [False]),
        ("birthDate.ofType(Date).type().namespace", ["System"]),
        ("birthDate as DateTime", []),
        ("name.ofType(String)", []),
    ],
)
def test_as_and_of_type_take_a_fhir_primitive_for_its_system_type_and_is_does_not(text, expected):
    assert run(text) == expected


def test_as_takes_a_single_item_and_of_type_any_number():
    with pytest.raises(EvaluationError, match="as needs a single item, 2 were found"):
        run("name as HumanName")
    assert len(run("name.ofType(HumanName)")) == 2


def test_as_of_a_list_means_each_item_where_definitions_are_concerned():
    plan = {"resourceType": "Goal", "target": [{"dueDate": "2024-01-01"}, {"dueDate": "2024-02-01"}]}
    expression = compile("(Goal.target.due as date)", "Goal")
    assert [value for value, _ in expression.nodes(plan)] == ["2024-01-01", "2024-02-01"]


@pytest.mark.parametrize("text", ["Observation.valueQuantity.exists()", "component.valueQuantity", "valueString"])
def test_the_json_name_of_a_choice_is_an_error_that_tells_the_path(text):
    with pytest.raises(EvaluationError) as caught:
        run(text, OBSERVATION)
    assert caught.value.key == "fhirpath.choice-name"
    assert "The path to a choice of types is value, or value.ofType(" in str(caught.value)
    assert "可选类型元素的路径应写作 value" in caught.value.issue().text("zh")


@pytest.mark.parametrize("name", ["allTrue", "anyTrue", "allFalse", "anyFalse"])
@pytest.mark.parametrize("items", ["true | 'x'", "false | 'x'", "1"])
def test_truths_of_a_list_are_of_booleans_alone(name, items):
    with pytest.raises(EvaluationError, match=rf"{name}\(\) needs booleans"):
        run(f"({items}).{name}()")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0 ~ 1.4", [True]),
        ("4.10 ~ 4.14", [True]),
        ("4.10 ~ 4.15", [False]),
        ("1.05 ~ 1.1", [True]),
        ("1.25 ~ 1.3", [True]),
        ("-1.25 ~ -1.3", [True]),
        ("100 ~ 100.4", [True]),
        ("0.00 ~ 0.4", [True]),
        ("99999999999999999999999999999.5 ~ 1.00000001", [False]),
        ("4.0 'g' ~ 4040 'mg'", [True]),
        ("4.05 'g' ~ 4040 'mg'", [False]),
    ],
)
def test_zeroes_at_the_end_are_no_precision_of_equivalence_and_a_half_rounds_up(text, expected):
    assert run(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("37 'Cel' = 98.6 '[degF]'", [True]),
        ("37 'Cel' ~ 98.6 '[degF]'", [True]),
        ("37.5 'Cel' > 98.6 '[degF]'", [True]),
        ("37 'Cel' < 310 'K'", [False]),
        ("(37 'Cel' | 98.6 '[degF]').count()", [1]),
        ("98.6 '[degF]'.toQuantity('Cel').value", [Decimal(37)]),
        ("37 'Cel'.comparable(1 'K')", [True]),
        ("1 'Cel' + 1 'K'", []),
        ("2 'Cel' * 2 'm'", []),
        ("2 'Cel' + 1 'Cel' = 3 'Cel'", [True]),
        ("1 '%[slope]' = 1 'deg'", [False]),
    ],
)
def test_temperatures_compare_over_scales_and_do_not_add_up(text, expected):
    assert run(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "(1 week | 7 days).count() = 1",
        "(1 'wk' | 7 days).count() = 1",
        "(1 year | 12 months).count() = 1",
        "7 days in (1 week)",
        "(1 week).intersect(7 days).exists()",
        "(1 'g').subsetOf(1000 'mg')",
        "(1 year | 1 'a').count() = 2",
        "(1 'foo' | 1 'foo' | 2 'foo').count() = 2",
    ],
)
def test_equal_quantities_are_one_item_calendar_units_included(text):
    assert run(text) == [True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("value = 2 years", [True]),
        ("value = 2 'a'", [True]),
        ("value = 24 months", [True]),
        ("value = component.value", [True]),
        ("value > 23 months", [True]),
        ("1 month < value", [True]),
        ("value ~ 2 years", [True]),
        ("value + 1 year = 3 years", [True]),
        ("@2024-02-29 + value", ["2026-02-28"]),
        ("@2024-02-29 - component.value", ["2022-02-28"]),
    ],
)
def test_a_year_of_ucum_in_fhir_data_is_a_calendar_year_as_well(text, expected):
    assert run(text, OBSERVATION) == expected


def test_a_year_of_ucum_in_a_literal_is_none():
    assert run("2 'a' = 2 years") == []
    with pytest.raises(EvaluationError):
        run("@2024 + 1 'a'")


def test_a_fhir_year_compares_alike_in_the_fast_engine():
    age = compile("value.ofType(Quantity) >= 2 years", "Observation")
    assert age.test(OBSERVATION, OBSERVATION, OBSERVATION)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("maritalStatus ~ communication[0].language", [True]),
        ("maritalStatus ~ communication[1].language", [False]),
        ("maritalStatus ~ communication[2].language", [False]),
        ("communication[2].language ~ communication[3].language", [True]),
        ("maritalStatus.coding ~ communication[0].language.coding[0]", [True]),
        ("maritalStatus = communication[0].language", [False]),
        ("maritalStatus.coding ~ communication[0].language.coding[1]", [False]),
        ("name[0] ~ name[0]", [True]),
        ("communication[0] ~ communication[1]", [False]),
    ],
)
def test_codings_are_equivalent_by_system_and_code_and_concepts_by_a_shared_coding(text, expected):
    assert run(text) == expected


def test_a_concept_inside_an_equivalent_object_counts_by_its_coding():
    component = {"code": {"coding": [{"system": "urn:s", "code": "1", "display": "a"}], "text": "a"}, "valueInteger": 1}
    other = {"code": {"coding": [{"system": "urn:s", "code": "1"}, {"code": "2"}]}, "valueInteger": 1}
    found = {**OBSERVATION, "component": [component, other]}
    assert run("component[0] ~ component[1]", found) == [True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name.first().toString()", []),
        ("name.first().toInteger()", []),
        ("name.first().toQuantity()", []),
        ("name.first().convertsToString()", [False]),
        ("name.first().convertsToDate()", [False]),
        ("name.first().convertsToQuantity()", [False]),
        ("{}.convertsToQuantity()", []),
    ],
)
def test_what_has_no_primitive_value_converts_to_nothing(text, expected):
    assert run(text) == expected


def test_an_extension_without_a_value_is_neither_convertible_nor_not():
    patient = {"resourceType": "Patient", "_gender": {"id": "g"}}
    assert run("gender.convertsToString()", patient) == []
    assert run("gender.convertsToQuantity()", patient) == []


@pytest.mark.parametrize(
    ("text", "expected"), [("0.power(0)", [1]), ("0.0.power(0)", [Decimal(1)]), ("5.power(0)", [1])]
)
def test_anything_to_the_power_of_zero_is_one(text, expected):
    assert run(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4.50 'mg'.value", [Decimal("4.50")]),
        ("4.5 'mg'.unit", ["mg"]),
        ("2 years.unit", ["year"]),
        ("1 'mg'.code", []),
    ],
)
def test_a_system_quantity_has_a_value_and_a_unit(text, expected):
    assert run(text) == expected
    assert run(text.replace(".code", ".unit"), strict=True)


def test_a_time_moves_by_hours_and_less():
    assert run("@T23:30 + 45 minutes") == ["00:15"]
    with pytest.raises(
        EvaluationError, match="time arithmetic needs hours, minutes, seconds or milliseconds, not days"
    ):
        run("@T10:00 + 1 day")


def test_contains_names_itself_when_it_is_given_several_items():
    with pytest.raises(EvaluationError, match="contains needs a single item"):
        run("(1 | 2) contains (1 | 2)")


COUNT = {
    "resourceType": "Observation",
    "valueQuantity": {"value": 3000000000},
    "component": [{"valueQuantity": {"value": 2}}],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("value.value + 1", Decimal(3000000001)),
        ("value.value - 1", Decimal(2999999999)),
        ("value.value * 2", Decimal(6000000000)),
        ("value.value.abs()", Decimal(3000000000)),
        ("(value.value | component.value.value).sum()", Decimal(3000000002)),
        ("component.value.value.power(-1)", Decimal("0.5")),
        ("component.value.value.getValue()", Decimal(2)),
        ("component.value.value.toInteger()", None),
    ],
)
def test_a_fhir_decimal_without_a_point_is_no_integer_in_either_engine(text, expected):
    found = [] if expected is None else [(expected, "decimal")]
    expression = compile(text, "Observation")
    assert expression.nodes(COUNT) == found
    assert [(n.value, n.type) for n in expression.collection(COUNT)] == [(v, "System.Decimal") for v, _ in found]
    assert expression.test(COUNT, COUNT, COUNT) is bool(found)


@pytest.mark.parametrize("text", ["(1 = 2).combine(code.coding)", "(1 = 2).combine(1 week.where(false))"])
def test_a_single_false_among_items_of_several_types_is_false(text):
    assert compile(text, "Observation").test(COUNT, COUNT, COUNT) is False


def test_a_quantity_is_no_primitive():
    assert run("(1 'mg').hasValue()") == [False]
    assert compile("(1 'mg').hasValue()", "Patient").test(PATIENT, PATIENT, PATIENT) is False


@pytest.mark.parametrize("text", ["2.toString() = '2'", "2.toDecimal() = 2", "(0.toDecimal() < 7.toDecimal())"])
def test_conversions_of_literals_compile_without_a_warning_of_python(text):
    assert compile(text, "Patient").test(PATIENT, PATIENT, PATIENT)


@pytest.mark.parametrize(
    ("text", "en", "zh"),
    [
        (
            "name.first(",
            "expected a name but found the end at character 12",
            "第 12 个字符处应为名称，实际为表达式结尾。",
        ),
        (
            "1 < 'a'",
            "< needs two values of one type, not Integer and String",
            "< 需要两个同类型的值，实际为 Integer 和 String。",
        ),
        ("true.length()", "length() needs a string, not Boolean", "length() 需要字符串，实际为 Boolean。"),
        (
            "@2015 + 1",
            "date arithmetic needs a calendar duration, not Integer",
            "日期运算需要日历时长，实际为 Integer。",
        ),
        (
            "@T10 - 'x'",
            "date arithmetic needs a calendar duration, not String",
            "日期运算需要日历时长，实际为 String。",
        ),
        ("'a'.substring()", "takes 1 to 2 arguments, 0 given", "需要 1 至 2 个参数，实际给出 0 个。"),
    ],
)
def test_failures_speak_both_languages_and_name_the_types_of_fhirpath(text, en, zh):
    with pytest.raises((FhirPathError, EvaluationError)) as caught:
        run(text)
    found = caught.value.issue()
    assert en in found.text("en")
    assert found.text("zh").endswith(zh)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(3 | 1 | 2).sort($this desc)", [3, 2, 1]),
        ("(3 | 1 | 2).sort($this asc)", [1, 2, 3]),
        ("(3 | 1 | 2).sort(-$this desc)", [1, 2, 3]),
        ("name.sort(use.length() asc, use desc).use", ["usual", "official"]),
        ("name.sort(use desc).use", ["usual", "official"]),
        ("(1 | 2).select($this).where($this = desc.count() + 1)", [1]),
    ],
)
def test_sort_takes_asc_and_desc_behind_a_key_and_they_are_names_elsewhere(text, expected):
    assert run(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(5 'days').toString()", ["5 days"]),
        ("@2024-03-31 - 1 'month'", ["2024-02-29"]),
        ("5 'days' = 5 'd'", [True]),
        ("'2 \\'years\\''.toQuantity() = 24 months", [True]),
        ("value = 3 weeks", [True]),
        ("value.toString()", ["3 weeks"]),
    ],
)
def test_a_calendar_word_is_a_calendar_unit_in_quotes_and_in_fhir_data_too(text, expected):
    assert run(text, {"resourceType": "Observation", "valueQuantity": {"value": 3, "unit": "weeks"}}) == expected


def test_a_quantity_whose_unit_is_no_text_does_not_stop_an_evaluation():
    assert run("value > 1 'mg'", {"resourceType": "Observation", "valueQuantity": {"value": 3, "unit": 5}}) == []
    assert run("value > 1 'mg'", {"resourceType": "Observation", "valueQuantity": {"value": 3, "unit": ["mg"]}}) == []
