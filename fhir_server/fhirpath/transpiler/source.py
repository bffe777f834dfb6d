"""The lines of a generated function: blocks, fresh names, and which values have been computed already."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager


class Lines:
    """The body of a function that is being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._scopes: list[dict[bytes, str]] = [{}]
        self._count = 0

    def line(self, text: str) -> None:
        """Writes one line at the current depth."""
        self.lines.append(" " * len(self._scopes) + text)

    def assign(self, name: str, value: ast.expr) -> None:
        """Writes that a variable gets a value."""
        self.line(f"{name} = {ast.unparse(value)}")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Writes a head line; what is written inside stands below it, and what is computed there is known only there."""
        self.line(head)
        self._scopes.append({})
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self._scopes.pop()

    def fresh(self) -> str:
        """Returns the name of a variable that nothing else uses."""
        self._count += 1
        return f"t{self._count}"

    def find(self, form: bytes) -> str | None:
        """Returns the variable that holds the value of this form of an expression wherever control is now, or None."""
        return next((known[form] for known in reversed(self._scopes) if form in known), None)

    def remember(self, form: bytes, name: str) -> None:
        """Notes that a variable holds the value of this form until the block ends."""
        self._scopes[-1][form] = name

    @property
    def text(self) -> str:
        """All lines so far."""
        return "".join(line + "\n" for line in self.lines)
