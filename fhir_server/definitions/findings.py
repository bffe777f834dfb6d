"""What is wrong with a definition, said with its file and place; nothing starts on a broken one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fhir_server.errors import FhirError, Issue, Severity, has_errors, issue


class DefinitionError(FhirError):
    """The server does not start: its issues name the file and the place of everything that is wrong."""

    public: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Findings:
    """Collects what is wrong until everything has been read."""

    issues: list[Issue] = field(default_factory=list)

    def add(self, key: str, file: str, path: str, **params: Any) -> None:
        """Files one finding about `path` (FHIRPath, or a member of a TOML file) in `file`."""
        self.issues.append(issue(key, path, file=file, place=path, **params))

    def note(self, key: str, file: str, path: str, **params: Any) -> None:
        """Files something that stops nothing and that the operator should know: it goes on without that."""
        self.issues.append(issue(key, path, severity=Severity.WARNING, file=file, place=path, **params))

    def note_once(self, key: str, file: str, path: str, **params: Any) -> None:
        """Files a note unless the very same stands there already: what is built anew is found wrong anew."""
        told = len(self.issues)
        self.note(key, file, path, **params)
        if self.issues[-1] in self.issues[:told]:
            self.issues.pop()

    def stop_if_any(self) -> None:
        """Ends the loading when anything is wrong; notes stop nothing.

        Raises:
            DefinitionError: with every finding, in the order of the files.
        """
        if has_errors(self.issues):
            raise DefinitionError(*self.issues)


def listed(names: Iterable[str]) -> str:
    """Returns names as a sentence shows them: sorted, with commas."""
    ordered: Sequence[str] = sorted(names)
    return ", ".join(ordered) or "-"
