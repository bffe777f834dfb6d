"""Templates: a value of `map.yaml` -> a closure that builds the same shape. See docs/decisions/0002-mapping-language.md."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NoReturn

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.form import Field, Form
from fhir_server.mapping.ids import Ids
from fhir_server.mapping.record import plain
from fhir_server.mapping.tables import CodeTable
from fhir_server.mapping.yaml_files import BrokenMapping

_FIELD = re.compile(r"=(\.?[A-Za-z]\w*|\.)")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a template reads: the record's values, the current line of `each`, references by resource name, ids, and today.

    `today` is a date in the configured zone; None where templates are only compiled.
    """

    values: JsonObject
    line: Any
    references: Mapping[str, list[str]]
    ids: Ids
    today: date | None = None

    def at(self, line: Any) -> "Scope":
        """Returns the scope of one line of a group."""
        return Scope(self.values, line, self.references, self.ids, self.today)


Build = Callable[[Scope], Any]
Getter = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True)
class Node:
    """A compiled template: `build` gives its value or None (empty); `fields` are all record fields that it reads.

    `children` are the members of an object; `items` are alternatives at the same place (array items, branches).
    """

    build: Build
    fields: frozenset[str] = frozenset()
    is_dynamic: bool = True
    children: Mapping[str, "Node"] | None = None
    items: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class FieldAccess:
    """How to get a field's typed value in the current scope, and what the form says about it (None: a bare line `.`)."""

    get: Getter
    field: Field
    path: str


@dataclass(frozen=True, slots=True)
class Context:
    """What templates are compiled against, and where in the file we are. `line` is the group or field of the current `each`."""

    file: str
    place: str
    form: Form
    base: str
    source: str
    tables: Callable[[str, "Context"], CodeTable]
    directives: Mapping[str, "Directive"]
    resources: frozenset[str]
    line: Field | None = None

    @property
    def source_base(self) -> str:
        """`{S}`: the identifier base of the source system."""
        return f"{self.base}/sid/{self.source}"

    def at(self, step: str) -> "Context":
        """Returns the context one step further down the file."""
        return replace(self, place=f"{self.place}{step}" if step.startswith("[") else f"{self.place}.{step}")

    def broken(self, problem: str) -> NoReturn:
        """Stops the load, naming file and place.

        Raises:
            BrokenMapping: always.
        """
        raise BrokenMapping(self.file, self.place, problem)

    def text(self, constant: str) -> str:
        """Returns a constant with `{B}` and `{S}` filled in."""
        return constant.replace("{B}", self.base).replace("{S}", self.source_base)

    def field(self, name: Any) -> FieldAccess:
        """Returns the access to a field named as templates do: `sbp`, in a line `.name`, or `.` for the line itself.

        Raises:
            BrokenMapping: there is no such field here.
        """
        if not isinstance(name, str):
            self.broken(f"a field name is expected, not {name!r}")
        if name.startswith("."):
            return self._line_field(name[1:])
        found = self.form.fields.get(name)
        if found is None:
            self.broken(f"unknown field {name!r}")
        return FieldAccess(lambda scope: scope.values.get(name), found, name)

    def _line_field(self, name: str) -> FieldAccess:
        line = self.line
        if line is None:
            self.broken(f"'.{name}' outside of each")
        if not name:
            return FieldAccess(lambda scope: scope.line, line, line.path)
        found = line.fields.get(name)
        if found is None:
            self.broken(f"{line.path} has no field {name!r}")
        return FieldAccess(lambda scope: scope.line.get(name), found, found.path)


Directive = Callable[[JsonObject, Context], Node]


def compile_template(value: Any, context: Context) -> Node:
    """Returns a template compiled: a field (`=name`), a directive, an object, an array, or a constant.

    Raises:
        BrokenMapping: an unknown field, directive or table, naming the place.
    """
    if isinstance(value, str):
        return _text(value, context)
    if isinstance(value, dict):
        named = [key for key in value if key.startswith("$")]
        return _directive(named, value, context) if named else _object(value, context)
    if isinstance(value, list):
        return _array([compile_template(v, context.at(f"[{n}]")) for n, v in enumerate(value)])
    return Node(lambda _: value, is_dynamic=False)


def field_node(access: FieldAccess) -> Node:
    """Returns the node whose value is a field's value as JSON."""
    get = access.get
    if access.field.type in {"code", "string"} or access.field.repeats:
        return Node(lambda scope: plain(get(scope)), frozenset((access.path,)))
    return Node(get, frozenset((access.path,)))


def fields_of(nodes: Iterable[Node]) -> frozenset[str]:
    """Returns all record fields that any of the nodes reads."""
    return frozenset[str]().union(*(node.fields for node in nodes))


_NOWHERE = Scope({}, None, {}, Ids(b""))


def _constant(value: Any, children: Mapping[str, Node] | None = None) -> Node:
    return Node(lambda _: value, is_dynamic=False, children=children)


def _text(value: str, context: Context) -> Node:
    match = _FIELD.fullmatch(value)
    if match:
        return field_node(context.field(match[1]))
    if value.startswith("="):
        context.broken(f"{value!r} is no field; text cannot start with '='")
    constant = context.text(value)
    return Node(lambda _: constant, is_dynamic=False)


def _directive(named: list[str], value: JsonObject, context: Context) -> Node:
    name = named[0]
    if len(named) > 1 or name not in context.directives:
        context.broken(f"one directive is expected, not {', '.join(named)}; known: {', '.join(context.directives)}")
    return context.directives[name](value, context.at(name))


def _object(value: JsonObject, context: Context) -> Node:
    children = {key: compile_template(v, context.at(key)) for key, v in value.items()}
    parts = [(key, node.build if node.is_dynamic else None, _fixed(node)) for key, node in children.items()]
    is_dynamic = any(node.is_dynamic for node in children.values())
    if not is_dynamic:
        return _constant({key: node.build(_NOWHERE) for key, node in children.items()}, children)

    def build(scope: Scope) -> JsonObject | None:
        found: JsonObject = {}
        is_alive = False
        for key, make, made in parts:
            if make is not None:
                made = make(scope)  # noqa: PLW2901 - a constant part was made when the map was compiled
                is_alive = is_alive or made is not None
            if made is not None:
                found[key] = made
        return found if is_alive else None

    return Node(build, fields_of(children.values()), children=children)


def _fixed(node: Node) -> Any:
    return None if node.is_dynamic else node.build(_NOWHERE)


def _array(nodes: list[Node]) -> Node:
    parts = [(node.build, node.is_dynamic) for node in nodes]
    is_dynamic = any(node.is_dynamic for node in nodes)
    if not is_dynamic:
        return _constant([node.build(_NOWHERE) for node in nodes])

    def build(scope: Scope) -> list[Any] | None:
        found: list[Any] = []
        is_alive = False
        for make, counts in parts:
            made = make(scope)
            if made is not None:
                found.extend(made if isinstance(made, list) else (made,))
                is_alive = is_alive or counts
        return found if is_alive and found else None

    return Node(build, fields_of(nodes), items=tuple(nodes))
