"""Page tokens: where the next page of a search starts, signed, https://hl7.org/fhir/R4/http.html#paging."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import astuple, dataclass
from hashlib import sha256

import msgspec

from fhir_server.errors import SearchValueInvalid

_MAC_BYTES = 16
"""Bytes of the HMAC-SHA256 that a token carries; 128 bits cannot be guessed."""


@dataclass(frozen=True, slots=True)
class PageToken:
    """The row after which a page starts: the moment of the first page, its sort values and its id.

    With `back` the page ends before the row; without an id it is the last page. `total` is what the first page counted,
    `type` the row's, or another name of the strand, where a search is on several. `count` is the page's size where it is not that of the others.
    """

    moment: int
    values: tuple[int | float | str | None, ...]
    id: str
    back: bool = False
    total: int | None = None
    type: str = ""
    count: int | None = None


_Content = tuple[int, tuple[int | float | str | None, ...], str, bool, int | None, str, int | None]
_CONTENT = msgspec.json.Decoder(_Content)


@dataclass(frozen=True, slots=True)
class PageTokens:
    """Writes and reads page tokens under one secret; servers that share links share the secret."""

    secret: bytes

    def write(self, token: PageToken, fingerprint: str) -> str:
        """Returns the token as URL-safe text, bound to the search that `fingerprint` stands for."""
        content = msgspec.json.encode(astuple(token))
        return urlsafe_b64encode(self._mac(content, fingerprint) + content).decode().rstrip("=")

    def read(self, text: str, fingerprint: str) -> PageToken:
        """Returns the token that was written for the same fingerprint.

        Raises:
            SearchValueInvalid: changed, made up, or written for another search or under another secret.
        """
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except ValueError:
            raise _invalid() from None
        mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(content, fingerprint)):
            raise _invalid()
        return PageToken(*_CONTENT.decode(content))

    def _mac(self, content: bytes, fingerprint: str) -> bytes:
        message = sha256(fingerprint.encode()).digest() + content
        return hmac.digest(self.secret, message, "sha256")[:_MAC_BYTES]


def _invalid() -> SearchValueInvalid:
    return SearchValueInvalid.of("search.page-invalid")
