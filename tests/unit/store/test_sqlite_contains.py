"""Chinese names are looked up in the key index, however few characters are asked for."""

import pytest

from fhir_server.search.bigrams import contains
from fhir_server.search.query import AnyOf
from fhir_server.store.sqlite.drivers import drivers


@pytest.mark.parametrize("part", ["王", "小明", "王小明", "5号楼", "湖南省益阳市桃江县"])
def test_a_part_with_chinese_is_never_a_scan_of_texts(part):
    found = drivers([contains("name", part)], 1)
    assert [driver.scan for driver in found] == [False] * len(found)
    assert all("FROM tok" in driver.rids.text for driver in found)
    assert found


def test_alternatives_of_parts_are_gathered_from_the_key_index():
    (driver,) = drivers([AnyOf((contains("name", "王小明"), contains("name", "李四")))], 1)
    assert (driver.scan, driver.rids.text.count("FROM tok")) == (False, 2)


def test_a_part_of_latin_letters_is_a_scan_of_the_texts_of_its_parameter():
    assert [driver.scan for driver in drivers([contains("name", "ming")], 1)] == [True]
