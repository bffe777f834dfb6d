"""Telling at once that a value is surely valid: Python source made of what each check contributes.

A check may be described by the lines that leave with False unless it would find nothing. Whatever is not described is
called. What is not surely valid is left to the checks themselves: they alone say what is wrong.
See docs/decisions/0009-validator-fast-path.md and https://hl7.org/fhir/R4/validation.html.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from fhir_server.fhirpath import EvaluationError
from fhir_server.validation.report import Findings
from fhir_server.validation.site import Check, Scope

Sure: TypeAlias = Callable[[Any, Scope], bool]
"""True only where a check finds nothing; may raise one of `DOUBTFUL` as well as `TooDeep`."""
DOUBTFUL = (EvaluationError, RecursionError, TypeError, AttributeError)
"""What a quick look may raise on JSON of another shape than R4's, or where an invariant cannot be evaluated."""

SMALL = 14
"""Lines of source up to which a check is written where it is used; a longer one becomes a function of its own."""
LARGE = 4000
"""Lines of source beyond which nothing is generated."""


class Source:
    """The body of a function of `v` (a JSON value) and `s` (its scope) that is being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self.has_table = False
        self._indent = 1

    def line(self, text: str) -> None:
        """Writes one line at the current depth."""
        self.lines.append(" " * self._indent + text)

    def refuse_if(self, condition: str) -> None:
        """Writes that a value is not surely valid where the condition holds."""
        self.line(f"if {condition}: return False")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Writes a head line; what is written inside stands below it."""
        self.line(head)
        self._indent += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self._indent -= 1

    def variable(self, letter: str) -> str:
        """Returns the name of a variable of this depth; deeper blocks have others."""
        return f"{letter}{self._indent}"

    def constant(self, value: Any) -> str:
        """Returns the name by which the source knows an object, the same for the same one."""
        name = self._names.setdefault(id(value), f"c{len(self._names)}")
        self.constants[name] = value
        return name

    def table(self, checks: Mapping[str, Check]) -> str:
        """Returns the name of a function that finds the quick form of the check with a name, or None.

        Each is made when it is first asked: few resources have every property.
        """
        self.has_table = True
        forms: dict[str, Sure] = {}
        for name, check in checks.items():
            forms[name] = _later(name, check, forms)
        return self.constant(forms.get)

    def has_none_of(self, keys: frozenset[str], value: str) -> str:
        """Returns Python that is true where the object in a variable has none of these properties."""
        if len(keys) > 2:
            return f"{self.constant(keys)}.isdisjoint({value})"
        return " and ".join(f"{key!r} not in {value}" for key in sorted(keys, reverse=True))

    def apart(self, check: Check, value: str) -> tuple[str, ...]:
        """Returns the lines that a check would write here, one level down, without writing them."""
        kept, self.lines = self.lines, []
        self._indent += 1
        self.check(check, value)
        lines, self.lines = self.lines, kept
        self._indent -= 1
        return tuple(lines)

    def check(self, check: Check, value: str) -> None:
        """Writes the quick form of a check of the value that a variable holds."""
        if _is_apart(check):
            self.refuse_if(f"not {self.constant(sure_of(check))}({value}, s)")
        else:
            self.check_itself(check, value)

    def check_itself(self, check: Check, value: str = "v") -> None:
        """Writes the quick form of a check, however long it is; a call of the check where it has none."""
        emit = getattr(check, _EMIT, None)
        if emit is None:
            self.refuse_if(f"{self.constant(check)}({value}, s) is not None")
        else:
            emit(self, value)


Emit: TypeAlias = Callable[[Source, str], None]
"""Writes the lines that return False unless the value in a variable is surely valid."""

_EMIT, _APART, _SIZE, _SURE = "emit", "apart", "size", "sure"
"""Attributes of a check: what writes its quick form, whether that may be a function of its own, its lines, the function."""


def described(check: Check, emit: Emit) -> Check:
    """Returns the check, now with a quick form that is written wherever the check is used."""
    setattr(check, _EMIT, emit)
    return check


def described_apart(check: Check, emit: Emit) -> Check:
    """Returns the check, now with a quick form that is a function of its own unless it is short, made when first used."""
    setattr(check, _APART, True)
    return described(check, emit)


def unsure(check: Check) -> Check:
    """Returns the check, which is left to itself: no quick look at it, nor at what it is part of."""
    return described(check, refuse)


def refuse(source: Source, _: str) -> None:
    """Writes that nothing is surely valid."""
    source.line("return False")


def sure_of(check: Check) -> Sure:
    """Returns the quick form of a check as a function."""
    known: Sure | None = getattr(check, _SURE, None)
    if known is None:
        known = _compiled(check)
        setattr(check, _SURE, known)
    return known


def _later(name: str, check: Check, forms: dict[str, Sure]) -> Sure:
    def sure(value: Any, scope: Scope) -> bool:
        forms[name] = sure_of(check)
        return forms[name](value, scope)

    return sure


def _is_apart(check: Check) -> bool:
    if not hasattr(check, _APART):
        return False
    if not hasattr(check, _SIZE):
        sample = Source()
        getattr(check, _EMIT)(sample, "v")
        setattr(check, _SIZE, LARGE if sample.has_table else len(sample.lines))
    return int(getattr(check, _SIZE)) > SMALL


def _compiled(check: Check) -> Sure:
    source = Source()
    try:
        source.check_itself(check)
        if len(source.lines) > LARGE:
            return _never
        text = "\n".join(["def sure(v, s):", *source.lines, " return True"])
        namespace: dict[str, Any] = dict(source.constants)
        exec(compile(text, "<sure>", "exec"), namespace)  # noqa: S102 -- every name and text in it went through repr()
    except (SyntaxError, RecursionError, MemoryError):  # nested deeper than Python's compiler follows
        return _never
    made: Sure = namespace["sure"]
    return made


def _never(_value: Any, _scope: Scope) -> bool:
    return False


def quickened(check: Check) -> Check:
    """Returns the same check, which accepts at once what is surely valid."""
    sure: Sure | None = None

    def check_doubtful(value: Any, scope: Scope) -> Findings | None:
        nonlocal sure
        if sure is None:
            sure = sure_of(check)
        try:
            if sure(value, scope):
                return None
        except DOUBTFUL:  # the check itself knows what to make of it
            return check(value, scope)
        return check(value, scope)

    return described(check_doubtful, lambda source, value: source.check(check, value))


def as_is(check: Check) -> Check:
    """Returns the check: what stands for `quickened` where every check is to run."""
    return check
