"""Snapshots made from differentials, https://hl7.org/fhir/R4/profiling.html#snapshot.

A profile starts as a copy of its base; every element of the differential is located in it, which may add slices and the
content of types on the way, and merged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fhir_server.definitions.merging import merged, with_extension, with_invariants
from fhir_server.definitions.outline import Outline, SnapshotError, UnknownElement, moved
from fhir_server.definitions.places import with_ids
from fhir_server.definitions.snapshots import profiles_of
from fhir_server.fhir.shapes import JsonObject

_R4 = "http://hl7.org/fhir/StructureDefinition/"
_BY_URL = {"discriminator": [{"type": "value", "path": "url"}], "ordered": False, "rules": "open"}
_BY_TYPE = {"discriminator": [{"type": "type", "path": "$this"}], "ordered": False, "rules": "open"}
_DIFFERENTIAL = "StructureDefinition.differential"

MAX_CHAIN = 20
"""Most profiles that stand on or within one another while a snapshot is made."""


def _never(_definition: JsonObject, _error: UnknownElement) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Snapshots by canonical URL: those that definitions bring along, and generated ones, each made once.

    `find` returns the StructureDefinition of a URL as JSON, or None. `skips` is told of every element of a definition's
    differential that its base does not have, and answers whether to go on without that element.
    """

    find: Callable[[str], JsonObject | None]
    skips: Callable[[JsonObject, UnknownElement], bool] = _never
    _made: dict[str, Sequence[JsonObject]] = field(default_factory=dict)
    _in_work: dict[str, None] = field(default_factory=dict)

    def of_url(self, url: str) -> Sequence[JsonObject]:
        """Returns the elements of a definition's snapshot; `|version` is ignored.

        Raises:
            SnapshotError: it is not known, or no snapshot can be made.
        """
        plain = url.partition("|")[0]
        if plain not in self._made:
            resource = self.find(plain)
            if resource is None:
                raise SnapshotError(_DIFFERENTIAL, f"{plain} is not defined")
            self._made[plain] = self.of(resource)
        return self._made[plain]

    def of(self, resource: JsonObject) -> Sequence[JsonObject]:
        """Returns the elements of the snapshot that a StructureDefinition has, or that its differential makes.

        Raises:
            SnapshotError: no snapshot can be made.
        """
        try:
            own: Sequence[JsonObject] = resource.get("snapshot", {}).get("element", ())
            return own or self._generated(resource)
        except KeyError as error:
            raise SnapshotError(_DIFFERENTIAL, f"{error.args[0]} is missing") from error
        except (TypeError, AttributeError) as error:  # JSON of another shape than R4's, where nobody has validated it
            raise SnapshotError(_DIFFERENTIAL, str(error)) from error

    def _generated(self, resource: JsonObject) -> Sequence[JsonObject]:
        url, base = resource["url"], resource.get("baseDefinition")
        if url in self._in_work:
            circle = " -> ".join([*list(self._in_work)[list(self._in_work).index(url) :], url])
            raise SnapshotError("StructureDefinition.baseDefinition", f"a circle of definitions: {circle}")
        if len(self._in_work) >= MAX_CHAIN:
            raise SnapshotError("StructureDefinition.baseDefinition", f"more than {MAX_CHAIN} definitions depend on it")
        if not isinstance(base, str):
            raise SnapshotError("StructureDefinition.baseDefinition", "a definition without snapshot needs a base")
        self._in_work[url] = None
        try:
            start = _renamed(self.of_url(base), resource["type"].rpartition("/")[2])
            return _Generation(self, resource, start, Outline(list(start))).run()
        finally:
            del self._in_work[url]


