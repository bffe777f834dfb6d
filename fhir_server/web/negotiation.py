"""Which format a client sends and wants, https://hl7.org/fhir/R4/http.html#mime-type."""

from functools import lru_cache

from fhir_server.errors import NotAcceptable, UnsupportedMedia

JSON = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"
_READ = frozenset({"application/fhir+json", "application/json", "text/json", ""})
_WRITTEN = frozenset({"application/fhir+json", "application/json", "text/json", "json", "*/*", "application/*", ""})


def check_content_type(content_type: str | None, *, is_search: bool) -> None:
    """Accepts FHIR JSON bodies, and form fields for `_search`.

    Raises:
        UnsupportedMedia: anything else.
    """
    media = _bare(content_type)
    if media not in _READ and not (is_search and media == FORM):
        raise UnsupportedMedia.of("rest.media-unsupported", "Content-Type", found=media)


def check_accept(accept: str | None, format_: str | None) -> None:
    """Accepts clients that can read FHIR JSON; `_format` wins over Accept.

    Raises:
        NotAcceptable: only other formats are asked for.
    """
    asked = accept if format_ is None else format_
    if asked is not None and not _can_be_json(asked, is_list=format_ is None):
        name = "Accept" if format_ is None else "_format"
        raise NotAcceptable.of("rest.format-unsupported", name, found=asked)


@lru_cache(maxsize=256)
def _can_be_json(asked: str, *, is_list: bool) -> bool:
    return any(_bare(a) in _WRITTEN for a in (asked.split(",") if is_list else [asked]))


def _bare(media: str | None) -> str:
    return (media or "").partition(";")[0].strip().lower().replace(" ", "+")
