"""Characters to tokens, http://hl7.org/fhirpath/N1/#lexical-elements."""

import re
from dataclasses import dataclass

from fhir_server.fhirpath.errors import FhirPathError

_TOKEN = re.compile(
    r"""(?P<space> \s+ | //[^\n]* | /\*.*?\*/ )
    | (?P<date> @\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?(?:Z|[+-]\d\d:\d\d)?)? )
    | (?P<time> @T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)? )
    | (?P<number> \d+(?:\.\d+)? )
    | (?P<string> '(?:\\.|[^'\\])*' )
    | (?P<quoted> `(?:\\.|[^`\\])*` )
    | (?P<variable> %(?:`(?:\\.|[^`\\])*`|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?:vs|ext)-[A-Za-z][\w-]*|[A-Za-z_]\w*) )
    | (?P<special> \$(?:this|index|total)\b )
    | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<symbol> <=|>=|!=|!~|[\[\](){}.,=~<>+\-*/|&] )""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "'": "'", '"': '"', "`": "`", "\\": "\\", "/": "/"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (a group name above, or `end`), its text, and its 0-based offset."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """Returns the tokens of an expression without white space and comments, closed by an `end` token.

    Raises:
        FhirPathError: a character starts no token.
    """
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise FhirPathError("fhirpath.syntax", at, expected="a token", found=repr(text[at : at + 10]))
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), at))
        at = match.end()
    found.append(Token("end", "the end", len(text)))
    return found


def unescaped(token: Token, text: str) -> str:
    """Returns what a quoted text (without its quotes) stands for.

    Raises:
        FhirPathError: an escape that FHIRPath does not have.
    """

    def replaced(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            at = token.at + token.text.index(text) + match.start()
            raise FhirPathError("fhirpath.literal", at, expected="escape", found="\\" + code)
        return _ESCAPES[code]

    return _ESCAPE.sub(replaced, text)
