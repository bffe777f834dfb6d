"""`fhir-server generate`."""

import typer


def generate() -> None:
    """Placeholder.

    Example: `fhir-server generate`
    """
