"""Numbers with valid check digits, and citizen numbers spoilt on purpose: GB 11643-1999, GB 32100-2015, GB 11714-1997. https://openstd.samr.gov.cn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from random import Random

from fhir_server.mapping.codecs.identifiers import check_digit
from fhir_server.synthetic.draws import days_after, pick

# Birth counties: 85 % local, 10 % elsewhere in the province, 5 % elsewhere; 432321 was 益阳县 until 1994.
_AREAS = {
    "430903": 72.0, "430902": 7.0, "430922": 3.5, "430921": 2.5, "430104": 4.0, "430281": 3.0, "431002": 2.0, "433124": 1.0,
    "330902": 0.8, "370213": 0.8, "445322": 0.9, "450205": 0.9, "510108": 0.8, "520382": 0.8,
}  # fmt: skip
_BEFORE_1994, _BEFORE_1994_SHARE = "432321", 0.12
_PHONES = 10_000

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


@dataclass(frozen=True, slots=True)
class NumberOffice:
    """Issues citizen numbers, each once, and telephone numbers.

    The telephone block 1990000xxxx has 10 000 numbers; a larger population uses them again.
    """

    rng: Random
    _used: set[str] = field(default_factory=set)
    _phones: Iterator[int] = field(default_factory=count)

    def citizen(self, sex: str, birth: date, *, fits: Callable[[str], bool] = lambda _: True) -> str:
        """Returns an unused 18-character number; `fits` may ask for more, such as an X at its end."""
        while True:
            sequence = self.rng.randrange(1 if sex == "1" else 2, 1000, 2)
            number = f"{self._area(birth)}{birth:%Y%m%d}{sequence:03d}"
            number += check_digit(number)
            if number not in self._used and fits(number):
                self._used.add(number)
                return number

    def phone(self) -> str:
        """Returns the next telephone number of the block."""
        return f"1990000{next(self._phones) % _PHONES:04d}"

    def _area(self, birth: date) -> str:
        is_old = birth.year < 1994 and self.rng.random() < _BEFORE_1994_SHARE
        return _BEFORE_1994 if is_old else pick(self.rng, _AREAS)


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A way in which a citizen number is recorded badly.

    `finding` is the key under which it is found, empty where reading mends it. `issue` gives the number as recorded.
    """

    kind: str
    finding: str
    issue: Callable[[NumberOffice, str, date], str]
    born_before: int = 9999


def _wrong_checksum(office: NumberOffice, sex: str, birth: date) -> str:
    number = office.citizen(sex, birth)
    return number[:-1] + ("0" if number[-1] == "X" else "X" if number[-1] == "9" else str(int(number[-1]) + 1))


def _wrong_birth_date(office: NumberOffice, sex: str, birth: date) -> str:
    return office.citizen(sex, days_after(birth, -31))


def _fifteen(office: NumberOffice, sex: str, birth: date) -> str:
    number = office.citizen(sex, birth)
    return number[:6] + number[8:17]


def _lower_case(office: NumberOffice, sex: str, birth: date) -> str:
    return office.citizen(sex, birth, fits=lambda n: n.endswith("X")).lower()


def _full_width(office: NumberOffice, sex: str, birth: date) -> str:
    return office.citizen(sex, birth).translate(_FULL_WIDTH)


SPOILT = (
    Spoilt("checksum", "mapping.id-card-checksum", _wrong_checksum),
    Spoilt("fifteen-digits", "mapping.id-card-15", _fifteen, born_before=2000),
    Spoilt("lower-case-x", "", _lower_case),
    Spoilt("full-width", "", _full_width),
    Spoilt("birth-date", "mapping.id-card-birth-date", _wrong_birth_date),
)


def credit_code(rng: Random, area: str) -> str:
    """Returns a unified social credit code (18 characters) of a public institution registered in a county."""
    body = f"12{area}{_organisation_code(rng)}"
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(body, _USCC_WEIGHTS, strict=True))
    return body + _USCC_ALPHABET[-total % 31]


def _organisation_code(rng: Random) -> str:
    digits = [rng.randrange(10) for _ in _ORGANISATION_WEIGHTS]
    check = -sum(d * w for d, w in zip(digits, _ORGANISATION_WEIGHTS, strict=True)) % 11
    return "".join(map(str, digits)) + ("X" if check == 10 else str(check))
