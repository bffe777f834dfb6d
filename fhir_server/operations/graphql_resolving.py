"""How the fields of a GraphQL query get their values, by role, https://hl7.org/fhir/R4/graphql.html#fields."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from graphql import GraphQLResolveInfo, get_directive_values

from fhir_server.errors import BadValue, MissingElement, NotFound
from fhir_server.fhir.shapes import JsonObject
from fhir_server.operations.graphql_fields import QUERY, Field, Fields
from fhir_server.operations.graphql_schema import SHAPING, Resolver
from fhir_server.operations.graphql_work import Work, search_pairs

_SLICE = next(directive for directive in SHAPING if directive.name == "slice")
_NONE: JsonObject = {}
Info: TypeAlias = GraphQLResolveInfo[Work]


def resolvers_of(fields: Fields) -> Mapping[str, Resolver]:
    """Returns the resolver of each role."""
    resolving = _Resolving(fields)
    return {
        "element": resolving.element,
        "resource": resolving.resource,
        "one": resolving.one,
        "list": resolving.listed,
        "connection": resolving.connection,
        "computed": resolving.computed,
    }


class _Resolving:
    """Resolvers that know the fields of every type; what they read with is the context of the query."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def element(self, source: Any, info: Info, **arguments: Any) -> Any:
        """Returns an element, its items filtered by the arguments."""
        value = (source or _NONE).get(info.field_name)
        if value is None or not (arguments or _is_sliced(info)):
            return value
        field = self.field(info)
        items = value if isinstance(value, list) else [value]
        kept = _filtered(info.context, field, items, arguments)
        self.note_slices(info, field, kept)
        return kept if isinstance(value, list) else next(iter(kept), None)

    def computed(self, source: Any, info: Info) -> Any:
        """Returns a part of a connection."""
        return source.get(info.field_name)

    async def resource(
        self,
        source: Any,
        info: Info,
        optional: Any = None,
        type: Any = None,  # noqa: A002 - GraphQL's name
    ) -> Any:
        """Returns what a reference leads to; None when it is of another type than asked, or optional and not there.

        Raises:
            NotFound: it leads nowhere on this server.
        """
        found = await info.context.referred(source)
        if found is None:
            if optional is True or not source.get("reference"):
                return None
            raise NotFound.of("graphql.reference-unresolved", _place(info), reference=source.get("reference"))
        wanted = type if isinstance(type, list) or type is None else [type]
        is_wanted = wanted is None or found["resourceType"] in wanted
        return found if is_wanted and found["resourceType"] in info.schema.type_map else None

    async def one(self, source: Any, info: Info, id: Any) -> Any:  # noqa: A002 - GraphQL's name
        """Returns the resource of an id."""
        return await info.context.one(info.field_name, str(id))

    async def listed(self, source: Any, info: Info, **arguments: Any) -> Any:
        """Returns the matches of a search."""
        field = self.field(info)
        expression = arguments.pop("fhirpath", None)
        found = await info.context.listed(field.type, self.pairs(source, info, arguments))
        kept = [one for one in found if expression is None or info.context.keeps(str(expression), field.type, one)]
        self.note_slices(info, field, kept)
        return kept

    async def connection(self, source: Any, info: Info, **arguments: Any) -> Any:
        """Returns a page of the matches of a search.

        Raises:
            BadValue: a cursor beside search parameters.
        """
        type_ = info.field_name.removesuffix("Connection")
        expression = arguments.pop("fhirpath", None)
        token = arguments.pop("_cursor", None)
        if token is not None and arguments:
            raise BadValue.of("graphql.cursor-alone", _place(info), names=", ".join(sorted(arguments)))
        pairs = [] if token is not None else self.pairs(source, info, arguments)
        found = await info.context.connection(type_, pairs, token)
        if expression is not None:
            edges = found["edges"]
            found["edges"] = [e for e in edges if info.context.keeps(str(expression), type_, e["resource"])]
        return found

    def pairs(self, source: Any, info: Info, arguments: dict[str, Any]) -> list[tuple[str, str]]:
        """Returns the search that arguments stand for, below a resource with the reference to it.

        Raises:
            MissingElement: a list below a resource without `_reference`.
        """
        field = self.field(info)
        reference = arguments.pop("_reference", None)
        found = search_pairs(arguments, field.arguments)
        if "_reference" not in field.arguments:
            return found
        if reference is None:
            raise MissingElement.of("graphql.reference-missing", _place(info), name=info.field_name)
        return [(str(reference).replace("_", "-"), f"{source['resourceType']}/{source['id']}"), *found]

    def field(self, info: Info) -> Field:
        """Returns the field that is resolved."""
        name = info.parent_type.name
        return self._fields.of(name if name == QUERY else self._fields.by_name.get(name, name))[info.field_name]

    def note_slices(self, info: Info, field: Field, items: list[Any]) -> None:
        """Remembers what the items of a sliced field are called: what the FHIRPath gives, or their numbers.

        Raises:
            BadValue: it gives nothing, or several values, for an item.
        """
        if not _is_sliced(info):
            return
        given = get_directive_values(_SLICE, info.field_nodes[0], info.variable_values) or {}
        path = given.get("path") or given.get("fhirpath")
        if path is None:
            raise MissingElement.of("operation.parameter-missing", _place(info), name="path")
        called = []
        for n, item in enumerate(items):
            values = [n] if path == "$index" else info.context.evaluate(path, field.type, item)
            if len(values) != 1:
                raise BadValue.of("graphql.slice-name", _place(info), path=path, count=len(values))
            called.append(str(values[0]))
        info.context.slices[tuple(info.path.as_list())] = called


def _is_sliced(info: Info) -> bool:
    return any(directive.name.value == "slice" for directive in info.field_nodes[0].directives or ())


def _place(info: Info) -> str:
    return ".".join(map(str, info.path.as_list()))


def _filtered(work: Work, field: Field, items: list[Any], arguments: dict[str, Any]) -> list[Any]:
    wanted = dict(arguments)
    expression, offset, count = (wanted.pop(name, None) for name in ("fhirpath", "_offset", "_count"))
    kept = [item for item in items if all(_has(item, name, value) for name, value in wanted.items())]
    if expression is not None:
        kept = [item for item in kept if work.keeps(str(expression), field.type, item)]
    start = _number("_offset", offset, 0)
    return kept[start : start + _number("_count", count, len(kept))]


def _has(item: Any, name: str, value: Any) -> bool:
    found = item.get(name) if isinstance(item, dict) else None
    options = value if isinstance(value, list) else [value]
    texts = {str(one) for one in (found if isinstance(found, list) else [found])}
    return not texts.isdisjoint(str(one) for one in options)


def _number(name: str, given: Any, default: int) -> int:
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        expected = "a whole number"
        raise BadValue.of("rest.parameter-invalid", name, name=name, value=str(given)[:80], expected=expected)
    return given
