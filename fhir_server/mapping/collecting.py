"""Resources that a whole run gathers: one household Group out of the rows of its members. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.plan import Plan


@dataclass(frozen=True, slots=True)
class Collection:
    """The collected resources of a run by id, in the order in which they first came."""

    plan: Plan
    found: dict[str, JsonObject] = field(default_factory=dict)

    def add(self, name: str, resource: JsonObject) -> None:
        """Adds what one record knows of a resource: new items of its collected arrays, and elements it did not have."""
        known = self.found.get(resource["id"])
        if known is None:
            self.found[resource["id"]] = resource
            return
        for key, value in resource.items():
            if key in self._arrays()[name]:
                items = known.setdefault(key, [])
                items.extend(item for item in value if item not in items)
            else:
                known.setdefault(key, value)

    def chunks(self, size: int) -> Iterator[list[JsonObject]]:
        """Yields the resources in lists of at most `size`."""
        resources = list(self.found.values())
        for start in range(0, len(resources), size):
            yield resources[start : start + size]

    def _arrays(self) -> Mapping[str, tuple[str, ...]]:
        return {resource.name: resource.collect for resource in self.plan.resources}