@dataclass(frozen=True, slots=True)
class _Generation:
    """The work on one snapshot: `base` are the elements it starts from, `outline` is what it has become so far."""

    snapshots: Snapshots
    resource: JsonObject
    base: Sequence[JsonObject]
    outline: Outline

    def run(self) -> Sequence[JsonObject]:
        """Returns the elements of the snapshot."""
        for change in with_ids(self.resource.get("differential", {}).get("element", ())):
            try:
                position = self._locate(change["id"], change)
            except UnknownElement as error:
                if not self.snapshots.skips(self.resource, error):
                    raise
            else:
                element = self._as_profiled(self.outline.elements[position], change)
                self.outline.elements[position] = merged(element, change, self.resource["url"])
        return self.outline.elements

    def _as_profiled(self, element: JsonObject, change: JsonObject) -> JsonObject:
        types: Sequence[JsonObject] = change.get("type", ())
        content = self._profiled(types)
        if not content:
            return element
        is_extension = types[0]["code"] == "Extension"
        return with_extension(element, content[0]) if is_extension else with_invariants(element, content[0])

    def _locate(self, id_: str, change: JsonObject) -> int:
        """Returns the position of an element, which comes into being when its parent or its sliced element has it."""
        found = self.outline.find(id_)
        if found is not None:
            return found
        parent_id, _, last = id_.rpartition(".")
        if not parent_id:
            raise _unknown(id_, f"the snapshot starts with {self.outline.elements[0]['id']}")
        name, is_slice, slice_name = last.partition(":")
        if is_slice:
            return self._slice(self._locate(f"{parent_id}.{name}", change), slice_name, change)
        return self._child(self._locate(parent_id, change), last, change)

    def _slice(self, sliced: int, slice_name: str, change: JsonObject) -> int:
        outline = self.outline
        element = _sliced(outline.elements[sliced], slice_name, change)
        found = outline.find(f"{element['id']}:{slice_name}", sliced)
        if found is not None:
            return found
        if "slicing" not in element:
            outline.rename(sliced, slice_name)
            return sliced
        outer = outline.find(f"{element['id']}:{slice_name.rpartition('/')[0]}", sliced) if "/" in slice_name else None
        start = sliced if outer is None else outer
        template = self._as_in_base(outline.elements[start])
        position = outline.group_end(start)
        outline.elements[sliced] = element
        outline.insert(position, [_slice_of(template, element["id"], slice_name)])
        return position

    def _as_in_base(self, element: JsonObject) -> JsonObject:
        """Returns the element as the base has it: what the differential says of all items is no part of one slice."""
        return next((e for e in self.base if e["id"] == element["id"]), element)

    def _child(self, parent: int, name: str, change: JsonObject) -> int:
        self._expand(parent)
        parent_id = self.outline.elements[parent]["id"]
        found = self.outline.find(f"{parent_id}.{name}", parent)
        for other in (self._named, self._choice):
            found = other(parent, name) if found is None else found
        if found is not None:
            return found
        if self.resource.get("derivation") != "specialization":
            children = ", ".join(e["id"].rpartition(".")[2] for e in self.outline.children(parent)) or "nothing"
            raise _unknown(f"{parent_id}.{name}", f"{parent_id} has {children}")
        position = self.outline.end(parent)
        new = {"id": f"{parent_id}.{name}", "path": change["path"], "min": 0, "max": "*"}
        self.outline.insert(position, [new])
        return position

    def _named(self, parent: int, name: str) -> int | None:
        """Returns the element that carries the name of a slice although nothing is sliced (see `Outline.rename`)."""
        ids = (e["id"] for e in self.outline.children(parent))
        found = next((i for i in ids if i.rpartition(".")[2].partition(":")[0] == name), None)
        return None if found is None else self.outline.find(found, parent)

    def _choice(self, parent: int, name: str) -> int | None:
        """Returns the slice that a short name (`valueQuantity`) means, which fixes the type of the choice."""
        for element in self.outline.children(parent):
            wanted = _named_type(self._as_in_base(element).get("type", ()), element["path"].rpartition(".")[2], name)
            if element["id"].endswith("[x]") and wanted:
                position = self.outline.find(element["id"], parent)
                assert position is not None
                self.outline.elements[position] = _of_types(element, wanted)
                return self._slice(position, name, {})
        return None

    def _expand(self, position: int) -> None:
        """Puts the content of an element's type below it, unless something stands there."""
        if self.outline.below(position):
            return
        element = self.outline.elements[position]
        content = self._content(element)
        if "contentReference" in element:
            plain = {k: v for k, v in element.items() if k != "contentReference"}
            element = self.outline.elements[position] = plain | {"type": content[0].get("type", [])}
        self.outline.insert(position + 1, moved(content[1:], content[0], element))

    def _content(self, element: JsonObject) -> Sequence[JsonObject]:
        """Returns what an element holds: the element that describes it, and the elements below that one."""
        if "contentReference" in element:
            return _part(self.base, element["contentReference"].partition("#")[2])
        types = element.get("type", ())
        profiled = self._profiled(types)
        if profiled:
            return profiled
        sliced = self._sliced_content(element["id"])
        if len(sliced) > 1:
            return sliced
        codes = {t["code"] for t in types}
        return self.snapshots.of_url(_R4 + codes.pop() if len(codes) == 1 else _R4 + "Element")

    def _sliced_content(self, id_: str) -> Sequence[JsonObject]:
        parent_id, _, last = id_.rpartition(".")
        name, _, slice_name = last.partition(":")
        outer = slice_name.rpartition("/")[0]
        sliced = ([f"{name}:{outer}"] if outer else []) + ([name] if slice_name else [])
        contents = (_part(e, f"{parent_id}.{s}") for s in sliced for e in (self.base, self.outline.elements))
        return next((c for c in contents if len(c) > 1), ())

    def _profiled(self, types: Sequence[JsonObject]) -> Sequence[JsonObject]:
        """Returns the snapshot of the one profile on the one type; nothing when it is not known or has none itself."""
        profiles = profiles_of(types[0]) if len(types) == 1 else []
        if len(profiles) != 1:
            return ()
        url, is_part, id_ = profiles[0].partition("|")[0].partition("#")
        try:
            found = self.snapshots.of_url(url)
        except SnapshotError:
            return ()
        return _part(found, id_) if is_part else found


