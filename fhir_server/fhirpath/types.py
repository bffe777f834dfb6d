"""Type specifiers: what is(), as() and ofType() accept, http://hl7.org/fhirpath/N1/#types."""

from collections.abc import Callable

from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.fhirpath.nodes import SYSTEM_NAMES, Node, atom, literal, system_type


def type_names(specifier: str, model: TypeModel, at: int = 0) -> frozenset[str]:
    """Returns the types that a specifier names: a FHIR type, a System type, or both (`Quantity`).

    Empty for a type that only the other model has: nothing is a `System.Patient`, as the official suite has it.

    Raises:
        FhirPathError: no such type.
    """
    namespace, _, name = specifier.rpartition(".")
    known = {"FHIR": name} if name in model.properties or name in model.primitives else {}
    if name in SYSTEM_NAMES:
        known["System"] = "System." + name
    if not known or namespace not in ("", "FHIR", "System"):
        raise FhirPathError("fhirpath.type-unknown", at, name=specifier)
    return frozenset(known[model_name] for model_name in known if namespace in ("", model_name))


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


def as_system(node: Node, names: frozenset[str]) -> Node | None:
    """Returns the System value of a FHIR primitive or quantity when its type is one of `names`, else None.

    https://hl7.org/fhir/R4/fhirpath.html#types: as() and ofType() take a FHIR.string for a System.String, is() does not.
    """
    value = None if node.type.startswith("System.") or node.value is None else atom(node)
    return literal(value) if value is not None and system_type(value) in names else None


def is_of(type_: str, names: frozenset[str], model: TypeModel, *, exact: bool) -> bool:
    """Tells whether a node's type is one of `names`, or derived from one."""
    if type_ in names:
        return True
    if type_.startswith("System.") or (exact and type_ in model.primitives):
        return False
    return any(model.is_a(type_, name) for name in names)
