"""What a validation run is strict about, and what it may ask of the world outside the resource.

The defaults are a server's. See https://hl7.org/fhir/R4/validation.html.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from fhir_server.errors import Severity
from fhir_server.fhir.shapes import JsonObject

Resolve: TypeAlias = Callable[[str], JsonObject | None]
"""Finds the resource that a reference outside the resource and its Bundle names; None when it is not there."""


class References(Enum):
    """What is asked of a reference whose target lies outside the resource and its Bundle."""

    IGNORE = "ignore"
    EXISTS = "exists"
    """The target exists."""
    TYPE_IF_FOUND = "type-if-found"
    """The target, if it exists, is of a type that is allowed."""
    TYPE = "type"
    """The target exists and is of a type that is allowed."""
    VALID = "valid"
    """The target exists and meets one of the target profiles."""

    @property
    def asks_existence(self) -> bool:
        """Whether a target that is not found is an error."""
        return self in (References.EXISTS, References.TYPE, References.VALID)

    @property
    def asks_type(self) -> bool:
        """Whether the target's type has to be an allowed one."""
        return self not in (References.IGNORE, References.EXISTS)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a validation run is strict about.

    `best_practice` is the severity of invariants that R4 marks as advice (None: not run). `unknown_extension` is the
    severity of an extension without a definition, but for URLs below `extension_domains`. `type_from_url` takes the type
    of a reference's target from its URL when the target itself is not at hand. `examples` accepts references and URLs of
    example.org. `languages` are those in which displays are accepted. `strict` makes errors of what the official validator
    refuses and R4's text does not forbid, or forbids by a later correction only.
    """

    best_practice: Severity | None = None
    unknown_extension: Severity = Severity.WARNING
    extension_domains: tuple[str, ...] = ()
    type_from_url: bool = True
    references: References = References.IGNORE
    check_contained: bool = True
    examples: bool = True
    html_in_markdown: bool = True
    security_checks: bool = False
    languages: tuple[str, ...] = ("en", "zh")
    strict: bool = False


SERVER = Policy()
"""What a write has to meet."""
STRICT = Policy(strict=True)
"""What a resource has to meet that somebody asks about."""


def nowhere(_reference: str) -> JsonObject | None:
    """Finds nothing: the answer where there is no outside."""
    return None
