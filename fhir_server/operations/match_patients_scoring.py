"""How well two patients agree, as points and a grade, https://hl7.org/fhir/R4/valueset-match-grade.html.

The table and its reasons stand in `docs/decisions/0014-operations.md`.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.codecs.identifiers import IdCard, read_id_card
from fhir_server.search.normal import normalise
from fhir_server.search.phonetic import form_of

ID_CARD = "urn:oid:2.16.156.10011.1.3"
"""System of citizen numbers (公民身份号码)."""

SAME_ID, SAME_FAULTY_ID, SLIP_OF_ID, OTHER_ID, OTHER_FAULTY_ID = 70, 40, 10, -60, -20
SAME_IDENTIFIER = 50
SAME_NAME, SAME_READING, OTHER_NAME = 20, 10, -30
SAME_BIRTH, LIKE_BIRTH, OTHER_BIRTH = 15, 7, -25
SAME_GENDER, OTHER_GENDER = 3, -15
SAME_PHONE, SAME_ADDRESS = 12, 5
"""Points, of a hundred. What one of the two does not say tells nothing."""

GRADES = ((85, "certain"), (45, "probable"), (20, "possible"), (0, "certainly-not"))
"""Least points of each grade, https://hl7.org/fhir/R4/codesystem-match-grade.html."""

SHORTEST_ADDRESS = 6
"""Characters that a part of an address must have to count as the same."""


def points_of(wanted: JsonObject, found: JsonObject) -> int:
    """Returns how well two Patients agree, from 0 to 100."""
    return max(0, min(100, sum(compare(wanted, found) for compare in COMPARISONS)))


def score_of(points: int) -> Decimal:
    """Returns points as the score of a search entry, 0 to 1."""
    return Decimal(points).scaleb(-2)


def grade_of(points: int) -> str:
    """Returns the grade of some points."""
    return next(grade for least, grade in GRADES if points >= least)


def id_cards(patient: JsonObject) -> list[IdCard]:
    """Returns the citizen numbers of a Patient, those of 15 digits extended."""
    return [read_id_card(value) for system, value in identifiers(patient) if system == ID_CARD]


def identifiers(patient: JsonObject) -> list[tuple[str, str]]:
    """Returns the (system, value) pairs of a Patient that have a value."""
    return [(one.get("system", ""), one["value"]) for one in patient.get("identifier", ()) if "value" in one]


def names(patient: JsonObject) -> list[str]:
    """Returns the whole names of a Patient: the text, or family and given names together."""
    return list(dict.fromkeys(name for one in patient.get("name", ()) if (name := _whole(one))))


def phones(patient: JsonObject) -> list[str]:
    """Returns the phone numbers of a Patient as they stand."""
    listed = patient.get("telecom", ())
    return [one["value"] for one in listed if "value" in one and one.get("system", "phone") in ("phone", "sms")]


def _whole(name: JsonObject) -> str:
    given = [part for part in name.get("given", ()) if part]
    return str(name.get("text") or " ".join([*([name["family"]] if "family" in name else []), *given]))


def _plain(text: str) -> str:
    return normalise(text).replace(" ", "")


def _by_id_card(wanted: JsonObject, found: JsonObject) -> int:
    theirs = {card.number: card for card in id_cards(found)}
    ours = {card.number: card for card in id_cards(wanted)}
    if not ours or not theirs:
        return 0
    same = [card for number, card in ours.items() if number in theirs]
    if same:
        return SAME_FAULTY_ID if all(card.problem for card in same) else SAME_ID
    if any(_is_slip(one, other) for one in ours.values() for other in theirs.values()):
        return SLIP_OF_ID
    is_faulty = all(card.problem for card in ours.values()) or all(card.problem for card in theirs.values())
    return OTHER_FAULTY_ID if is_faulty else OTHER_ID


