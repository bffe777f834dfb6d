"""The official R4 package, from a package index where one answers. See conformance/r4/sources.toml."""

import subprocess
import sys
import tomllib
from pathlib import Path

from fhir_server.data_files import data_folder

SOURCES = tomllib.loads((data_folder("conformance") / "r4" / "sources.toml").read_text(encoding="utf-8"))


def download_wheel(folder: Path) -> Path | None:
    """Returns the pinned wheel, or None where no package index answers."""
    command = [sys.executable, *SOURCES["wheel"]["fetch"].replace("pip", "-m pip", 1).split()]
    quick = ["--quiet", "--retries", "0", "--timeout", "5", "--disable-pip-version-check", "--dest", str(folder)]
    done = subprocess.run([*command, *quick], check=False, capture_output=True)
    return folder / SOURCES["wheel"]["file"] if done.returncode == 0 else None
