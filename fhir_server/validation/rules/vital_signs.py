"""Vital signs: an Observation with one of these codes meets R4's profile of it, https://hl7.org/fhir/R4/observation-vitalsigns.html.

"When a FHIR implementation supports any of the vital signs listed below, the implementation SHALL conform to this
profile", whatever profiles the resource names itself. The more special LOINC codes of a measurement count as well. A
strict policy holds every Observation to that; the server's own leaves it to the profiles that are named.
"""

from collections.abc import Mapping
from typing import Any

from fhir_server.validation.report import Findings
from fhir_server.validation.rules.objects import objects
from fhir_server.validation.site import Build, Check, Scope

BASE = "http://hl7.org/fhir/StructureDefinition/"
LOINC = "http://loinc.org"
CODES: Mapping[str, str] = {
    "vitalspanel": "85353-1",
    "resprate": "9279-1 11291-2 19840-8 33438-3 76170-0 76171-8 76172-6 76270-8",
    "heartrate": "8867-4 8886-4 8889-8 8890-6 8891-4 8892-2 8893-0 11328-2 40443-4 55425-3 60978-4 68999-2 69000-8 "
    "73795-7 73799-9 76476-1 76477-9",
    "oxygensat": "2708-6 2709-4 2710-2 2713-6 19224-5 20564-1 51733-4 59408-5 59417-6 89276-0 97549-0",
    "bodytemp": "8310-5 8309-7 8328-7 8329-5 8330-3 8331-1 8332-9 8333-7 8334-5 60834-9 60835-6 60836-4 60838-0 60955-2 "
    "61009-7 75539-7 75987-8 76010-8 76011-6 76278-1 91371-5 98657-0 98663-8",
    "bodyheight": "8302-2 3137-7 3138-5 8306-3 8308-9",
    "headcircum": "9843-4 8287-5",
    "bodyweight": "29463-7 3141-9 3142-7 8350-1 8351-9 75292-3 79348-9",
    "bmi": "39156-5 89270-3",
    "bp": "85354-9 8459-0 8480-6 35094-2 55284-4 76534-7",
}
"""The LOINC codes of each profile: R4's own, and the more special ones of the same measurement."""
MOST_BASES = 32
"""Most steps from a profile to its bases; definitions of others may run in a circle."""
BY_CODE: Mapping[str, str] = {code: BASE + name for name, codes in CODES.items() for code in codes.split()}


def build_vital_sign(build: Build) -> Check:
    """Returns the check that an Observation with a vital sign's code meets R4's profile of it."""

    def check(value: Any, scope: Scope) -> Findings | None:
        url = _profile_of(value) if scope.policy.strict else None
        if url is None or _names_it(value, url, build):
            return None
        check_profile = build.profile_check(url)
        return check_profile(value, scope) if check_profile else None

    return check


def _profile_of(observation: Any) -> str | None:
    code = observation.get("code")
    for _, coding in objects(code, "coding") if type(code) is dict else ():
        known = coding.get("code")
        if coding.get("system") == LOINC and type(known) is str and known in BY_CODE:
            return BY_CODE[known]
    return None


def _names_it(observation: Any, url: str, build: Build) -> bool:
    """Tells whether the resource names the profile, or one that is based on it: then it is checked anyway."""
    meta = observation.get("meta")
    named = meta.get("profile") if type(meta) is dict else None
    return any(type(one) is str and _is_based_on(one, url, build) for one in (named if type(named) is list else ()))


def _is_based_on(profile: str, url: str, build: Build) -> bool:
    structure = build.definitions.structure(profile)
    for _ in range(MOST_BASES):
        if structure is None or structure.url == url:
            return structure is not None
        structure = build.definitions.structure(structure.base) if structure.base else None
    return False
