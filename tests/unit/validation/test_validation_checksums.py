"""Check digits of SNOMED CT and LOINC codes."""

import pytest

from fhir_server.validation.rules.checksums import is_loinc, is_snomed


@pytest.mark.parametrize("code", ["73211009", "22298006", "276885007", "50631000087105", "73211009 : 1=2"])
def test_a_concept_has_its_partition_and_check_digit(code):
    assert is_snomed(code)


@pytest.mark.parametrize("code", ["73211008", "276885007x", "73211", "0073211009", "680946014", "abc"])
def test_what_has_not_is_no_concept(code):
    assert not is_snomed(code)


@pytest.mark.parametrize("code", ["85354-9", "8480-6", "LA33-6", "LP7839-6"])
def test_a_loinc_code_has_its_check_digit(code):
    assert is_loinc(code)


@pytest.mark.parametrize("code", ["85354-8", "85354", "8480-66", "x85354-9", "L33-6x"])
def test_what_has_not_is_no_loinc_code(code):
    assert not is_loinc(code)
