"""What writes may do beyond a single resource, https://hl7.org/fhir/R4/http.html#delete."""

from dataclasses import dataclass
from typing import Literal

ConditionalDelete = Literal["single", "multiple"]


@dataclass(frozen=True, slots=True)
class WritePolicy:
    """The choices that R4 leaves to a server.

    `referential_integrity`: a reference to a resource of this server must lead to one, and what is referred to is not
    deleted. `conditional_delete`: whether a search may delete several resources. `cascade_delete`: whether `_cascade=delete`
    deletes what refers to a resource along with it. `most_deleted` is how many one request may delete.
    """

    referential_integrity: bool = True
    conditional_delete: ConditionalDelete = "single"
    cascade_delete: bool = False
    most_deleted: int = 1000
