"""Coded answers: option codes, display texts and a dialect's own codes -> `Code`. https://hl7.org/fhir/R4/conceptmap.html."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fhir_server.mapping.codecs.text import folded
from fhir_server.mapping.form import Field
from fhir_server.mapping.record import Code

_WITH_TEXT = re.compile(r"([^:(]+?)\s*(?::\s*(.+)|\((.+)\))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SourceCode:
    """What a dialect's code means: the form's option code, or None when it has no counterpart; how near; its display."""

    to: str | None
    equivalence: str = "equivalent"
    display: str = ""


@dataclass(frozen=True, slots=True)
class CodeReader:
    """Reads one code field (`of`) in one dialect. `own` are the dialect's codes, empty where it speaks the form's own."""

    of: Field
    own: Mapping[str, SourceCode] = field(default_factory=dict)

    def knows(self, text: str) -> bool:
        """Tells whether a text is a code or display here, so that a null word (`无`) may be an answer."""
        return self.read(text).code is not None

    def read(self, text: str) -> Code:
        """Returns the coded value; `code` is None when the text is neither a known code nor a display."""
        word = folded(text)
        if word in self.own:
            return self._own(word)
        options = self.of.options
        if not self.own and word in options:
            return Code(word, word, options[word].display)
        return self._display(word) or Code(None, word, word)

    def _own(self, word: str) -> Code:
        known = self.own[word]
        option = self.of.options.get(known.to or "")
        exact = known.equivalence in {"equal", "equivalent"}
        text = known.display or (option.display if option and exact else "")
        return Code(known.to, word, text or word)

    def _display(self, word: str) -> Code | None:
        for option in self.of.options.values():
            if folded(option.display) == word:
                return Code(option.code, option.code, option.display)
        match = _WITH_TEXT.fullmatch(word)
        for option in self.of.options.values():
            if match and option.has_text and match[1] in {folded(option.display), option.code}:
                return Code(option.code, option.code, match[2] or match[3])
        return None

    def write(self, code: str) -> str:
        """Returns the dialect's first code for an option code, exact ones first.

        A dialect that has codes and none for this option writes its display, which it reads back; one without codes
        writes the form's own.
        """
        exact = [c for c, s in self.own.items() if s.to == code and s.equivalence in {"equal", "equivalent"}]
        near = [c for c, s in self.own.items() if s.to == code]
        option = self.of.options.get(code)
        other = option.display if self.own and option else code
        return (exact or near or [other])[0]
