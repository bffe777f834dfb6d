"""Coded answers: option codes, display texts and a dialect's own codes -> `Code`. https://hl7.org/fhir/R4/conceptmap.html."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fhir_server.mapping.codecs.text import folded
from fhir_server.mapping.form import Field
from fhir_server.mapping.record import Code

_REMEMBERED = 1024  # texts of one column
_NUMBERED = re.compile(r"([0-9]+) ?[.、:]? ?(.+)", re.DOTALL)
_WITH_TEXT = re.compile(r"([^:(]+?)\s*(?::\s*(.+)|\((.+)\))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SourceCode:
    """What a dialect's code means: the form's option code, or None when it has no counterpart; how near; its display."""

    to: str | None
    equivalence: str = "equivalent"
    display: str = ""


@dataclass(frozen=True, slots=True)
class CodeReader:
    """Reads one code field (`of`) in one dialect. `own` are the dialect's codes, empty where it speaks the form's own.

    `words` are further spellings beside the form's codes and displays.
    """

    of: Field
    own: Mapping[str, SourceCode] = field(default_factory=dict)
    words: Mapping[str, SourceCode] = field(default_factory=dict)
    _read: dict[str, Code] = field(default_factory=dict, repr=False, compare=False)

    def knows(self, text: str) -> bool:
        """Tells whether a text is a code or display here, so that a null word (`无`) may be an answer."""
        return self.read(text).code is not None

    def read(self, text: str) -> Code:
        """Returns the coded value; `code` is None when the text is neither a known code nor a display."""
        found = self._read.get(text)
        if found is None:
            found = self._decoded(text)
            if len(self._read) < _REMEMBERED:
                self._read[text] = found
        return found

    def _decoded(self, text: str) -> Code:
        word = folded(text)
        if word in self.own:
            return self._own(word)
        options = self.of.options
        if not self.own and word in options:
            return Code(word, word, options[word].display)
        if word in self.words:
            return self._known(word, self.words[word])
        return self._display(word) or Code(None, word, word)

    def _own(self, word: str) -> Code:
        return self._known(word, self.own[word])

    def _known(self, word: str, known: SourceCode) -> Code:
        option = self.of.options.get(known.to or "")
        exact = known.equivalence in {"equal", "equivalent"}
        text = known.display or (option.display if option and exact else "")
        return Code(known.to, word, text or word)

    def _display(self, word: str) -> Code | None:
        for option in self.of.options.values():
            if folded(option.display) == word:
                return Code(option.code, option.code, option.display)
        match = _WITH_TEXT.fullmatch(word)
        for option in self.of.options.values() if match else ():
            if option.has_text and match and match[1] in {folded(option.display), option.code}:
                words = match[2] or match[3]
                return self._named(words) or Code(option.code, option.code, words)
        numbered = _NUMBERED.fullmatch(word)
        if numbered and numbered[1] in self.of.options and not self.own:
            found = self._display(numbered[2])
            return found if found is not None and found.code == numbered[1] else None
        return None

    def _named(self, words: str) -> Code | None:
        """Free words that are another answer's own display: 少数民族(苗族) is 苗族."""
        return next(
            (Code(o.code, o.code, o.display) for o in self.of.options.values() if folded(o.display) == words), None
        )

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
