"""Coded answers: option codes, display texts and a dialect's own codes -> `Code`. https://hl7.org/fhir/R4/conceptmap.html."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fhir_server.mapping.codecs.text import folded
from fhir_server.mapping.form import Field
from fhir_server.mapping.record import Code

_REMEMBERED = 1024  # texts of one column
_LABELLED = (
    re.compile(r"\(?(?P<code>[0-9]{1,4}|[A-Za-z])\)? ?[.、:_-]? ?(?P<label>[^0-9].*)", re.DOTALL),
    re.compile(r"(?P<label>[^0-9].*?) ?(?:\((?P<code>[0-9]{1,4}|[A-Za-z])\))", re.DOTALL),
)
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

    def has_words(self, text: str) -> bool:
        """Tells whether a text is an answer with free words behind it (`其他:耳鸣`), which more words may follow."""
        found = self.read(text)
        option = self.of.options.get(found.code or "")
        return option is not None and option.has_text and found.text != option.display

    def expected(self) -> str:
        """Returns the codes that are known here with their displays, as findings show them."""
        options = {code: option.display for code, option in self.of.options.items()}
        own = {code: known.display or options.get(known.to or "", "") for code, known in self.own.items()}
        codes = {code: display for code, display in own.items() if code.isascii()}
        return "、".join(f"{code} {display}".strip() for code, display in (codes or own or options).items())

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
        found = self._alone(word) or self._labelled(word) or self._with_text(word) or self._respelled(word)
        return found or Code(None, word, word)

    def _alone(self, word: str) -> Code | None:
        """A code or a display, and nothing beside it; the form's displays count before those of the dialect's codes."""
        options = self.of.options
        if word in self.own:
            return self._known(word, self.own[word])
        if not self.own and word in options:
            return Code(word, word, options[word].display)
        if word in self.words:
            return self._known(word, self.words[word])
        return self._named(word) or self._named_own(word)

    def _known(self, word: str, known: SourceCode) -> Code:
        option = self.of.options.get(known.to or "")
        exact = known.equivalence in {"equal", "equivalent"}
        text = known.display or (option.display if option and exact else "")
        return Code(known.to, word, text or word)

    def _named_own(self, word: str) -> Code | None:
        """The dialect's code that has this display, when it is one alone."""
        found = [code for code, known in self.own.items() if known.display and folded(known.display) == word]
        return self._known(found[0], self.own[found[0]]) if len(found) == 1 else None

    def _labelled(self, word: str) -> Code | None:
        """A code with its display, in either order (`1.男`, `男性(1)`); two that contradict each other are no code."""
        for pattern in _LABELLED:
            if match := pattern.fullmatch(word):
                code = self._alone(match["code"])
                label = self._alone(match["label"]) or self._with_text(match["label"])
                if code and label and code.code is not None and code.code == label.code:
                    return code if self.own else label
        return None

    def _with_text(self, word: str) -> Code | None:
        """An answer that free words may follow, with its words: 其他:耳鸣."""
        match = _WITH_TEXT.fullmatch(word)
        for option in self.of.options.values() if match else ():
            if option.has_text and match and match[1] in {folded(option.display), option.code}:
                words = match[2] or match[3]
                known = self.words.get(words)
                return self._named(words) or (
                    self._known(words, known) if known else Code(option.code, option.code, words)
                )
        return None

    def _respelled(self, word: str) -> Code | None:
        """A code that a spreadsheet took for a number: `1.0`, or `6` where every code is as long as `06`."""
        number = word.removesuffix(".0")
        if not (number.isascii() and number.isdigit()):
            return None
        widths = {len(code) for code in (self.own or self.of.options) if code.isdigit()}
        return self._alone(number.zfill(widths.pop()) if len(widths) == 1 else number)

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
