"""Python source that is being written: its lines, its constants, and what it works out once a record.

See docs/decisions/0002-mapping-language.md, How a map runs.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_WORDS = (str, int, bool, type(None))


class Script:
    """The body of a function of a record's `values` that is being written.

    What a directive writes gives an atom: a variable's or constant's name, or a literal, that any line below may use.
    Values that depend on the record alone, and not on a line of it, are written once where `shared` has their keys
    (None: all); `uses` counts how often each was wanted. `references` are the variables of the resources' references.
    """

    def __init__(self, shared: frozenset[str] | None = None) -> None:
        self.constants: dict[str, Any] = {}
        self.uses: Counter[str] = Counter()
        self.fields: list[str] = []
        self.once: list[str] = []
        self.line_name = ""
        self.references: dict[str, str] = {}
        self._lines: list[str] = []
        self._indent = 1
        self._shared = shared
        self._variables = 0
        self._names: dict[int, str] = {}
        self._known: dict[str, str] = {}

    def line(self, text: str) -> None:
        """Writes one line at the current depth."""
        self._lines.append(" " * self._indent + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Writes a head line; what is written inside stands below it."""
        self.line(head)
        self._indent += 1
        yield
        self._indent -= 1

    @contextmanager
    def loop(self, head: str, line_name: str) -> Iterator[None]:
        """Writes a loop over lines; inside, `line_name` is the variable of the current one."""
        outer, self.line_name = self.line_name, line_name
        with self.block(head):
            yield
        self.line_name = outer

    @contextmanager
    def apart(self, into: list[str]) -> Iterator[None]:
        """Writes lines of the function's own depth into another list than the current one."""
        kept = self._lines, self._indent, self.line_name
        self._lines, self._indent, self.line_name = [], 1, ""
        yield
        into.extend(self._lines)
        self._lines, self._indent, self.line_name = kept

    def variable(self) -> str:
        """Returns a new name."""
        self._variables += 1
        return f"v{self._variables}"

    def set(self, expression: str) -> str:
        """Writes a new variable with the value of an expression, and returns its name."""
        name = self.variable()
        self.line(f"{name} = {expression}")
        return name

    def constant(self, value: Any) -> str:
        """Returns a literal, or the name by which the source knows an object, the same for the same one."""
        if type(value) in _WORDS:
            return repr(value)
        name = self._names.setdefault(id(value), f"c{len(self._names)}")
        self.constants[name] = value
        return name

    def early(self, expression: str) -> str:
        """Returns the name of what an expression of the record's fields gives, written above everything else."""
        if expression not in self._known:
            with self.apart(self.fields):
                self._known[expression] = self.set(expression)
        return self._known[expression]

    def shared(self, key: str, write: Callable[["Script"], str]) -> str:
        """Returns the atom of what `write` writes; `key` tells values apart, and is empty for what belongs to a line."""
        if not key:
            return write(self)
        self.uses[key] += 1
        if key not in self._known:
            if self._shared is not None and key not in self._shared:
                return write(self)
            lines: list[str] = []
            with self.apart(lines):
                self._known[key] = write(self)
            self.once += lines
        return self._known[key]

    def compiled(self, name: str, parameters: str, result: str) -> Any:
        """Returns the function that has been written, which ends with a result.

        Raises:
            SyntaxError: what is written is nested deeper than Python's compiler follows.
        """
        body = [*self.fields, *self.once, *self._lines]
        text = "\n".join([f"def {name}({parameters}):", *body, f" return {result}"])
        namespace = dict(self.constants)
        exec(compile(text, f"<{name}>", "exec"), namespace)  # noqa: S102 -- every name and text in it went through repr()
        return namespace[name]