def _is_slip(one: IdCard, other: IdCard) -> bool:
    """Tells whether two numbers are one slip of the keyboard apart, and the check digit of one says that it is wrong."""
    a, b = one.number, other.number
    places = [n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    is_swap = (
        len(places) == 2 and places[1] == places[0] + 1 and a[places[0]] + a[places[1]] == b[places[1]] + b[places[0]]
    )
    return len(a) == len(b) and (len(places) == 1 or is_swap) and bool(one.problem or other.problem)


def _by_identifier(wanted: JsonObject, found: JsonObject) -> int:
    ours, theirs = ({pair for pair in identifiers(one) if pair[0] != ID_CARD} for one in (wanted, found))
    return SAME_IDENTIFIER if ours & theirs else 0


def _by_name(wanted: JsonObject, found: JsonObject) -> int:
    ours, theirs = names(wanted), names(found)
    if not ours or not theirs:
        return 0
    if {*map(_plain, ours)} & {*map(_plain, theirs)}:
        return SAME_NAME
    return SAME_READING if any(_sounds_like(a, b) for a in ours for b in theirs) else OTHER_NAME


def _sounds_like(one: str, other: str) -> bool:
    a, b = form_of(one), form_of(other)
    return a is not None and b is not None and (a.first in b.spellings or b.first in a.spellings)


def _by_birth(wanted: JsonObject, found: JsonObject) -> int:
    ours, theirs = _birth(wanted, found), _birth(found, wanted)
    if not ours or not theirs:
        return 0
    if ours == theirs and len(ours) == 10:
        return SAME_BIRTH
    if swapped_birth(ours) == theirs:
        return LIKE_BIRTH
    return LIKE_BIRTH if ours.startswith(theirs) or theirs.startswith(ours) else OTHER_BIRTH


def swapped_birth(date: str) -> str | None:
    """Returns a date of birth with day and month changed over, if that is another date."""
    year, month, day = (*date.split("-"), "", "")[:3]
    return f"{year}-{day}-{month}" if "01" <= day <= "12" and day != month else None


def _birth(patient: JsonObject, other: JsonObject) -> str:
    """Returns the date of birth; what the citizen number says of it counts where the number itself is not compared."""
    numbers = () if id_cards(other) else (card.birth_date for card in id_cards(patient) if not card.problem)
    return str(patient.get("birthDate") or next(iter(numbers), ""))


def _by_gender(wanted: JsonObject, found: JsonObject) -> int:
    ours, theirs = wanted.get("gender"), found.get("gender")
    if {ours, theirs} - {"male", "female"}:
        return 0
    return SAME_GENDER if ours == theirs else OTHER_GENDER


def _by_phone(wanted: JsonObject, found: JsonObject) -> int:
    ours, theirs = ({*map(_national, phones(one))} - {""} for one in (wanted, found))
    return SAME_PHONE if ours & theirs else 0


def _national(phone: str) -> str:
    """Returns the digits of a number as it is called from abroad after +86: `13800138000`, `1012345678` of 010-12345678."""
    digits = "".join(c for c in normalise(phone) if c.isdecimal())
    own = digits.removeprefix("0086").removeprefix("86") if len(digits) > 11 else digits
    return own.removeprefix("0")


def forms_of(phone: str) -> list[str]:
    """Returns a number in the forms that people write: with and without +86, with blanks and dashes, as it stands first."""
    own = _national(phone)
    is_mobile = len(own) == 11 and own.startswith("1")
    if not is_mobile and not 9 <= len(own) <= 11:
        return [phone]
    area = 2 if own[0] == "1" or own[0] == "2" else 3
    groups = (own[:3], own[3:7], own[7:]) if is_mobile else (own[:area], own[area:])
    trunk = "" if is_mobile else "0"
    local = [trunk + mark.join(groups) for mark in ("", "-", " ")]
    local += [] if is_mobile else [f"(0{groups[0]}){gap}{groups[1]}" for gap in ("", " ")]
    joined = [mark.join(groups) for mark in ("", "-", " ")]
    abroad = [f"{code}{one}" for code in ("+86", "+86 ", "+86-", "86", "0086") for one in joined]
    return list(dict.fromkeys((phone, *local, *abroad)))


def _by_address(wanted: JsonObject, found: JsonObject) -> int:
    pairs = ((a, b) for a in _addresses(wanted) for b in _addresses(found))
    return SAME_ADDRESS if any(a in b or b in a for a, b in pairs) else 0


def _addresses(patient: JsonObject) -> Iterator[str]:
    for one in patient.get("address", ()):
        text = _plain(one.get("text") or "".join(line for line in one.get("line", ()) if line))
        if len(text) >= SHORTEST_ADDRESS:
            yield text


COMPARISONS: tuple[Callable[[JsonObject, JsonObject], int], ...] = (
    _by_id_card,
    _by_identifier,
    _by_name,
    _by_birth,
    _by_gender,
    _by_phone,
    _by_address,
)
