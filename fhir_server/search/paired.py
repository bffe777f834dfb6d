"""Composites of a coded element and another value beside it, as source with nothing left to decide for each value.

https://hl7.org/fhir/R4/search.html#composite. It files what `composites.py` files; see `kinds/typed.py`.
"""

from typing import Any

from fhir_server import fhirpath
from fhir_server.definitions.registry import Definitions, ResourceSupport, SearchParameter
from fhir_server.search.composites import find_composite
from fhir_server.search.paths import Step, find_paths
from fhir_server.search.wild import PAIR

_NAMES = """\
second = VALUE.get(SECOND)
if second is not None:
    for coding in (VALUE.get(FIRST) or {}).get("coding") or ():
        code = coding.get("code")
        if code is not None:
            name = f"{NAMED}{code.lower()}{SEPARATOR}{coding.get('system') or ''}{JOINT}"
"""

_QUANTITY = f"""{_NAMES}\
            file_known(name, second, filing)
"""

_CONCEPT = f"""{_NAMES}\
            for other in second.get("coding") or ():
                code = other.get("code")
                if code is not None:
                    keys.add(f"{{name}}={{code.lower()}}{{SEPARATOR}}{{other.get('system') or ''}}")
"""

_SOURCES = {("CodeableConcept", "Quantity"): _QUANTITY, ("CodeableConcept", "CodeableConcept"): _CONCEPT}


def find_source(
    parameter: SearchParameter, definitions: Definitions, support: ResourceSupport
) -> tuple[str, tuple[tuple[str, Any], ...]] | None:
    """Returns the source that files an element as the composite does, and its constants; None for rarer pairs of types."""
    found = find_composite(parameter, support, definitions.model)
    if found is None or found.second.kind not in ("token", "quantity"):
        return None
    first, second = (_only_step(path, parameter.expression) for path in found.paths)
    if first is None or second is None or (first.type, second.type) not in _SOURCES:
        return None
    return _SOURCES[first.type, second.type], (("FIRST", first.key), ("SECOND", second.key), ("JOINT", PAIR))


def _only_step(path: str, type_name: str) -> Step | None:
    """Returns the one step that a component's path is, if it leads to at most one value."""
    paths = find_paths(fhirpath.compile(path, type_name), type_name)
    steps = [step for found in paths or () for step in found]
    return steps[0] if len(steps) == 1 and not steps[0].is_array else None
