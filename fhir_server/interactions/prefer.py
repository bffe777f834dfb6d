"""What a client prefers to get back, https://hl7.org/fhir/R4/http.html#ops; what we do not know is ignored (RFC 7240)."""

import re
from functools import lru_cache
from typing import NamedTuple

from fhir_server.interactions.messages import FhirRequest

_PREFERENCE = re.compile(r'\s*([\w-]+)\s*=\s*"?([\w-]+)"?\s*')


class Preference(NamedTuple):
    """`returns` is minimal, representation, OperationOutcome or what else was asked for; `lenient` leaves out what is not understood."""

    returns: str = ""
    lenient: bool = False


_NOTHING = Preference()
_RETURNS = {name.lower(): name for name in ("minimal", "representation", "OperationOutcome")}


def preference_of(request: FhirRequest) -> Preference:
    """Returns what the Prefer header says; of a preference that stands twice the first counts."""
    header = request.header("prefer")
    return _read(header) if header else _NOTHING


@lru_cache(maxsize=64)
def _read(header: str) -> Preference:
    found = [match for part in re.split("[,;]", header) if (match := _PREFERENCE.fullmatch(part))]
    said = {match[1].lower(): match[2] for match in reversed(found)}
    returns = said.get("return", "")
    return Preference(_RETURNS.get(returns.lower(), returns), said.get("handling", "").lower() == "lenient")
