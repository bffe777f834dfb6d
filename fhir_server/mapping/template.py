"""Templates: a value of `map.yaml` -> Python source that builds the same shape. See docs/decisions/0002-mapping-language.md."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.form import Field, Form
from fhir_server.mapping.nodes import Member, Node, write_object, written_array
from fhir_server.mapping.record import key_text, plain
from fhir_server.mapping.script import Script
from fhir_server.mapping.tables import CodeTable
from fhir_server.mapping.yaml_files import BrokenMapping

MAX_DEPTH = 16
"""Directives within directives; Python's compiler follows twenty loops within loops."""
_FIELD = re.compile(r"=(\.?[A-Za-z]\w*|\.)")


@dataclass(frozen=True, slots=True)
class FieldAccess:
    """A field as templates name it (`sbp`, in a line `.name`, or `.` for the line itself), and what the form says about it."""

    name: str
    field: Field
    path: str

    @property
    def is_of_line(self) -> bool:
        """Tells whether it belongs to the current line."""
        return self.name.startswith(".")

    @property
    def is_list(self) -> bool:
        """Tells whether its value is a list; the line itself is one item of it."""
        return self.field.repeats and self.name != "."

    def atom(self, script: Script) -> str:
        """Returns the atom of the field's typed value."""
        if not self.is_of_line:
            return script.early(f"get({self.name!r})")
        return script.set(f"{script.line_name}.get({self.name[1:]!r})") if self.name != "." else script.line_name


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
            return self._line_field(name)
        found = self.form.fields.get(name)
        if found is None:
            self.broken(f"unknown field {name!r}")
        return FieldAccess(name, found, name)

    def _line_field(self, name: str) -> FieldAccess:
        line = self.line
        if line is None:
            self.broken(f"'{name}' outside of each")
        if name == ".":
            return FieldAccess(name, line, line.path)
        found = line.fields.get(name[1:])
        if found is None:
            self.broken(f"{line.path} has no field {name[1:]!r}")
        return FieldAccess(name, found, found.path)


Directive = Callable[[JsonObject, Context], Node]


def check_options(entry: JsonObject, context: Context, *allowed: str) -> None:
    """Tells whether a directive has other options than those allowed.

    Raises:
        BrokenMapping: it has; the known ones are named.
    """
    for key in entry:
        if not key.startswith("$") and key not in allowed:
            context.broken(f"unknown option {key!r}; known: {', '.join(allowed) or 'none'}")


def compile_template(value: Any, context: Context) -> Node:
    """Returns a template compiled: a field (`=name`), a directive, an object, an array, or a constant.

    Raises:
        BrokenMapping: an unknown field, directive or table, naming the place.
    """
    node = _compiled(value, context)
    return node if node.is_of_line or not node.is_dynamic else replace(node, key=repr(value))


def _compiled(value: Any, context: Context) -> Node:
    if isinstance(value, str):
        return _text(value, context)
    if isinstance(value, dict):
        named = [key for key in value if key.startswith("$")]
        return _directive(named, value, context) if named else _object(value, context)
    if isinstance(value, list):
        return _array([compile_template(v, context.at(f"[{n}]")) for n, v in enumerate(value)])
    return constant_node(value)


def constant_node(value: Any, children: Mapping[str, Node] | None = None) -> Node:
    """Returns the node of a value that is the same for every record; empty when it is None."""
    return Node(
        lambda script: script.constant(value),
        is_dynamic=False,
        constant=value,
        children=children,
        is_sure=value is not None,
        is_list=isinstance(value, list),
    )


def field_node(access: FieldAccess) -> Node:
    """Returns the node whose value is a field's value as JSON."""
    is_typed = access.field.type in {"code", "string"} or access.field.repeats

    def write(script: Script) -> str:
        value = access.atom(script)
        if not is_typed:
            return value
        return script.set(f"{value} if type({value}) is str else {script.constant(plain)}({value})")

    return Node(write, frozenset((access.path,)), is_list=access.is_list, is_of_line=access.is_of_line)


def key_atom(script: Script, access: FieldAccess) -> str:
    """Returns the atom of a field's value as a part of a key, a text that is empty when there is none."""
    value = access.atom(script)
    text = f"{value} if type({value}) is str else {script.constant(key_text)}({value})"
    return script.set(text) if access.is_of_line else script.early(text)


def fields_of(nodes: Iterable[Node]) -> frozenset[str]:
    """Returns all record fields that any of the nodes reads."""
    return frozenset[str]().union(*(node.fields for node in nodes))


def _text(value: str, context: Context) -> Node:
    match = _FIELD.fullmatch(value)
    if match:
        return field_node(context.field(match[1]))
    if value.startswith("="):
        context.broken(f"{value!r} is no field; text cannot start with '='")
    return constant_node(context.text(value))


def _directive(named: list[str], value: JsonObject, context: Context) -> Node:
    name = named[0]
    if context.place.count("$") >= MAX_DEPTH:
        context.broken(f"directives are nested more than {MAX_DEPTH} deep")
    if len(named) > 1 or name not in context.directives:
        context.broken(f"one directive is expected, not {', '.join(named)}; known: {', '.join(context.directives)}")
    return context.directives[name](value, context.at(name))


def _object(value: JsonObject, context: Context) -> Node:
    children = {key: compile_template(v, context.at(key)) for key, v in value.items()}
    dynamic = [node for node in children.values() if node.is_dynamic]
    if not dynamic:
        return constant_node({key: node.constant for key, node in children.items()}, children)

    def write(script: Script) -> str:
        members = [Member(key, node, node.atom(script)) for key, node in children.items()]
        name = script.variable()
        write_object(script, name, members, dynamic=[m for m in members if m.node.is_dynamic])
        return name

    return Node(
        write,
        fields_of(children.values()),
        children=children,
        is_sure=any(node.is_sure for node in dynamic),
        is_of_line=any(node.is_of_line for node in dynamic),
    )


def _array(nodes: list[Node]) -> Node:
    dynamic = [node for node in nodes if node.is_dynamic]
    if not dynamic:
        return constant_node([node.constant for node in nodes])
    wanted = [node for node in nodes if node.is_dynamic or node.is_sure]

    def write(script: Script) -> str:
        atoms = [node.atom(script) for node in wanted]
        return written_array(script, wanted, atoms)

    return Node(
        write,
        fields_of(nodes),
        items=tuple(nodes),
        is_sure=any(node.is_sure and not node.is_list for node in dynamic),
        is_list=True,
        is_of_line=any(node.is_of_line for node in dynamic),
    )
