"""Findings on their way up, and the issues they become, https://hl7.org/fhir/R4/operationoutcome.html.

A rule knows no path. It answers None or a list of `Finding`s; whoever called it adds the segment below which it looked,
so that a valid resource never pays for locations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fhir_server.errors import Issue, Severity, issue

Segment: TypeAlias = str | int
"""A step of a path: a property as FHIRPath writes it (`name`, `value.ofType(Quantity)`), or an index."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: a catalogue key or the key of an invariant, and the way there, innermost segment first."""

    key: str
    params: dict[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    path: list[Segment] = field(default_factory=list)
    code: str = ""

    def as_issue(self, root: str) -> Issue:
        """Returns the issue, located by a FHIRPath expression that starts at `root`.

        Raises:
            KeyError: the catalogue has no such key, and the finding brings no code of its own.
        """
        place = root + "".join(map(_step, reversed(self.path)))
        if self.code:
            return Issue(self.severity, self.code, self.key, place, self.params)
        return issue(self.key, place, severity=self.severity, **self.params)


Findings: TypeAlias = list[Finding]


def found(key: str, **params: Any) -> Findings:
    """Returns one finding of severity error, as a list."""
    return [Finding(key, params)]


def warned(key: str, **params: Any) -> Findings:
    """Returns one finding of severity warning, as a list."""
    return [Finding(key, params, Severity.WARNING)]


def joined(first: Findings | None, second: Findings | None) -> Findings | None:
    """Returns both lists as one; either may be None."""
    if not first:
        return second
    return first + second if second else first


def at(findings: Findings, *segments: Segment) -> Findings:
    """Puts the findings below the segments (innermost first) and returns them."""
    for finding in findings:
        finding.path.extend(segments)
    return findings


def has_error(findings: Findings | None) -> bool:
    """Tells whether any finding is an error."""
    return any(f.severity is Severity.ERROR for f in findings or ())


def issues_of(findings: Iterable[Finding], root: str) -> list[Issue]:
    """Returns the issues in the order found, each once however many profiles repeat its rule."""
    unique: dict[tuple[str, str, str, str], Issue] = {}
    for finding in findings:
        made = finding.as_issue(root)
        unique.setdefault((made.key, made.path, made.severity, _sentence(made)), made)
    return list(unique.values())


def listing(values: Iterable[str]) -> str:
    """Returns the values sorted and joined with a comma, for a sentence."""
    return ", ".join(sorted(values))


def shown(value: Any, length: int = 80) -> str:
    """Returns a value as a sentence quotes it, cut after `length` characters."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= length else text[:length] + "..."


def _step(segment: Segment) -> str:
    return f"[{segment}]" if isinstance(segment, int) else f".{segment}"


def _sentence(made: Issue) -> str:
    # The same rule in two profiles is one finding; `profile` alone does not tell two findings apart.
    return repr(sorted((k, str(v)) for k, v in made.params.items() if k != "profile"))
