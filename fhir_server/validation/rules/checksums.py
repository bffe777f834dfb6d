"""Codes with a check digit: SNOMED CT and LOINC tell a typing mistake without their content at hand.

See https://hl7.org/fhir/R4/snomedct.html and https://hl7.org/fhir/R4/loinc.html.
"""

import re
from collections.abc import Callable, Mapping
from functools import reduce

# Multiplication of the dihedral group of order ten, row by row, and the permutation of Verhoeff's scheme.
_DIHEDRAL = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_SCTID = re.compile(r"[1-9][0-9]{5,17}\Z", re.ASCII)
_CONCEPT = frozenset({"00", "10"})
"""Partitions of concept identifiers, core and extension; others identify descriptions and relationships."""
_EXPRESSION = re.compile(r"[\s|:+=,{}()]")
_LOINC = re.compile(r"(L[A-Z])?([0-9]+)-([0-9])\Z", re.ASCII)


def is_snomed(code: str) -> bool:
    """Tells whether a code can be a SNOMED CT concept: 6 to 18 digits, a concept's partition, and Verhoeff's check digit.

    A post-coordinated expression is taken as it is.
    """
    if _EXPRESSION.search(code):
        return True
    if not _SCTID.match(code) or code[-3:-1] not in _CONCEPT:
        return False
    places = enumerate(reversed(code))
    return reduce(lambda sum_, at: int(_DIHEDRAL[sum_][int(_PERMUTED[at[0] % 8][int(at[1])])]), places, 0) == 0


def is_loinc(code: str) -> bool:
    """Tells whether a code can be LOINC's: digits, a hyphen and the check digit of modulus ten.

    The check digit of parts, answers and groups (`LA33-6`) is another one and is taken as it is.
    """
    found = _LOINC.match(code)
    if not found or found[1]:
        return found is not None
    doubled = (int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(found[2])))
    return (10 - sum(n // 10 + n % 10 for n in doubled) % 10) % 10 == int(found[3])


CHECKED: Mapping[str, Callable[[str], bool]] = {
    "http://snomed.info/sct": is_snomed,
    "http://loinc.org": is_loinc,
}
"""What tells, by system, that a code may exist."""
