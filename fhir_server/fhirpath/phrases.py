"""The parts of FHIRPath's sentences in Chinese: what an operation needs and what it was given, http://hl7.org/fhirpath/N1.

Names of functions, operators and types are the same in both languages.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_CHINESE: Mapping[str, str] = MappingProxyType(
    {
        "a name": "名称", "a token": "合法的符号", "the end": "表达式结尾", "escape": "转义序列", "date or time": "日期或时间",
        "a collection": "集合", "evaluation": "计算", "an equivalence": "等价比较", "a regular expression": "正则表达式", "a text": "文本",
        "date arithmetic": "日期运算", "time arithmetic": "时间运算", "a boundary": "边界计算", "an operation": "运算", "an invariant": "约束",
        "the criterion of iif()": "iif() 的条件", "a number": "数值", "a string": "字符串", "an integer": "整数", "a decimal": "小数",
        "a primitive value": "基本类型的值", "an object": "对象", "booleans": "布尔值", "a boolean criterion": "布尔条件",
        "a number, date, time or quantity": "数值、日期、时间或数量", "a decimal, date or time": "小数、日期或时间", "a date or time": "日期或时间",
        "known modifiers": "已知的修饰扩展", "flags of i and m": "由 i 和 m 组成的标志", "a precision of at least 0": "不小于 0 的精度",
        "a calendar unit such as 'day'": "日历单位，例如 'day'", "a calendar duration": "日历时长", "two numbers": "两个数值", "two quantities": "两个数量",
        "two strings": "两个字符串", "two values of one type": "两个同类型的值", "hours, minutes, seconds or milliseconds": "小时、分钟、秒或毫秒",
        "items": "项", "pairs": "对", "levels": "层", "characters": "个字符", "milliseconds": "毫秒",
    }
)  # fmt: skip
_WORDS = {"and": "和", "to": "至"}
_BETWEEN = re.compile("(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")
_JOINED = re.compile(r"(\w+) (and|to) (\w+)")


def in_chinese(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters of a sentence with the phrases among them in Chinese; all others as they are."""
    return {name: _phrase(value) if isinstance(value, str) else value for name, value in params.items()}


def closed_up(sentence: str) -> str:
    """Returns a sentence without the spaces between two Chinese characters, which are for foreign words."""
    return _BETWEEN.sub("", sentence)


def _phrase(text: str) -> str:
    joined = _JOINED.fullmatch(text)
    return _CHINESE.get(text) or (f"{joined[1]} {_WORDS[joined[2]]} {joined[3]}" if joined else text)
