"""Boolean operators as two-valued Python, http://hl7.org/fhirpath/N1/#boolean-logic.

Every truth is a pair of tests, whether it is true and whether it is false; empty is neither. So three-valued logic costs
nothing where only one of the tests is asked.
"""

from fhir_server.fhirpath.transpiler.code import TRUTH, UNKNOWN, Code, Unsupported, boolean, family_of
from fhir_server.fhirpath.transpiler.navigate import single

_BOOLEANS = frozenset({"boolean", "System.Boolean"})


def truth(code: Code) -> tuple[str, str]:
    """Returns Python for "is true" and "is false" of a single item; an item that is no boolean is true.

    Raises:
        Unsupported: values that may be booleans or not.
    """
    if code.truth is not None:
        return code.truth
    if not code.types:
        return "False", "False"
    code = single(code)
    family = family_of(code.types)
    if family == TRUTH:
        return f"({code.text} is True)", f"({code.text} is False)"
    if family == UNKNOWN or not _BOOLEANS.isdisjoint(code.types):
        raise Unsupported("the truth of an untyped value")
    return ("True" if code.sure else f"({code.text} is not None)"), "False"


def combined(operator: str, a: Code, b: Code) -> Code:
    """Returns the code of `and`, `or`, `xor` or `implies`."""
    (a_yes, a_no), (b_yes, b_no) = truth(a), truth(b)
    match operator:
        case "and":
            tests = f"({a_yes} and {b_yes})", f"({a_no} or {b_no})"
        case "or":
            tests = f"({a_yes} or {b_yes})", f"({a_no} and {b_no})"
        case "implies":
            tests = f"({a_no} or {b_yes})", f"({a_yes} and {b_no})"
        case _:
            tests = f"({a_yes} and {b_no} or {a_no} and {b_yes})", f"({a_yes} and {b_yes} or {a_no} and {b_no})"
    if is_sure(a) and is_sure(b):
        return boolean(tests[0])
    return boolean(*tests)


def is_sure(code: Code) -> bool:
    """Tells whether a truth is never empty."""
    return code.sure and code.truth is not None


def negated(code: Code) -> Code:
    """Returns the code of `code.not()`."""
    yes, no = truth(code)
    return boolean(no) if is_sure(code) else boolean(no, yes)
