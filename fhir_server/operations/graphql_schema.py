"""The GraphQL schema of one query: just the types and fields that it names, https://hl7.org/fhir/R4/graphql.html.

The schema of all of FHIR has thousands of types. Queries about the schema itself get that one, built for them.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from graphql import (
    DirectiveLocation,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDirective,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    specified_directives,
)

from fhir_server.operations.graphql_fields import ANY_RESOURCE, QUERY, Field, Fields, graphql_name

Resolver = Callable[..., Any]
Named = Mapping[str, set[str]]

_BUILT_IN: Mapping[str, GraphQLScalarType] = {
    "string": GraphQLString,
    "boolean": GraphQLBoolean,
    "integer": GraphQLInt,
    "positiveInt": GraphQLInt,
    "unsignedInt": GraphQLInt,
    "id": GraphQLID,
}

ON_FIELD = (DirectiveLocation.FIELD,)
SHAPING = (
    GraphQLDirective("flatten", ON_FIELD, description="The field's children stand in its place."),
    GraphQLDirective("first", ON_FIELD, description="Only the first item of the list."),
    GraphQLDirective("singleton", ON_FIELD, description="One value, not a list, although a parent is flattened."),
    GraphQLDirective(
        "slice",
        ON_FIELD,
        {"path": GraphQLArgument(GraphQLString), "fhirpath": GraphQLArgument(GraphQLString)},
        description="Each item under a name of its own: the field's, a point, and what the FHIRPath gives.",
    ),
)


@cache
def scalar(type_: str) -> GraphQLScalarType:
    """Returns the scalar of a FHIR primitive; but for the built-in ones, values pass as they are."""
    return _BUILT_IN.get(type_) or GraphQLScalarType(type_)


ANY_VALUE = GraphQLScalarType("SearchValue", description="A text, number, boolean or code, or a list of them.")
"""Arguments compare with values of every kind."""


def build_schema(
    fields: Fields, root: str, resolvers: Mapping[str, Resolver], named: Named | None, resources: set[str]
) -> GraphQLSchema:
    """Returns the schema whose queries start at `root`.

    `named` are the fields by type that it needs; None: all there are. `resources` are the types that a reference may
    lead to. `resolvers` go by the role of a field. That it is a valid schema is a matter of how it is built, and of the
    tests.
    """
    builder = _Builder(fields, resolvers, named)
    query = builder.object_type(root)
    others = [builder.object_type(type_) for type_ in sorted(resources)] if builder.needs(ANY_RESOURCE) else []
    return GraphQLSchema(query, types=others, directives=[*specified_directives, *SHAPING], assume_valid=True)


class _Builder:
    """Builds each type once; the fields of a type when the schema asks for them."""

    def __init__(self, fields: Fields, resolvers: Mapping[str, Resolver], named: Named | None) -> None:
        self._fields, self._resolvers, self._named = fields, resolvers, named
        self._built: dict[str, GraphQLOutputType] = {}
        self._shared: dict[int, GraphQLField] = {}

    def needs(self, type_: str) -> bool:
        """Tells whether a type is to be built."""
        return self._named is None or type_ in self._named

    def type_of(self, type_: str) -> GraphQLOutputType:
        """Returns the GraphQL type of a FHIR type."""
        if type_ in self._fields.definitions.model.primitives:
            return scalar(type_)
        return self.any_resource() if type_ == ANY_RESOURCE else self.object_type(type_)

    def object_type(self, type_: str) -> GraphQLObjectType:
        """Returns the object type of a FHIR type that has fields."""
        if type_ not in self._built:
            is_resource = type_ in self._fields.definitions.model.resources
            self._built[type_] = GraphQLObjectType(
                QUERY if type_ == QUERY else graphql_name(type_),
                lambda: self.fields_of(type_),
                interfaces=[self.any_resource()] if is_resource and self.needs(ANY_RESOURCE) else [],
            )
        found = self._built[type_]
        assert isinstance(found, GraphQLObjectType)
        return found

    def any_resource(self) -> GraphQLInterfaceType:
        """Returns the interface that every resource type has."""
        if ANY_RESOURCE not in self._built:
            self._built[ANY_RESOURCE] = GraphQLInterfaceType(
                ANY_RESOURCE,
                lambda: self.fields_of(ANY_RESOURCE),
                resolve_type=lambda value, _info, _type: str(value["resourceType"]),
            )
        found = self._built[ANY_RESOURCE]
        assert isinstance(found, GraphQLInterfaceType)
        return found

    def fields_of(self, type_: str) -> dict[str, GraphQLField]:
        """Returns the fields of a type that are needed; the type's id stands in for none, which GraphQL does not allow."""
        known = self._fields.of(type_)
        if self._named is None:
            return {name: self.field(one) for name, one in known.items()}
        wanted = set(self._named.get(type_, ()))
        if type_ in self._fields.definitions.model.resources:
            wanted |= self._named.get(ANY_RESOURCE, set()) or {"id"}
        chosen = {name: self.field(one) for name, one in known.items() if name in wanted}
        return chosen or {"id": GraphQLField(GraphQLID, resolve=self._resolvers["element"])}

    def field(self, field: Field) -> GraphQLField:
        """Returns a field with its arguments, the same one wherever it stands."""
        if id(field) not in self._shared:
            self._shared[id(field)] = self._new_field(field)
        return self._shared[id(field)]

    def _new_field(self, field: Field) -> GraphQLField:
        type_: GraphQLOutputType = self.type_of(field.type)
        if field.is_list:
            type_ = GraphQLList(type_)
        arguments = {name: GraphQLArgument(ANY_VALUE) for name in field.arguments}
        if field.role == "one":
            arguments = {"id": GraphQLArgument(GraphQLNonNull(ANY_VALUE))}
        return GraphQLField(type_, arguments, self._resolvers[field.role])
