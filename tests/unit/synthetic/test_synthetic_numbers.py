import re
from datetime import date

import pytest

from fhir_server.mapping.codecs.identifiers import read_id_card
from fhir_server.synthetic.draws import stream
from fhir_server.synthetic.numbers import SPOILT, NumberOffice, credit_code

BIRTH = date(1957, 3, 9)


def office():
    return NumberOffice(stream(5, "numbers"))


def test_a_citizen_number_is_valid_and_says_birth_date_and_sex():
    issued = [(sex, office().citizen(sex, BIRTH)) for sex in "12"]
    assert [(read_id_card(n).problem, read_id_card(n).birth_date, int(n[16]) % 2) for _, n in issued] == [
        ("", "1957-03-09", 1),
        ("", "1957-03-09", 0),
    ]


def test_no_citizen_number_is_issued_twice():
    one = office()
    numbers = [one.citizen("1", BIRTH) for _ in range(800)]
    assert len(set(numbers)) == 800


def test_telephone_numbers_come_from_the_reserved_block():
    one = office()
    assert [one.phone(), one.phone()] == ["19900000000", "19900000001"]


@pytest.mark.parametrize("way", SPOILT, ids=lambda w: w.kind)
def test_a_spoilt_number_is_spoilt_as_told(way):
    text = way.issue(office(), "1", BIRTH)
    card = read_id_card(text)
    problem = card.problem or ("mapping.id-card-birth-date" if card.birth_date != BIRTH.isoformat() else "")
    found = problem or ("mapping.id-card-15" if card.was_fifteen else "")
    assert found == way.finding
    assert not re.fullmatch(r"[0-9]{17}[0-9X]", text) or found != ""


def test_a_credit_code_has_the_check_digit_of_gb_32100():
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    code = credit_code(stream(1, "x"), "430903")
    total = sum(alphabet.index(c) * 3**n for n, c in enumerate(code[:17]))
    assert (code[:8], len(code)) == ("12430903", 18)
    assert (total + alphabet.index(code[17])) % 31 == 0
