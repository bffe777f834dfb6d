"""A GraphQL document before it is run: how large it is, and which fields of which types it names.

Fragments are looked at once for each type that they are spread on, so no document costs more than its length allows.
See https://spec.graphql.org/October2021/#sec-Language.Fragments.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphql import (
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    Visitor,
    visit,
)

from fhir_server.errors import TooCostly
from fhir_server.operations.graphql_fields import ANY_RESOURCE, Fields, graphql_name

MOST_TOKENS = 5_000
"""Words and marks that a document may have."""
DEEPEST = 20
"""Levels of fields in each other."""
MOST_FIELDS = 2_000
"""Fields that a document may have once its fragments are put in their places."""

Fragments = Mapping[str, FragmentDefinitionNode]


def fragments_of(document: DocumentNode) -> Fragments:
    """Returns the fragments of a document by name."""
    return {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}


def operations_of(document: DocumentNode) -> list[OperationDefinitionNode]:
    """Returns the operations of a document."""
    return [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]


class _Narrowing(Visitor):
    """Reads `resource(type: Patient) {...}` as `resource(type: Patient) {... on Patient {...}}`, which it stands for."""

    def leave_field(self, node: FieldNode, *_: object) -> FieldNode | None:
        """Returns the field with its selections put under the type that it asks for."""
        types = [a.value for a in node.arguments or () if a.name.value == "type"]
        asked = types[0] if node.name.value == "resource" and types else None
        if not isinstance(asked, EnumValueNode | StringValueNode) or node.selection_set is None:
            return None
        condition = NamedTypeNode(name=NameNode(value=asked.value, loc=asked.loc), loc=asked.loc)
        inner = InlineFragmentNode(
            type_condition=condition, directives=(), selection_set=node.selection_set, loc=node.loc
        )
        return replace(node, selection_set=SelectionSetNode(selections=(inner,)))


def narrowed(document: DocumentNode) -> DocumentNode:
    """Returns the document with the type of each narrowed reference said where GraphQL looks for it."""
    found: DocumentNode = visit(document, _Narrowing())
    return found


def check_size(document: DocumentNode) -> None:
    """Accepts a document that is neither too deep nor too wide.

    Raises:
        TooCostly: it is; the issue says what the limit is.
    """
    size = _Size(fragments_of(document))
    for operation in operations_of(document):
        depth, fields = size.of(operation.selection_set)
        if depth > DEEPEST:
            raise TooCostly.of("graphql.too-deep", "query", found=depth, most=DEEPEST)
        if fields > MOST_FIELDS:
            raise TooCostly.of("graphql.too-many-fields", "query", found=fields, most=MOST_FIELDS)


@dataclass(slots=True)
class _Size:
    """Depth and number of fields of selections; a fragment is measured once, one that contains itself as nothing."""

    fragments: Fragments
    known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None) -> tuple[int, int]:
        """Returns the depth and the number of fields of a selection set."""
        depth = fields = 0
        for selection in selections.selections if selections else ():
            own = int(isinstance(selection, FieldNode))
            if isinstance(selection, FragmentSpreadNode):
                inner = self.of_fragment(selection.name.value)
            else:
                assert isinstance(selection, FieldNode | InlineFragmentNode)
                inner = self.of(selection.selection_set)
            depth, fields = max(depth, own + inner[0]), fields + own + inner[1]
        return depth, fields

    def of_fragment(self, name: str) -> tuple[int, int]:
        """Returns the depth and the number of fields of a fragment."""
        if name not in self.known:
            self.known[name] = (0, 0)
            fragment = self.fragments.get(name)
            self.known[name] = self.of(fragment.selection_set) if fragment else (0, 0)
        return self.known[name]


@dataclass(slots=True)
class Used:
    """The fields that a document names, by FHIR type. `__typename` and what no type has are left out."""

    fields: Fields
    fragments: Fragments
    by_type: dict[str, set[str]] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def collect(self, selections: SelectionSetNode | None, type_: str) -> None:
        """Adds what selections on a type name, and what those name in turn."""
        named = self.by_type.setdefault(type_, set())
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                found = self.fields.of(type_).get(selection.name.value)
                if found is not None:
                    named.add(selection.name.value)
                    self.collect(selection.selection_set, found.type)
            elif isinstance(selection, FragmentSpreadNode):
                self.spread(selection.name.value, type_)
            elif isinstance(selection, InlineFragmentNode):
                on = selection.type_condition.name.value if selection.type_condition else type_
                self.collect(selection.selection_set, self.narrowed(on, type_))

    def spread(self, name: str, type_: str) -> None:
        """Adds what a fragment names, once for each type."""
        fragment = self.fragments.get(name)
        if fragment is not None and (name, type_) not in self.seen:
            self.seen.add((name, type_))
            self.collect(fragment.selection_set, self.narrowed(fragment.type_condition.name.value, type_))

    def narrowed(self, on: str, type_: str) -> str:
        """Returns the FHIR type that a type condition means where `type_` stands; conditions name GraphQL's."""
        return type_ if on == graphql_name(type_) else on

    def resources(self) -> Iterator[str]:
        """Yields the resource types of which fields are named."""
        return (type_ for type_ in self.by_type if type_ in self.fields.definitions.model.resources)

    @property
    def any_resource(self) -> bool:
        """Whether something is asked of a resource of any type."""
        return ANY_RESOURCE in self.by_type
