"""Where the data folders lie: inside an installed wheel, or beside the package in a checkout."""

from functools import cache
from pathlib import Path


@cache
def data_folder(name: str) -> Path:
    """Returns the folder `name` (`profiles`, `mappings` or `conformance`).

    An installed wheel carries the three under `fhir_server/_data`; an editable install reads the repository's own.

    Raises:
        FileNotFoundError: neither place has it; the installation is incomplete.
    """
    package = Path(__file__).parent
    for root in (package / "_data", package.parent):
        if (root / name).is_dir():
            return root / name
    msg = f"the data folder {name!r} is missing beside {package}"
    raise FileNotFoundError(msg)
