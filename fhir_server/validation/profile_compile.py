"""A profile as what it adds to R4's own check of its type, https://hl7.org/fhir/R4/profiling.html."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fhir_server.definitions.registry import Element, StructureDefinition
from fhir_server.validation.checks import Part, Required, all_of, each_of, on_object, quick_first
from fhir_server.validation.facets import keys_of, own_constraints, own_element, value_checks
from fhir_server.validation.report import Findings, at, found
from fhir_server.validation.rules.binding import build_binding
from fhir_server.validation.rules.cardinality import build_cardinality
from fhir_server.validation.rules.fixed import build_bare
from fhir_server.validation.rules.resource import scope_within
from fhir_server.validation.rules.slicing import Sliced, build_slicing
from fhir_server.validation.rules.types import ANY_RESOURCE, build_allowed, build_resource_type
from fhir_server.validation.site import Build, Check, Key, ProfileError, Scope, Site, is_profile
from fhir_server.validation.sure import Source, described, unsure
from fhir_server.validation.tree import Node, build_tree

BY_TYPE = ((), (("type", "$this"),))
"""Discriminators of a choice element whose slices are its types."""


def build_profile(structure: StructureDefinition, build: Build, quicken: Callable[[Check], Check]) -> Check:
    """Returns the check of a value of the profile's type that R4's own check has seen already.

    `quicken` is applied to the check of what the value is made of.

    Raises:
        ProfileError: the snapshot is no tree of elements; the message names file and element.
    """
    is_resource = structure.type in build.definitions.model.resources
    check: Check | None = None
    if is_profile(structure):
        label = f"{structure.url}|{structure.version}" if structure.version else structure.url
        try:
            tree = build_tree(structure.elements)
        except ProfileError as error:
            raise ProfileError(f"{structure.source or structure.url}: {error}") from error
        if structure.type == "Extension":
            tree.children.pop("url", None)  # the definition was found by it
        delta = Delta(label, structure.source, build)
        below = delta.children(tree, structure.type)
        itself = delta.itself(tree, structure.type)
        check = all_of(quick_first([*itself, *([below] if below else [])], quicken))
    return _of_type(structure, check or _nothing) if is_resource else check or _nothing


def _of_type(structure: StructureDefinition, check: Check) -> Check:
    type_, url = structure.type, structure.url

    def check_typed(value: Any, scope: Scope) -> Findings | None:
        if value.get("resourceType") == type_:
            return check(value, scope)
        return found("validation.profile-type", profile=url, expected=type_, found=str(value.get("resourceType")))

    return check_typed


def _nothing(_value: Any, _scope: Scope) -> Findings | None:
    return None


@dataclass(frozen=True, slots=True)
class Delta:
    """Compiles the nodes of one profile. `label` is its canonical with version, `file` where it came from.

    `base` is the element that checks the same value already: R4's own or, inside a slice, the profile's element that is
    sliced. `around` is the node of the latter: its children are the bases of the slice's children.
    """

    label: str
    file: str
    build: Build

    def value(self, node: Node, type_: str, base: Element | None, around: Node | None = None) -> Check | None:
        """Returns the check of one value of an element, or None when the profile adds nothing to `base`."""
        if type_ in ANY_RESOURCE:
            allowed = build_resource_type(self._site(node, type_, base), self.build)
            inner = all_of([allowed, self._resource_children(node)])
            return inner and unsure(inner)
        return all_of([*self.itself(node, type_, base), self.children(node, type_, around)])

    def itself(self, node: Node, type_: str, base: Element | None = None) -> list[Check]:
        """Returns the checks of one value as a whole, apart from what it is made of."""
        site = Site(node.element, type_, base, self.label, self.file)
        known = [*own_constraints(type_, self.build), *(base.constraints if base else ())]
        binding = build_binding(site, self.build)
        return [*([binding] if binding else []), *value_checks(site, known, self.build)]

    def children(self, node: Node, type_: str, around: Node | None = None) -> Check | None:
        """Returns the check of an object's elements, or None when the profile adds nothing."""
        if type_ in self.build.definitions.model.primitives:
            return None
        others = around.children if around else {}
        each = (self._child(name, child, type_, others.get(name)) for name, child in node.children.items())
        return on_object(part for parts in each for part in parts if part is not None)

    def _child(self, name: str, node: Node, type_: str, around: Node | None) -> Iterator[Part | Required | None]:
        keys = keys_of(type_, name, self.build.definitions.model)
        if not keys:
            return
        base = around.element if around else own_element(f"{type_}.{name}", self.build)
        allowed = [type_.code for type_ in node.element.types]
        is_choice = len(keys) > 1
        used = [key for key in keys if not is_choice or not allowed or key.type in allowed]
        yield build_cardinality(node.element, base, keys, self.label)
        if is_choice:
            yield _on_owner(build_allowed(keys, allowed, node.element.id, self.label))
        yield from self._values(node, used, base, around)
        yield from self._slices(node, keys, base)

    def _values(self, node: Node, keys: Iterable[Key], base: Element | None, around: Node | None) -> Iterator[Part]:
        for key in keys:
            check = self.value(node, key.type, base, around)
            if check is not None:
                yield Part(each_of(check) if key.is_array else check, key.name, key.segment)
            bare = build_bare(self._site(node, key.type, base), key)
            if bare is not None:
                yield Part(bare)
            extensions = self.children(node, "Element", around) if key.sibling and node.children else None
            if extensions is not None:
                yield Part(each_of(extensions) if key.is_array else extensions, key.sibling, key.segment)

    def _slices(self, node: Node, keys: list[Key], base: Element | None) -> Iterator[Part | Required | None]:
        slicing = node.element.slicing
        if len(keys) > 1 or node.element.id.endswith("[x]"):
            if node.slices and slicing and slicing.discriminators not in BY_TYPE:
                self.build.report(self._site(node, "", base), "a choice element can be sliced by type only")
            for one in node.slices.values():
                yield from self._choice_slice(one, node, keys)
        elif node.slices:
            type_ = keys[0].type

            def compile_slice(one: Node) -> Check | None:
                return self.value(one, type_, node.element, node)

            sliced = build_slicing(node, self._site(node, type_, base), self.build, compile_slice=compile_slice)
            if sliced is not None:
                is_needed = any(one.element.min for one in node.slices.values())
                yield _sliced_below(keys[0], sliced, is_needed=is_needed)

    def _choice_slice(self, one: Node, node: Node, keys: list[Key]) -> Iterator[Part | Required | None]:
        codes = {type_.code for type_ in one.element.types}
        mine = [key for key in keys if key.type in codes]
        if mine:
            yield build_cardinality(one.element, None, mine, self.label)
            yield from self._values(one, mine, node.element, node)

    def _site(self, node: Node, type_: str, base: Element | None) -> Site:
        return Site(node.element, type_, base, self.label, self.file)

    def _resource_children(self, node: Node) -> Check | None:
        types = [type_.code for type_ in node.element.types if type_.code not in ANY_RESOURCE]
        inner = self.children(node, types[0]) if len(types) == 1 and node.children else None
        if inner is None:
            return None
        is_contained = node.element.path.endswith(".contained")

        def check(value: Any, scope: Scope) -> Findings | None:
            if type(value) is not dict or value.get("resourceType") != types[0]:
                return None
            return inner(value, scope_within(scope, value, is_contained=is_contained))

        return check


