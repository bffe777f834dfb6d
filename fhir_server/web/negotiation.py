"""Which format a client sends and wants, https://hl7.org/fhir/R4/http.html#mime-type."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from fhir_server.errors import NotAcceptable, UnsupportedMedia
from fhir_server.interactions.json_patch import JSON_PATCH
from fhir_server.interactions.merge_patch import MERGE_PATCH
from fhir_server.interactions.patch import FORMATS as PATCH_FORMATS

Format = Literal["json", "xml"]

FORM = "application/x-www-form-urlencoded"
FORMATS: Mapping[str, Format] = {
    "application/fhir+json": "json",
    "application/fhir+xml": "xml",
    "application/json": "json",
    "application/xml": "xml",
    "application/json+fhir": "json",
    "application/xml+fhir": "xml",
    "text/json": "json",
    "text/xml": "xml",
}
"""Media types of FHIR content; the first two are FHIR's own, those with `+fhir` what they were called before R3."""
_PATCHES = frozenset({JSON_PATCH, MERGE_PATCH})
MEDIA_TYPES: Mapping[Format, str] = {"json": "application/fhir+json", "xml": "application/fhir+xml"}

_SHORT: Mapping[str, Format] = {"json": "json", "xml": "xml"}
_PAGE = "text/html"
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", ""})
_VERSIONS = frozenset({"4", "4.0", "4.0.0", "4.0.1", ""})
"""What the parameter `fhirVersion` of a media type may say, https://hl7.org/fhir/R4/versions.html#mt-version."""


class _Range(NamedTuple):
    """One range of an Accept header: `application/*` with its weight from 0 to 1; 0 where it wants another FHIR."""

    media: str
    weight: float

    def precision(self, media: str) -> int:
        """Returns how closely the range names a media type: 3 exactly, 2 its kind, 1 anything, 0 not at all."""
        if self.media == media:
            return 3
        if self.media == media.partition("/")[0] + "/*":
            return 2
        return int(self.media == "*/*")


def format_sent(content_type: str | None, *, is_search: bool, is_patch: bool = False) -> Format | Literal["form"]:
    """Returns the format of a body: FHIR JSON (also when nothing is said), FHIR XML, form fields for `_search`, or a patch.

    Raises:
        UnsupportedMedia: anything else, another charset than UTF-8, or another version of FHIR.
    """
    media, parameters = _split(content_type or "")
    charset = parameters.get("charset", "").lower()
    if is_search and media == FORM:
        return "form"
    if is_patch and media and media not in FORMATS and media not in _PATCHES:
        raise UnsupportedMedia.of("rest.patch-media", "Content-Type", found=media, valid=", ".join(PATCH_FORMATS))
    if not is_patch and media and media not in FORMATS:
        raise UnsupportedMedia.of("rest.media-unsupported", "Content-Type", found=media)
    if charset not in _CHARSETS:
        raise UnsupportedMedia.of("rest.charset-unsupported", "Content-Type", found=charset)
    if parameters.get("fhirversion", "") not in _VERSIONS:
        raise UnsupportedMedia.of("rest.fhir-version", "Content-Type", found=parameters["fhirversion"])
    return FORMATS.get(media, "json")


def is_graphql(content_type: str | None) -> bool:
    """Tells whether a body is a GraphQL document by itself, rather than one inside JSON."""
    return _split(content_type or "")[0] == "application/graphql"


def format_wanted(accept: str | None, format_: str | None) -> Format:
    """Returns the format to answer in: what `_format` says, else the one that Accept weighs most, JSON among equals.

    Raises:
        NotAcceptable: only other formats are asked for.
    """
    found = _accepted(accept) if format_ is None else _by_name(format_)
    if found is None:
        name, asked = ("Accept", accept) if format_ is None else ("_format", format_)
        raise NotAcceptable.of("rest.format-unsupported", name, found=asked)
    return found


def format_or_json(accept: str | None) -> Format:
    """Returns the format that an Accept header weighs most, JSON where it takes neither."""
    return _accepted(accept) or "json"


def names_fhir(accept: str | None) -> bool:
    """Tells whether an Accept header names a media type of FHIR's own."""
    if not accept or "fhir" not in accept:
        return False
    ranges = map(_range_of, accept.split(","))
    return any(r.weight > 0 and "fhir" in r.media and r.media in FORMATS for r in ranges)


def accepts(accept: str | None, media_type: str) -> bool:
    """Tells whether an Accept header takes a media type, its parameters aside."""
    if accept is None or not accept.strip():
        return True
    return _weight(list(map(_range_of, accept.split(","))), (_split(media_type)[0],)) > 0


def _by_name(format_: str) -> Format | None:
    media = _split(format_)[0]
    return None if media == _PAGE else _SHORT.get(media) or _accepted(format_)


@lru_cache(maxsize=256)
def _accepted(accept: str | None) -> Format | None:
    """Returns the format that an Accept header weighs most, or None when it accepts neither."""
    if accept is None or not accept.strip():
        return "json"
    ranges = [_range_of(text) for text in accept.split(",")]
    if any(r.media == _PAGE for r in ranges):  # a browser, which lists XML for its pages
        return "json"
    weights = {format_: _weight(ranges, _names_of(format_)) for format_ in MEDIA_TYPES}
    best = max(weights, key=weights.__getitem__)
    return best if weights[best] > 0 else None


def _names_of(format_: Format) -> Sequence[str]:
    return (format_, *(media for media, named in FORMATS.items() if named == format_))


def _weight(ranges: Iterable[_Range], names: Sequence[str]) -> float:
    """Returns the weight of a format: what the ranges say that name it most closely."""
    precision, weight = max((r.precision(name), r.weight) for r in ranges for name in names)
    return weight if precision else 0.0


def _range_of(text: str) -> _Range:
    media, parameters = _split(text)
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        weight = 0.0
    if parameters.get("fhirversion", "") not in _VERSIONS:
        weight = 0.0
    # In a query string the plus of `application/fhir+xml` is read as a space unless it was encoded
    return _Range(media.replace(" ", "+"), weight if 0 <= weight <= 1 else 0.0)


def _split(text: str) -> tuple[str, Mapping[str, str]]:
    """Splits a media type into its name in lower case and its parameters."""
    media, *rest = text.split(";")
    pairs = (part.partition("=") for part in rest)
    return media.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
