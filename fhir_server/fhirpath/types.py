"""Type specifiers: what is(), as() and ofType() accept, http://hl7.org/fhirpath/N1/#types."""

from collections.abc import Callable

from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.nodes import SYSTEM_NAMES, Node


def type_names(specifier: str, model: TypeModel, at: int = 0) -> frozenset[str]:
    """Returns the types that a specifier names: a FHIR type, a System type, or both (`Quantity`).

    Raises:
        FhirPathError: no such type.
    """
    namespace, _, name = specifier.rpartition(".")
    found = set()
    if namespace in ("", "FHIR") and (name in model.properties or name in model.primitives):
        found.add(name)
    if namespace in ("", "System") and name in SYSTEM_NAMES:
        found.add("System." + name)
    if not found:
        raise FhirPathError("fhirpath.type-unknown", at, name=specifier)
    return frozenset(found)


def type_test(specifier: str, model: TypeModel, *, exact: bool, at: int = 0) -> Callable[[Node], bool]:
    """Returns the test whether a node is of a type.

    With `exact` (as, ofType) a primitive has to be of that very type: R4's search parameters ask for `as uri` and
    `as canonical` side by side, and the official suite has `gender.as(string)` empty. Elsewhere subtypes count.

    Raises:
        FhirPathError: no such type.
    """
    names = type_names(specifier, model, at)

    def test(node: Node) -> bool:
        return is_of(node.type, names, model, exact=exact)

    return test


def is_of(type_: str, names: frozenset[str], model: TypeModel, *, exact: bool) -> bool:
    """Tells whether a node's type is one of `names`, or derived from one."""
    if type_ in names:
        return True
    if type_.startswith("System.") or (exact and type_ in model.primitives):
        return False
    return any(model.is_a(type_, name) for name in names)