def _renamed(elements: Sequence[JsonObject], type_: str) -> Sequence[JsonObject]:
    """Returns the elements of a base as those of another type: a type starts from what it specializes."""
    root = elements[0]
    return elements if root["id"] == type_ else moved(elements, root, {"id": type_, "path": type_})


def _unknown(id_: str, reason: str) -> UnknownElement:
    return UnknownElement(f"{_DIFFERENTIAL}.element ({id_})", f"the base has no such element; {reason}")


def _of_types(element: JsonObject, types: Sequence[JsonObject]) -> JsonObject:
    """Returns a choice of these types alone, or of these too when a short name before has closed it already."""
    slicing = element.get("slicing", _BY_TYPE)
    have = element["type"] if slicing["rules"] == "closed" else ()
    return element | {"type": [*have, *(t for t in types if t not in have)], "slicing": slicing | {"rules": "closed"}}


def _sliced(element: JsonObject, slice_name: str, change: JsonObject) -> JsonObject:
    """Returns the element with a slicing, where R4 says what it is without being told."""
    name = element["path"].rpartition(".")[2]
    if "slicing" in element:
        return element
    if name in ("extension", "modifierExtension"):
        return element | {"slicing": _BY_URL}
    types, fewer = element.get("type", ()), change.get("type", ())
    is_by_type = name.endswith("[x]") and (0 < len(fewer) < len(types) or _named_type(types, name, slice_name))
    return element | {"slicing": _BY_TYPE} if is_by_type else element


def _named_type(types: Sequence[JsonObject], choice: str, name: str) -> Sequence[JsonObject]:
    """Returns the types of `value[x]` that the name `valueQuantity` means."""
    stem = choice.removesuffix("[x]")
    return [t for t in types if name.startswith(stem) and name[len(stem) :].lower() == t["code"].lower()]


def _slice_of(template: JsonObject, sliced_id: str, slice_name: str) -> JsonObject:
    plain = {k: v for k, v in template.items() if k != "slicing"}
    choice = template["path"].rpartition(".")[2]
    types = _named_type(template.get("type", ()), choice, slice_name) if choice.endswith("[x]") else ()
    narrowed = {"type": types} if types else {}
    return plain | {"id": f"{sliced_id}:{slice_name}", "sliceName": slice_name, "min": 0} | narrowed


def _part(elements: Sequence[JsonObject], id_: str) -> Sequence[JsonObject]:
    """Returns an element and everything below it; nothing when there is none."""
    return [e for e in elements if e["id"] == id_ or e["id"].startswith(id_ + ".")]