def _on_owner(check: Check | None) -> Part | None:
    return None if check is None else Part(check)


def _sliced_below(key: Key, sliced: Sliced, *, is_needed: bool) -> Part:
    """Returns the check of the slices of one property; what concerns an item gets its place.

    Where a slice is needed, the property need not be there for it to be missed.
    """
    name, segment, is_array = key.name, key.segment, key.is_array

    def check_values(values: Any, scope: Scope) -> Findings | None:
        listed = values if type(values) is list else [] if values is None or is_array else [values]
        findings = sliced.check(list(enumerate(listed)), scope)
        return None if findings is None else [_placed(one, segment, is_array) for one in findings]

    def emit(source: Source, values: str) -> None:
        items = source.variable("z")
        single = "()" if is_array else f"({values},) if {values} is not None else ()"
        source.line(f"{items} = {values} if type({values}) is list else {single}")
        sliced.emit(source, items)

    described(check_values, emit)
    return Part(_of_property(name, check_values)) if is_needed else Part(check_values, name)


def _of_property(name: str, check: Check) -> Check:
    """Returns the check of an object that runs a check on one property, be it there or not."""

    def emit(source: Source, owner: str) -> None:
        values = source.variable("x")
        source.line(f"{values} = {source.member(owner, name)}")
        source.check(check, values)

    return described(lambda owner, scope: check(owner.get(name), scope), emit)


def _placed(finding: Any, segment: str, is_array: bool) -> Any:
    if not finding.path:
        return finding  # a slice that is missing or too often belongs to the owner
    if not is_array:
        finding.path.pop()  # the index of a single value
    at([finding], segment)
    return finding
