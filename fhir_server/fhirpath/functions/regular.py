"""Regular expressions: matches(), matchesFull(), replaceMatches(), http://hl7.org/fhirpath/N1/#matchesregex--string--boolean.

Trusted expressions run on `re`. Those of strangers run on `regex`, which speaks the same dialect and stops at a deadline:
a pattern such as `(a+)+$` takes longer than anybody lives. A linear engine (RE2) has no look-ahead, which profiles use.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import regex

from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.errors import EvaluationError, too_costly, wrong_type
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.limits import Budget
from fhir_server.fhirpath.nodes import Collection, literal
from fhir_server.fhirpath.operators import MAX_TEXT, boolean
from fhir_server.fhirpath.singletons import text_of

MAX_PATTERN = 2_000
"""Characters of a regular expression."""

_NAMED_GROUP = re.compile(r"(?<!\\)\(\?<(?![=!])")
_KNOWN = re.IGNORECASE | re.MULTILINE | re.DOTALL
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE}


@lru_cache(512)
def pattern(text: str, flags: str = "") -> re.Pattern[str]:
    """Returns the compiled regular expression; the dot matches line ends too; `flags` are of `i` and `m`.

    Raises:
        EvaluationError: not a regular expression, longer than `MAX_PATTERN`, or an unknown flag.
    """
    if len(text) > MAX_PATTERN:
        raise too_costly("a regular expression", MAX_PATTERN, "characters")
    try:
        return re.compile(_NAMED_GROUP.sub("(?P<", text), _flags_of(flags))
    except (re.error, OverflowError) as error:
        raise EvaluationError("fhirpath.pattern", pattern=repr(text), reason=str(error)) from None


def _flags_of(flags: str) -> re.RegexFlag:
    found = re.DOTALL
    for flag in flags:
        if flag not in _FLAGS:
            raise wrong_type("a regular expression", "flags of i and m", repr(flag))
        found |= _FLAGS[flag]
    return found


def _within(budget: Budget, text: str, flags: str, run: Callable[[Any], Any]) -> Any:
    """Runs `run(pattern)` of a stranger's pattern; what `re` refuses is refused here as well."""
    checked = pattern(text, flags)
    try:
        return run(regex.compile(checked.pattern, checked.flags & _KNOWN, cache_pattern=False))
    except TimeoutError:
        raise budget.overrun() from None
    except (regex.error, OverflowError) as error:
        raise EvaluationError("fhirpath.pattern", pattern=repr(text), reason=str(error)) from None


def _matching(name: str, method: str) -> Function:
    def call(scope: Scope, focus: Collection, expression: Collection, flags: Collection | None = None) -> Collection:
        text, wanted = text_of(focus, name), text_of(expression, name)
        if text is None or wanted is None:
            return []
        chosen = (text_of(flags, name) if flags else None) or ""
        budget = scope.environment.budget
        if budget is None:
            return boolean(getattr(pattern(wanted, chosen), method)(text) is not None)
        timeout = budget.remaining_s()
        found = _within(budget, wanted, chosen, lambda p: getattr(p, method)(text, timeout=timeout))
        return boolean(found is not None)

    return Function(call, 1, 2)


def replacement(text: str) -> str:
    r"""Returns a replacement in Python's syntax: `$1` and `${name}` become `\g<1>` and `\g<name>`."""
    return re.sub(r"\$(?:(\d+)|\{(\w+)\})", lambda m: rf"\g<{m[1] or m[2]}>", text.replace("\\", "\\\\"))


def _check_size(matches: Iterable[Any], by: str) -> None:
    """Accepts replacements that together are no longer than a text may be, before they are built."""
    references, size = by.count("$"), 0
    for match in matches:
        longest = max(len(part or "") for part in (match[0], *match.groups())) if references else 0
        size += len(by) + references * longest
        if size > MAX_TEXT:
            raise too_costly("a text", MAX_TEXT, "characters")


def replace_matches(text: str, expression: str, by: str, flags: str = "", budget: Budget | None = None) -> str:
    r"""Returns the text with every match of a regular expression replaced; `$1` and `${name}` are groups.

    Raises:
        EvaluationError: not a regular expression, a group that it does not have, too long a result, or too late.
    """
    if not expression:
        return text
    try:
        if budget is None:
            _check_size(pattern(expression, flags).finditer(text), by)
            return pattern(expression, flags).sub(replacement(by), text)
        return str(_within(budget, expression, flags, lambda p: _replaced_in_time(p, text, by, budget)))
    except (re.error, IndexError) as error:
        raise EvaluationError("fhirpath.pattern", pattern=repr(by), reason=str(error)) from None


def _replaced_in_time(compiled: Any, text: str, by: str, budget: Budget) -> str:
    _check_size(compiled.finditer(text, timeout=budget.remaining_s()), by)
    return str(compiled.sub(replacement(by), text, timeout=budget.remaining_s()))


def _replace_matches(
    scope: Scope, focus: Collection, expression: Collection, by: Collection, flags: Collection | None = None
) -> Collection:
    name = "replaceMatches()"
    text, wanted, substitute = text_of(focus, name), text_of(expression, name), text_of(by, name)
    if text is None or wanted is None or substitute is None:
        return []
    chosen = (text_of(flags, name) if flags else None) or ""
    return [literal(replace_matches(text, wanted, substitute, chosen, scope.environment.budget))]


FUNCTIONS = {
    "matches": _matching("matches()", "search"),
    "matchesFull": _matching("matchesFull()", "fullmatch"),
    "replaceMatches": Function(_replace_matches, 2, 3),
}
