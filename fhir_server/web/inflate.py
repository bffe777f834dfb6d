"""Compressed request bodies, https://www.rfc-editor.org/rfc/rfc9110#section-8.4."""

import zlib

from fhir_server.errors import BadStructure, TooLarge, UnsupportedMedia

_GZIP = 16 + zlib.MAX_WBITS
_NAMES = frozenset({"gzip", "x-gzip"})


def inflated(body: bytes, encoding: str | None, limit: int) -> bytes:
    """Returns a body as it was before it was compressed, at most `limit` bytes; no more than that is ever unpacked.

    Raises:
        UnsupportedMedia: another encoding than gzip.
        BadStructure: no gzip data, or not all of it.
        TooLarge: it comes to more than the limit.
    """
    name = (encoding or "identity").strip().lower()
    if name in ("identity", "") or not body:
        return body
    if name not in _NAMES:
        raise UnsupportedMedia.of("rest.encoding-unsupported", "Content-Encoding", found=name)
    inflater = zlib.decompressobj(_GZIP)
    try:
        content = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadStructure.of("rest.encoding-broken", reason=str(error)) from None
    if len(content) > limit:
        raise TooLarge.of("rest.body-too-large", limit=limit)
    if not inflater.eof or inflater.unused_data:
        raise BadStructure.of("rest.encoding-broken", reason="it ends too soon, or goes on behind its end")
    return content
