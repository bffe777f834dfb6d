"""Points and grades of two patients, as docs/decisions/0014-operations.md has them."""

from typing import Any

import pytest

from fhir_server.operations.match_patients_scoring import forms_of, grade_of, points_of, score_of

ID = "urn:oid:2.16.156.10011.1.3"
RIGHT, RIGHT_TOO, FAULTY = "430903195208179136", "430903198001010011", "430903195208179135"
OTHER_FAULTY, SWAPPED = "430903198001010012", "430903195208171936"


def patient(**elements: Any):
    return {"resourceType": "Patient", **elements}


def number(value):
    return {"identifier": [{"system": ID, "value": value}]}


def named(text):
    return {"name": [{"text": text}]}


def phone(text):
    return {"telecom": [{"system": "phone", "value": text}]}


@pytest.mark.parametrize(
    ("one", "other", "points"),
    [
        (number(RIGHT), number(RIGHT), 70),
        (number(FAULTY), number(FAULTY), 40),
        (number(RIGHT), {}, 0),
        (named("王小明"), named("王 小明"), 20),
        (named("王小明"), {"name": [{"family": "王", "given": ["小明"]}]}, 20),
        (named("王小明"), named("王晓明"), 10),
        (named("王小明"), named("wang xiaoming"), 10),
        ({"birthDate": "1952-08-17"}, {"birthDate": "1952-08-17"}, 15),
        ({"birthDate": "1952-08"}, {"birthDate": "1952-08-17"}, 7),
        ({"birthDate": "1952-08"}, {"birthDate": "1952-08"}, 7),
        (number(RIGHT), {"birthDate": "1952-08-17"}, 15),
        ({"gender": "male"}, {"gender": "male"}, 3),
        ({"gender": "unknown"}, {"gender": "unknown"}, 0),
        (phone("+86 199-0000-0001"), phone("19900000001"), 12),
        ({"telecom": [{"system": "email", "value": "a@b"}]}, {"telecom": [{"system": "email", "value": "a@b"}]}, 0),
        ({"address": [{"line": ["测试街道1号"]}]}, {"address": [{"text": "测试市测试街道1号"}]}, 5),
        ({"address": [{"text": "测试"}]}, {"address": [{"text": "测试市"}]}, 0),
    ],
)
def test_each_trait_that_agrees_has_its_points(one, other, points):
    assert (points_of(patient(**one), patient(**other)), points_of(patient(**other), patient(**one))) == (
        points,
        points,
    )


# Fifty-five points to lose from: a file number and an address that agree
SAME = {"identifier": [{"system": "http://e.example/file", "value": "1"}], "address": [{"text": "测试市测试街道1号"}]}


@pytest.mark.parametrize(
    ("one", "other", "points"),
    [
        (named("王小明"), named("李四"), 25),
        ({"birthDate": "1952-08-17"}, {"birthDate": "1952-08-18"}, 30),
        ({"gender": "male"}, {"gender": "female"}, 40),
        (phone("1"), phone("2"), 55),
    ],
)
def test_each_trait_that_differs_costs_its_points(one, other, points):
    assert points_of(patient(**SAME, **one), patient(**SAME, **other)) == points


@pytest.mark.parametrize(("other", "points"), [(RIGHT_TOO, 10), (OTHER_FAULTY, 50)])
def test_another_number_costs_less_when_one_of_them_is_faulty(other, points):
    shared = [{"system": "http://e.example/file", "value": "1"}]
    more = {"name": [{"text": "王小明"}]}
    ours = patient(identifier=[*shared, *number(RIGHT)["identifier"]], **more)
    theirs = patient(identifier=[*shared, *number(other)["identifier"]], **more)
    assert points_of(ours, theirs) == points


@pytest.mark.parametrize("slip", [FAULTY, SWAPPED, "430903195208179736"])
def test_a_slip_of_the_keyboard_that_the_check_digit_shows_tells_for_a_number_not_against_it(slip):
    told = (patient(**named("王小明"), **number(one)) for one in (RIGHT, slip))
    assert points_of(*told) == 30


def test_day_and_month_changed_over_agree_in_part():
    ours, theirs = ({**patient(**SAME), "birthDate": date} for date in ("1952-08-07", "1952-07-08"))
    assert points_of(ours, theirs) == 62
    assert points_of(ours, {**theirs, "birthDate": "1952-09-08"}) == 30


@pytest.mark.parametrize("text", ["+86 199 0000 0001", "0086-19900000001", "199-0000-0001", "１９９０００００００１"])
def test_a_mobile_number_is_the_same_in_every_form(text):
    assert points_of(patient(**SAME, **phone("19900000001")), patient(**SAME, **phone(text))) == 67
    assert "19900000001" in forms_of(text)


@pytest.mark.parametrize("text", ["010-00190001", "+86 10 00190001", "(010)00190001", "01000190001"])
def test_a_landline_is_the_same_with_its_area_written_anyhow(text):
    assert points_of(patient(**SAME, **phone("010 00190001")), patient(**SAME, **phone(text))) == 67
    assert "010-00190001" in forms_of(text)


def test_points_stay_between_nothing_and_a_hundred():
    whole = patient(**number(RIGHT), **named("王小明"), birthDate="1952-08-17", gender="male", **phone("1"))
    assert points_of(whole, whole) == 100
    assert points_of(patient(**named("王")), patient(**named("李"))) == 0


@pytest.mark.parametrize(
    ("points", "grade"),
    [
        (100, "certain"),
        (85, "certain"),
        (84, "probable"),
        (45, "probable"),
        (44, "possible"),
        (20, "possible"),
        (19, "certainly-not"),
        (0, "certainly-not"),
    ],
)
def test_grades_begin_at_their_points(points, grade):
    assert grade_of(points) == grade


def test_a_score_has_two_digits():
    assert [str(score_of(p)) for p in (0, 7, 85, 100)] == ["0.00", "0.07", "0.85", "1.00"]
