"""How FHIRPath fails: at compile time with a position, at run time with a reason, http://hl7.org/fhirpath/N1."""

from collections.abc import Mapping
from typing import Any

from fhir_server.errors import Issue, Language, Severity, catalogue
from fhir_server.fhirpath.phrases import closed_up, in_chinese


class FhirPathError(ValueError):
    """The expression cannot be compiled.

    `position` is the offset of the offending character, 0-based; `key` names the sentence in the issue catalogue.
    """

    def __init__(self, key: str, position: int, **params: Any) -> None:
        self.key = key
        self.position = position
        self.params = {**params, "at": position + 1}
        super().__init__(self.text())

    def text(self, language: Language = "en") -> str:
        """Returns the sentence in the given language."""
        return self.issue().text(language)

    def issue(self, path: str = "") -> Issue:
        """Returns the finding, located at `path` (the element or file that holds the expression)."""
        return _issue(self.key, path, self.params)


class EvaluationError(Exception):
    """The expression compiled and cannot be evaluated on this input; `key` names the sentence in the catalogue.

    `position` is the 0-based offset of the operation that failed, or None where the fast engine does not know it.
    """

    def __init__(self, key: str, **params: Any) -> None:
        self.key = key
        self.position: int | None = None
        self.params = params
        super().__init__(self.issue().text())

    def issue(self, path: str = "") -> Issue:
        """Returns the finding, located at `path`."""
        return _issue(self.key, path, self.params)


def _issue(key: str, path: str, params: Mapping[str, Any]) -> Issue:
    """The finding with a Chinese sentence of its own, in which the phrases among the parameters are Chinese, too."""
    chinese = closed_up(Issue(Severity.ERROR, catalogue()[key].code, key, path, in_chinese(params)).text("zh"))
    return Issue(Severity.ERROR, catalogue()[key].code, key, path, {**params, "zh": chinese})


def not_single(what: str, count: int) -> EvaluationError:
    """Builds the error of an operation that takes one item and was given `count`."""
    return EvaluationError("fhirpath.not-single", what=what, count=count)


def wrong_type(what: str, expected: str, found: str) -> EvaluationError:
    """Builds the error of an operation that was given a value of another type."""
    return EvaluationError("fhirpath.wrong-type", what=what, expected=expected, found=found)


def too_costly(what: str, limit: int, unit: str) -> EvaluationError:
    """Builds the error of an evaluation that outgrew a limit."""
    return EvaluationError("fhirpath.too-costly", what=what, limit=limit, unit=unit)
