"""Which format a client sends and wants, https://hl7.org/fhir/R4/http.html#mime-type."""

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
    asked = [format_] if format_ is not None else (accept or "").split(",")
    if not any(_bare(a) in _WRITTEN for a in asked):
        name = "_format" if format_ is not None else "Accept"
        raise NotAcceptable.of("rest.format-unsupported", name, found=format_ or accept)


def _bare(media: str | None) -> str:
    return (media or "").partition(";")[0].strip().lower().replace(" ", "+")
