"""Units that stand in column titles and behind numbers. https://ucum.org/ucum."""

import re

from fhir_server.mapping.codecs.text import folded

_BRACKET = re.compile(r"\(([^()]*)\)\*?$")
# Spellings of one unit; a bracket with any other words ("咸淡", "1门诊 2家庭") says nothing about the unit.
_SPELLINGS = {
    "kg": ("kg", "公斤", "千克", "㎏"),
    "斤": ("斤", "市斤"),
    "g": ("g", "克", "g/d", "g/天", "克/天"),
    "磅": ("磅", "lb"),
    "mmHg": ("mmhg", "毫米汞柱"),
    "kPa": ("kpa", "千帕"),
    "cm": ("cm", "厘米"),
    "m": ("m", "米"),
    "mL": ("ml", "毫升", "ml/d", "ml/天"),
    "两": ("两", "两/天", "两/d", "两/日"),
    "支": ("支", "支/天", "支/d", "支/日"),
    "包": ("包", "包/天", "盒"),
    "mmol/L": ("mmol/l",),
    "mg/dL": ("mg/dl",),
    "元": ("元", "人民币元"),
    "万元": ("万元",),
    "月": ("月", "个月"),
    "年": ("年",),
    "岁": ("岁", "周岁"),
    "月龄": ("月龄",),
    "小时/次": ("小时/次", "小时"),
    "分钟/次": ("分钟/次", "分钟", "分/次", "min"),
    "次/周": ("次/周",),
    "次/月": ("次/月",),
    "次/分": ("次/分", "次/分钟", "bpm", "/min"),
}
_UNITS = {folded(spelling).casefold(): unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}


def find_unit(text: str) -> str:
    """Returns the unit that a word is a spelling of (`公斤` is `kg`), or "" when it is none that we know."""
    return _UNITS.get(folded(text).casefold().replace(" ", ""), "")


def unit_of_title(title: str) -> str:
    """Returns the unit in the brackets at the end of a column's title, or "" when there is none that we know."""
    match = _BRACKET.search(re.sub(r"\s+", "", folded(title)))
    return find_unit(match[1]) if match else ""
