"""Citizen numbers (公民身份号码), GB 11643-1999: https://openstd.samr.gov.cn, check digit after ISO 7064 MOD 11-2."""

import re
from dataclasses import dataclass
from datetime import date

from fhir_server.mapping.codecs.text import folded

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_EIGHTEEN = re.compile(r"[1-9][0-9]{16}[0-9X]")
_FIFTEEN = re.compile(r"[1-9][0-9]{14}")


@dataclass(frozen=True, slots=True)
class IdCard:
    """A citizen number as normalised, its finding (a catalogue key, or empty when it is right), and whether it was extended."""

    number: str
    problem: str = ""
    was_fifteen: bool = False

    @property
    def birth_date(self) -> str:
        """Digits 7 to 14 as `YYYY-MM-DD`."""
        return f"{self.number[6:10]}-{self.number[10:12]}-{self.number[12:14]}"


def read_id_card(text: str) -> IdCard:
    """Returns the number with half-width digits and an upper-case X; 15 digits of the old form become 18.

    The old form inserts 19 after the area and appends the check digit.
    """
    number = folded(text).replace(" ", "").upper().replace("×", "X")
    if _FIFTEEN.fullmatch(number):
        longer = f"{number[:6]}19{number[6:]}"
        extended = IdCard(longer + check_digit(longer), was_fifteen=True)
        return extended if _is_day(extended.birth_date) else IdCard(number, "mapping.id-card-day")
    if not _EIGHTEEN.fullmatch(number):
        return IdCard(number, "mapping.id-card-shape")
    found = IdCard(number)
    if not _is_day(found.birth_date):
        return IdCard(number, "mapping.id-card-day")
    return found if check_digit(number) == number[17] else IdCard(number, "mapping.id-card-checksum")


def check_digit(number: str) -> str:
    """Returns the 18th character that belongs to the first 17 digits."""
    return _CHECK[sum(int(c) * w for c, w in zip(number, _WEIGHTS, strict=False)) % 11]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
