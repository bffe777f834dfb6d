"""Steps from elements to their children, casts and existence, http://hl7.org/fhirpath/N1/#path-selection."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from fhir_server.fhir.type_model import Property, TypeModel
from fhir_server.fhirpath.nodes import properties_called
from fhir_server.fhirpath.quantity import Quantity
from fhir_server.fhirpath.temporal import Temporal
from fhir_server.fhirpath.transpiler.code import (
    ABSTRACT,
    NOTHING,
    OBJECT,
    UNKNOWN,
    Code,
    Origin,
    Unsupported,
    boolean,
    family_of,
    is_primitive,
)
from fhir_server.fhirpath.types import is_of, type_names

_PLAIN = (Decimal, Mapping, Quantity, frozenset, Temporal)
"""What is the same where it is written the same."""
Keys = tuple[tuple[str, Property], ...]


class Constants:
    """The objects that generated source refers to by name; and the (types, name, offset) of elements that do not exist."""

    def __init__(self) -> None:
        self.by_name: dict[str, Any] = {}
        self._names: dict[tuple[type, str | int], str] = {}
        self.count = 0
        self.unknown: list[tuple[str, str, int]] = []

    def name(self, value: Any) -> str:
        """Returns the name that stands for `value` in the source; equal tables and values have one name."""
        form = (type(value), repr(value) if isinstance(value, _PLAIN) else id(value))
        name = self._names.setdefault(form, f"K{len(self.by_name)}")
        self.by_name[name] = value
        return name

    def variable(self) -> str:
        """Returns a fresh name of a loop variable."""
        self.count += 1
        return f"x{self.count}"


def member(parent: Code, name: str, model: TypeModel, constants: Constants) -> Code:
    """Returns the code of `parent.name`.

    Raises:
        Unsupported: the types do not say what `name` is.
    """
    if not parent.types:
        return NOTHING
    if family_of(parent.types) == UNKNOWN:
        return Code(f"untyped({as_list(parent)}, {name!r})", ("",), many=True)
    found = {t: _properties(t, name, model) for t in parent.types}
    owners = tuple(t for t in parent.types if found[t])
    if not owners:
        return _absent(parent, name, model)
    if any(family_of((t,)) != OBJECT for t in parent.types if t not in owners):
        parent = narrowed(parent, owners, constants)
    shapes = {tuple((k, p.is_array, p.choice) for k, p in found[t]) for t in owners}
    if len(shapes) > 1:
        raise Unsupported(f"{name} differs between {owners}")
    return step(parent, _merged([found[t] for t in owners]), constants)


def _properties(type_: str, name: str, model: TypeModel) -> Keys:
    if type_ not in ABSTRACT:
        return tuple(properties_called(type_, name, model) or ())
    plain = model.properties["DomainResource"].get(name)
    if plain is None:
        raise Unsupported(f"{name} of any resource")
    return ((name, Property("id", is_array=False, choice=None) if name == "id" else plain),)


def _absent(parent: Code, name: str, model: TypeModel) -> Code:
    if name in ("id", "extension") and any(t in model.primitives for t in parent.types):
        raise Unsupported(f"{name} of a primitive")
    return NOTHING


def _merged(groups: Sequence[Keys]) -> Keys:
    """Joins the same step on several types: one entry a key and type."""
    return tuple(dict.fromkeys(entry for group in groups for entry in group))


def step(parent: Code, keys: Keys, constants: Constants) -> Code:
    """Returns the code of the values at these JSON keys of the parent: one key, or those of a choice element."""
    if len({k for k, _ in keys}) > 1:
        return _choice(parent, keys, constants)
    key, property_ = keys[0]
    types = tuple(dict.fromkeys(p.type for _, p in keys))
    code = Code("", types, many=parent.many or property_.is_array, origin=Origin(parent, keys))
    return replace(code, text=_access(parent, key, property_.is_array, is_primitive(code)))


def _access(parent: Code, key: str, is_array: bool, primitive: bool) -> str:
    arguments = f"{key!r}, {'_' + key!r}" if primitive else repr(key)
    if parent.many:
        function = ("list" if is_array else "single") + ("_texts" if primitive else "s")
        return f"{function}({parent.text}, {arguments})"
    if is_array and primitive:
        return f"texts({sure(parent)}, {arguments})"
    return f"({sure(parent)}.get({key!r}) or ())" if is_array else f"{sure(parent)}.get({key!r})"


def _choice(parent: Code, keys: Keys, constants: Constants) -> Code:
    types = tuple(p.type for _, p in keys)
    table = constants.name({k: p.type for k, p in keys})
    text = f"choices({parent.text}, {table})" if parent.many else f"choice({sure(parent)}, {table})"
    return Code(text, types, many=parent.many, origin=Origin(parent, keys))


def sure(code: Code) -> str:
    """Returns Python for a single object that is never None: an empty one stands in."""
    return code.text if code.sure else f"({code.text} or {{}})"


def narrowed(code: Code, types: Sequence[str], constants: Constants) -> Code:
    """Returns the code of those values whose type is among `types`.

    Raises:
        Unsupported: a value does not tell its type, and the step that led to it is not known.
    """
    if set(code.types) <= set(types):
        return code
    if code.origin is None:
        raise Unsupported("the type of a value of several types")
    keys = tuple((k, p) for k, p in code.origin.keys if p.type in types)
    return step(code.origin.parent, keys, constants) if keys else NOTHING


def cast(code: Code, specifier: str, model: TypeModel, constants: Constants, *, exact: bool) -> Code:
    """Returns the code of those values that are of a type.

    Raises:
        FhirPathError: no such type.
        Unsupported: it takes the values' own types to tell.
    """
    names = type_names(specifier, model)
    if exact and any(n.startswith("System.") for n in names) and not any(n in model.properties for n in names):
        raise Unsupported("the System value of a FHIR primitive")
    if family_of(code.types) == UNKNOWN:
        raise Unsupported("the type of an untyped value")
    if any(t in ABSTRACT for t in code.types):
        return _of_resources(code, names, model, constants)
    return narrowed(code, [t for t in code.types if is_of(t, names, model, exact=exact)], constants)


def _of_resources(code: Code, names: frozenset[str], model: TypeModel, constants: Constants) -> Code:
    if names & set(ABSTRACT):
        return code
    wanted = tuple(sorted(t for t in model.resources if is_of(t, names, model, exact=False)))
    table, x = constants.name(frozenset(wanted)), constants.variable()
    text = f"[{x} for {x} in {as_list(code)} if {x}['resourceType'] in {table}]"
    return Code(text, wanted, many=True) if code.many else Code(f"one({text})", wanted)


def as_list(code: Code) -> str:
    """Returns Python for a list of the items, None where a primitive has only extensions."""
    if code.many:
        return code.text
    if code.sure:
        return f"({code.text},)"
    if code.origin is not None and is_primitive(code):
        return _origin_list(code.origin)
    return f"optional({code.text})"


def _origin_list(origin: Origin) -> str:
    if len(origin.keys) > 1:
        raise Unsupported("a choice element that may have only extensions")
    key = origin.keys[0][0]
    return f"items({sure(origin.parent)}, {key!r}, {'_' + key!r})"


def single(code: Code) -> Code:
    """Returns the code of the only item; several items are an error at run time."""
    return replace(code, text=f"one({code.text})", many=False, origin=None) if code.many else code


def exists(code: Code, constants: Constants) -> Code:
    """Returns the code of `code.exists()`."""
    if not code.types:
        return boolean("False")
    if code.many:
        return boolean(code.text)
    if code.sure:
        return boolean("True")
    if not is_primitive(code):
        return boolean(f"({code.text} is not None)")
    if code.origin is None:
        raise Unsupported("whether a primitive exists, without its siblings")
    return boolean(_has(code.origin, constants))


def _has(origin: Origin, constants: Constants) -> str:
    parent = sure(origin.parent)
    if len(origin.keys) > 1:
        return f"has_choice({parent}, {constants.name(frozenset(x for k, _ in origin.keys for x in (k, '_' + k)))})"
    key = origin.keys[0][0]
    if parent.isidentifier():
        return f"({parent}.get({key!r}) is not None or {'_' + key!r} in {parent})"
    return f"has({parent}, {key!r}, {'_' + key!r})"
