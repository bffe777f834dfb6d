"""Telling at once that a value is surely valid: Python source made of what each check contributes.

A check may be described by the lines that leave with False unless it would find nothing. Whatever is not described is
called. What is not surely valid is left to the checks themselves: they alone say what is wrong.
Objects that come often with the same properties in the same order get a function of their own, see `by_shape`.
See docs/decisions/0009-validator-fast-path.md and https://hl7.org/fhir/R4/validation.html.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from fhir_server.fhirpath import EvaluationError
from fhir_server.fhirpath.transpiler.elements import MALFORMED
from fhir_server.validation.report import Findings
from fhir_server.validation.site import Check, Scope

Sure: TypeAlias = Callable[[Any, Scope], bool]
"""True only where a check finds nothing; may raise one of `DOUBTFUL` as well as `TooDeep`."""
DOUBTFUL = (EvaluationError, RecursionError, *MALFORMED)
"""What a quick look may raise on JSON of another shape than R4's, or where an invariant cannot be evaluated."""

LARGE = 4000
"""Lines of source beyond which nothing is generated."""
OFTEN = 4
"""Objects of one shape that make it worth a function: making it costs as much as looking at some dozens of objects."""
MOST_SHAPES, MOST_COUNTED = 256, 1024
"""Shapes of one type that get a function, and shapes that are counted at a time: what clients invent is bounded so."""


