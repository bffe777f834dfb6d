"""A compiled expression and the three ways to run it: evaluate, test, nodes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import syntax
from fhir_server.fhirpath.checking import faults_of
from fhir_server.fhirpath.environment import ConformsTo, Environment, MemberOf, Resolve, Scope, clock_now
from fhir_server.fhirpath.errors import FhirPathError, too_costly
from fhir_server.fhirpath.evaluator import build
from fhir_server.fhirpath.nodes import Collection, Node, fhir_type, of_json_value, plain, system_type
from fhir_server.fhirpath.parser import MAX_DEPTH
from fhir_server.fhirpath.singletons import truth_of
from fhir_server.fhirpath.transpiler import generate
from fhir_server.fhirpath.transpiler.code import Unsupported
from fhir_server.fhirpath.transpiler.elements import MALFORMED

Predicate = Callable[..., bool]
"""`(focus, resource, root, now, resolve, member_of, conforms_to)`: all by position, because it runs very often."""
Extractor = Callable[[JsonObject, Resolve | None], list[tuple[Any, str]]]
Lister = Callable[[JsonObject, Resolve | None], Sequence[Any]]

_DOORS = frozenset(
    {"now", "resolve", "member_of", "conforms_to", "subsumes", "units", "assume_types", "strict", "budget", "trace"}
)


class Expression:
    """One FHIRPath expression, compiled for inputs of one type; immutable, and safe to share between threads.

    `text` is the source, `type` the input's type (None: whatever the input says), `model` the types that it knows.
    """

    __slots__ = ("_closure", "_extract", "_predicate", "model", "text", "tree", "type")

    def __init__(self, text: str, type_: str | None, tree: syntax.Node, model: TypeModel) -> None:
        self.text = text
        self.type = type_
        self.tree = tree
        self.model = model
        self._closure = build(tree, model)
        self._predicate: Predicate | None = None
        self._extract: Extractor | None = None

    def __repr__(self) -> str:
        return f"<Expression {self.text!r} on {self.type or 'anything'}>"

    def evaluate(self, resource: Any, /, **environment: Any) -> list[Any]:
        """Returns the results as JSON values; dates and times as their text; items without a value are left out.

        `resource` is the input: a resource, an element, a primitive, or None for none. `environment` takes the keywords
        of `collection`.

        Raises:
            EvaluationError: the expression cannot be evaluated on this input.
        """
        return [plain(n) for n in self.collection(resource, **environment) if n.value is not None]

    def collection(self, focus: Any, /, **environment: Any) -> Collection:
        """Returns the results as typed nodes; `focus` may be such a node, too.

        The keywords `now` (the instant of now() and today(), the clock's by default), `resolve`, `member_of`,
        `conforms_to`, `subsumes`, `trace`, `units`, `assume_types`, `strict` and `budget` are the fields of `Environment`. All
        others are environment variables with JSON values or nodes; `resource`, `context` and `rootResource` are the input
        unless given.

        Raises:
            EvaluationError: the expression cannot be evaluated on this input, or not within the budget.
            FhirPathError: with `strict`, the expression does not fit the type of the input.
        """
        this = [] if focus is None else [self._node(focus)]
        doors = {name: environment.pop(name) for name in _DOORS & environment.keys()}
        known = {"context": this, "resource": this, "rootResource": this}
        known.update({name: _variable(value) for name, value in environment.items()})
        doors["now"] = doors.get("now") or clock_now()
        if doors.get("strict") and this and (errors := self.faults(this[0].type)):
            raise errors[0]
        return self._run(Scope(Environment(self.model, known, **doors), this))

    def test(  # noqa: PLR0913 - the doors of an evaluation, each with its type
        self,
        focus: Any,
        resource: JsonObject,
        root: JsonObject,
        *,
        now: datetime | None = None,
        resolve: Resolve | None = None,
        member_of: MemberOf | None = None,
        conforms_to: ConformsTo | None = None,
    ) -> bool:
        """Tells whether an invariant holds at `focus`, an element or primitive inside `resource` inside `root`.

        True for a single true, or a single item that is no boolean; False for false and for empty, as FHIR has it.
        `resource` is `%resource`, `root` is `%rootResource`. The doors are those of `Environment`; without `resolve` a
        reference counts as a resource of the type in its text, without `member_of` membership is unknown, which fails.

        Raises:
            EvaluationError: the expression cannot be evaluated on this input.
        """
        predicate = self._predicate or self._compiled_predicate()
        try:
            return predicate(focus, resource, root, now, resolve, member_of, conforms_to)
        except MALFORMED:
            return self._evaluated_test(focus, resource, root, now, resolve, member_of, conforms_to)

    def predicate(self) -> Predicate:
        """Returns the function behind `test`, for those who call it very often; it lets malformed input raise."""
        return self._predicate or self._compiled_predicate()

    def nodes(self, resource: JsonObject, *, resolve: Resolve | None = None) -> list[tuple[Any, str]]:
        """Returns the results for a search index: each JSON value with its FHIR type, choices resolved.

        A reference whose target `resolve` does not know counts as a resource of the type in its own text. The order is
        the resource's; a union keeps two spellings of one quantity or instant apart.

        Raises:
            EvaluationError: the expression cannot be evaluated on this input.
        """
        try:
            return (self._extract or self._compiled_extract())(resource, resolve)
        except MALFORMED:
            return self._evaluated_nodes(resource, resolve)

    def extractor(self) -> Extractor:
        """Returns the function behind `nodes`, for those who call it very often; it lets malformed input raise.

        `nodes` on the same input gives the answer, or the EvaluationError, that its `MALFORMED` exception stands for.
        """
        return self._extract or self._compiled_extract()

    def lister(self) -> tuple[Lister, str] | None:
        """Returns the function that finds the bare values, and the one FHIR type that all of them have.

        None when their types differ or the general engine is needed; then it is for `extractor`. Among the values None
        stands for a primitive without a value. Malformed input raises, as it does there.
        """
        try:
            return generate.lister(self.tree, self.type or "", self.model)
        except (Unsupported, RecursionError):
            return None

    def faults(self, type_: str | None = None) -> list[FhirPathError]:
        """Returns what can be said against the expression before it runs, in reading order.

        Elements and types that inputs of `type_` (by default the expression's own) do not have, and the use of an order
        where there is none.
        """
        return faults_of(self.tree, type_ or self.type or "", self.model)

    def unknown_elements(self) -> list[FhirPathError]:
        """Returns an error for each element that the expression names and its type does not have, in reading order.

        Evaluation takes them as empty; a definition that is loaded should not have any.
        """
        found = generate.unknown_elements(self.tree, self.type or "", self.model)
        return [FhirPathError("fhirpath.element-unknown", at, type=type_, name=name) for type_, name, at in found]

    def _node(self, value: Any) -> Node:
        if type(value) is Node:
            return value
        if self.type is None and type(value) is not dict:
            return Node(value, system_type(value))
        declared = value.get("resourceType") if type(value) is dict else None
        return Node(value, declared or self.type or "")

    def _run(self, scope: Scope) -> Collection:
        try:
            return self._closure(scope)
        except RecursionError:
            raise too_costly("evaluation", MAX_DEPTH, "levels") from None

    def _compiled_predicate(self) -> Predicate:
        try:
            self._predicate = generate.predicate(self.tree, self.type or "", self.model)
        except (Unsupported, RecursionError):
            self._predicate = self._evaluated_test
        return self._predicate

    def _compiled_extract(self) -> Extractor:
        try:
            self._extract = generate.extractor(self.tree, self.type or "", self.model)
        except (Unsupported, RecursionError):
            self._extract = self._evaluated_nodes
        return self._extract

    def _evaluated_test(self, focus: Any, resource: JsonObject, root: JsonObject, *opened: Any) -> bool:
        doors = dict(zip(("now", "resolve", "member_of", "conforms_to"), opened, strict=False))
        found = self.collection(focus, resource=resource, rootResource=root, assume_types=True, **doors)
        return truth_of(found, "an invariant") is True

    def _evaluated_nodes(self, resource: JsonObject, resolve: Resolve | None) -> list[tuple[Any, str]]:
        found = self.collection(resource, resolve=resolve, assume_types=True)
        return [(plain(n), fhir_type(n)) for n in found if n.value is not None]


def _variable(value: Any) -> Collection:
    if value is None:
        return []
    return [_item(v) for v in (value if isinstance(value, list) else [value])]


def _item(value: Any) -> Node:
    if type(value) is Node:
        return value
    return of_json_value(value, "") if type(value) is dict else Node(value, system_type(value))
