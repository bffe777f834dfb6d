"""A resource's JSON while it is patched: places in it, and changes that keep a primitive and its `_x` object together.

https://hl7.org/fhir/R4/json.html#primitive
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.patch_values import Value

Place: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the root; a primitive's is that of its value, whether it has one or only extensions."""


class Document:
    """One resource under change."""

    def __init__(self, root: JsonObject) -> None:
        self.root = root

    def shadow(self) -> tuple[JsonObject, Mapping[int, Place]]:
        """Returns a copy to evaluate paths on, and the places of its objects by identity.

        Every primitive of the copy has an `_x` object of its own, so that it can be told from an equal one elsewhere.
        """
        places: dict[int, Place] = {}
        return _shadow(self.root, (), places), places

    def find(self, place: Place) -> Any:
        """Returns what is at a place, or None."""
        value: Any = self.root
        for step in place:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def has(self, place: Place) -> bool:
        """Tells whether there is a value, or extensions in the place of one."""
        return self.find(place) is not None or self.find(_beside(place)) is not None

    def length(self, place: Place) -> int:
        """Returns how many items the list at a place has; none where there is no list."""
        return max(len(self.find(place) or ()), len(self.find(_beside(place)) or ()))

    def container(self, place: Place) -> Place:
        """Returns the place of the object that holds an element's members: of a primitive, its `_x` object."""
        value = self.find(place)
        if value is None or not isinstance(value, dict):
            return _beside(place) if place else place
        return place

    def set(self, place: Place, value: Value) -> None:
        """Puts a value at a place, instead of what is there."""
        _assign(self._made(place[:-1]), place[-1], value.plain)
        beside = _beside(place)
        if value.sibling is not None or self.find(beside) is not None:
            _assign(self._made(beside[:-1]), beside[-1], value.sibling)

    def insert(self, place: Place, index: int, value: Value) -> None:
        """Puts a value into the list at a place, before the item of that index."""
        length = self.length(place)
        for at, item in ((place, value.plain), (_beside(place), value.sibling)):
            listed = self.find(at)
            if item is not None or listed is not None:
                padded = [*(listed or []), *[None] * (length - len(listed or []))]
                padded.insert(index, item)
                _assign(self._made(at[:-1]), at[-1], padded)

    def move(self, place: Place, source: int, destination: int) -> None:
        """Moves an item of the list at a place to another index."""
        for at in (place, _beside(place)):
            listed = self.find(at)
            if listed is not None:
                padded = [*listed, *[None] * (self.length(place) - len(listed))]
                padded.insert(destination, padded.pop(source))
                _assign(self._made(at[:-1]), at[-1], padded)

    def rename(self, place: Place, key: str) -> None:
        """Gives the property at a place another key."""
        holder = self.find(place[:-1])
        for prefix in ("", "_"):
            if f"{prefix}{place[-1]}" in holder:
                holder[f"{prefix}{key}"] = holder.pop(f"{prefix}{place[-1]}")

    def remove(self, place: Place) -> None:
        """Takes away what is at a place, and every element around it that this leaves without content."""
        for at in (place, _beside(place)):
            holder = self.find(at[:-1])
            if isinstance(holder, list) and isinstance(at[-1], int) and at[-1] < len(holder):
                del holder[at[-1]]
            elif isinstance(holder, dict):
                holder.pop(at[-1], None)
            self._clear(at[:-1])

    def _clear(self, place: Place) -> None:
        while place:
            value, holder = self.find(place), self.find(place[:-1])
            if value is None or (value and any(item is not None for item in _items(value))):
                return
            if isinstance(holder, dict):
                holder.pop(place[-1], None)
            else:
                del holder[place[-1]]
            place = place[:-1]

    def _made(self, place: Place) -> Any:
        """Returns the object or list at a place, making what is missing on the way."""
        value: Any = self.root
        for step, following in zip(place, (*place[1:], ""), strict=False):
            fresh: Any = [] if isinstance(following, int) else {}
            if isinstance(value, list):
                value.extend([None] * (int(step) + 1 - len(value)))
                value[int(step)] = fresh if value[int(step)] is None else value[int(step)]
                value = value[int(step)]
            else:
                value = value.setdefault(step, fresh)
        return value


def _beside(place: Place) -> Place:
    """Returns the place of the `_x` object of a primitive."""
    at = len(place) - (2 if isinstance(place[-1], int) else 1)
    return (*place[:at], f"_{place[at]}", *place[at + 1 :])


def _assign(holder: Any, key: str | int, value: Any) -> None:
    if isinstance(holder, list):
        holder.extend([None] * (int(key) + 1 - len(holder)))
        holder[int(key)] = value
    elif value is None:
        holder.pop(key, None)
    else:
        holder[key] = value


def _items(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else [value]


def _shadow(value: JsonObject, place: Place, places: dict[int, Place]) -> JsonObject:
    copy: JsonObject = {}
    places[id(copy)] = place
    for key in dict.fromkeys(name.removeprefix("_") for name in value):
        if key == "resourceType":
            copy[key] = value[key]
            continue
        child, beside = value.get(key), value.get(f"_{key}")
        if isinstance(child, list) or isinstance(beside, list):
            _shadow_list(copy, key, (child or [], beside or []), place, places)
        elif isinstance(child, dict):
            copy[key] = _shadow(child, (*place, key), places)
        else:
            copy.update({} if child is None else {key: child})
            copy[f"_{key}"] = _shadow_beside(beside, (*place, key), places)
    return copy


def _shadow_list(
    copy: JsonObject, key: str, lists: tuple[list[Any], list[Any]], place: Place, places: dict[int, Place]
) -> None:
    child, beside = lists
    length = max(len(child), len(beside))
    items = [*child, *[None] * (length - len(child))]
    others = [*beside, *[None] * (length - len(beside))]
    copy[key] = [
        _shadow(item, (*place, key, index), places) if isinstance(item, dict) else item
        for index, item in enumerate(items)
    ]
    if not any(isinstance(item, dict) for item in items):
        copy[f"_{key}"] = [_shadow_beside(one, (*place, key, index), places) for index, one in enumerate(others)]


def _shadow_beside(beside: Any, place: Place, places: dict[int, Place]) -> JsonObject:
    copy = _shadow(beside if isinstance(beside, dict) else {}, _beside(place), places)
    places[id(copy)] = place
    return copy