class Source:
    """The body of a function of `v` (a JSON value) and `s` (its scope) that is being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._members: dict[str, dict[str, str]] = {}
        self._settled: set[int] = set()
        self._indent = 1

    def line(self, text: str) -> None:
        """Writes one line at the current depth."""
        self.lines.append(" " * self._indent + text)

    def refuse_if(self, condition: str) -> None:
        """Writes that a value is not surely valid where the condition holds."""
        if condition != NEVER:
            self.line(f"if {condition}: return False")

    def settle(self, check: Check) -> None:
        """Notes that a check has been written already."""
        self._settled.add(id(check))

    def unpack(self, value: str, keys: Collection[str]) -> None:
        """Writes that each property of an object becomes a variable; from here on its properties are known to be these."""
        names = self._members[value] = {key: f"p{number}" for number, key in enumerate(keys)}
        if names:
            self.line(f"{', '.join(names.values())}, = {value}.values()")

    def known_keys(self, value: str) -> Collection[str] | None:
        """Returns the properties of an object where they are known while the source is written, else None."""
        names = self._members.get(value)
        return None if names is None else names.keys()

    def member(self, value: str, key: str) -> str:
        """Returns Python for the value of a property, None without it."""
        names = self._members.get(value)
        return f"{value}.get({key!r})" if names is None else names.get(key, "None")

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
        forms: dict[str, Sure] = {}
        for name, check in checks.items():
            forms[name] = _later(name, check, forms)
        return self.constant(forms.get)

    def has_none_of(self, keys: frozenset[str], value: str) -> str:
        """Returns Python that is true where the object in a variable has none of these properties."""
        known = self.known_keys(value)
        if known is not None:
            return ALWAYS if keys.isdisjoint(known) else NEVER
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
        """Writes the quick form of a check of the value that a variable holds; of an object, the look for its form."""
        if not hasattr(check, _APART) or value in self._members:
            self.check_itself(check, value)
            return
        find, unseen = _forms_of(check)
        self.refuse_if(f"not {self.constant(find)}(tuple({value}), {self.constant(unseen)})({value}, s)")

    def check_itself(self, check: Check, value: str = "v") -> None:
        """Writes the quick form of a check, however long it is; a call of the check where it has none."""
        emit = getattr(check, _EMIT, None)
        if id(check) in self._settled:
            return
        if emit is None:
            self.refuse_if(f"{self.constant(check)}({value}, s) is not None")
        else:
            emit(self, value)


Emit: TypeAlias = Callable[[Source, str], None]
"""Writes the lines that return False unless the value in a variable is surely valid."""

BUNDLE, POLICY = (f"s[{Scope._fields.index(name)}]" for name in ("bundle", "policy"))
"""Python for parts of the scope: an index is three times as fast as a name."""
NEVER, ALWAYS = "False", "True"
"""Conditions that are decided while the source is written."""
_EMIT, _APART, _FORMS, _SURE, _SETTLING = "emit", "apart", "forms", "sure", "settling"
"""Attributes of a check: what writes its quick form, whether it is one of objects, its forms by shape, its general form,
and what it settles."""


def described(check: Check, emit: Emit) -> Check:
    """Returns the check, now with a quick form that is written wherever the check is used."""
    setattr(check, _EMIT, emit)
    return check


def described_apart(check: Check, emit: Emit) -> Check:
    """Returns the check of objects, now with a quick form that is a function of its own for each shape that comes often."""
    setattr(check, _APART, True)
    return described(check, emit)


def unsure(check: Check) -> Check:
    """Returns the check, which is left to itself: no quick look at it, nor at what it is part of."""
    return described(check, refuse)


class Settling(NamedTuple):
    """Python that is true only where a check finds nothing and these properties of the object are valid themselves."""

    keys: frozenset[str]
    condition: Callable[[Source, str], str]


def settling(check: Check, settled: Settling) -> Check:
    """Returns the check, which of objects whose properties are known tells at once more than itself."""
    setattr(check, _SETTLING, settled)
    return check


def settling_of(check: Check, known: Collection[str]) -> Settling | None:
    """Returns what a check settles of an object that has these properties, some of them among its own."""
    settled: Settling | None = getattr(check, _SETTLING, None)
    return None if settled is None or settled.keys.isdisjoint(known) else settled


def has_quick_form(check: Check) -> bool:
    """Tells whether a check has a quick form that may accept something."""
    return getattr(check, _EMIT, refuse) is not refuse


def refuse(source: Source, _: str) -> None:
    """Writes that nothing is surely valid."""
    source.line("return False")


def sure_of(check: Check) -> Sure:
    """Returns the quick form of a check as a function."""
    known: Sure | None = getattr(check, _SURE, None)
    if known is None:
        known = sure_of_shape(check)
        setattr(check, _SURE, known)
    return known


def _later(name: str, check: Check, forms: dict[str, Sure]) -> Sure:
    def sure(value: Any, scope: Scope) -> bool:
        forms[name] = sure_of(check)
        return forms[name](value, scope)

    return sure


Find: TypeAlias = Callable[[Any, Sure], Sure]
"""`dict.get`: the form of a shape, or else the second argument."""


def by_shape(
    shape_of: Callable[[Any], tuple[str, ...]], general: Sure, make: Callable[[Any], Sure | None]
) -> tuple[Find, Sure]:
    """Returns what finds the form of a shape, and the form of all objects whose shape has none.

    The latter counts the shapes; of those that come often, `make` makes a form, or None where there is to be none.
    """
    forms: dict[Any, Sure] = {}
    counts: dict[Any, int] = {}

    def unseen(value: Any, scope: Scope) -> bool:
        if type(value) is dict and len(forms) < MOST_SHAPES:
            shape = shape_of(value)
            counts[shape] = counts.get(shape, 0) + 1
            if counts[shape] >= OFTEN:
                form = make(shape)
                if form is not None:
                    forms[shape] = form
                    return form(value, scope)
            if len(counts) > MOST_COUNTED:
                counts.clear()
        return general(value, scope)

    return forms.get, unseen


def _forms_of(check: Check) -> tuple[Find, Sure]:
    """Returns the forms of a check of objects by the names of their properties."""
    known: tuple[Find, Sure] | None = getattr(check, _FORMS, None)
    if known is None:

        def general(value: Any, scope: Scope) -> bool:
            return sure_of(check)(value, scope)  # made when it is first needed: types may contain themselves

        known = by_shape(tuple, general, lambda keys: sure_of_shape(check, keys))
        setattr(check, _FORMS, known)
    return known


def sure_of_shape(check: Check, keys: Collection[str] | None = None) -> Sure:
    """Returns the quick form of a check for objects that have just these properties in this order; None: for any."""
    source = Source()
    try:
        if keys is not None:
            source.unpack("v", keys)
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
    find, unseen = _forms_of(check)

    def check_doubtful(value: Any, scope: Scope) -> Findings | None:
        try:
            if find(tuple(value), unseen)(value, scope):
                return None
        except DOUBTFUL:  # the check itself knows what to make of it
            return check(value, scope)
        return check(value, scope)

    return described(check_doubtful, lambda source, value: source.check(check, value))


def as_is(check: Check) -> Check:
    """Returns the check: what stands for `quickened` where every check is to run."""
    return check
