"""Invented names: surnames by their weight in Hunan, given names by birth cohort. https://www.stats.gov.cn/."""

from datetime import date
from random import Random

from fhir_server.synthetic.draws import pick

_SURNAMES = {
    "刘": 8.0, "陈": 7.2, "李": 7.0, "王": 6.2, "张": 6.0, "周": 5.2, "黄": 4.6, "杨": 3.8, "彭": 3.4, "罗": 3.2, "唐": 3.0, "曾": 3.0,
    "谢": 2.8, "肖": 2.6, "胡": 2.6, "吴": 2.4, "邓": 2.2, "何": 2.2, "蒋": 2.0, "谭": 2.0, "赵": 1.2, "徐": 1.2, "孙": 0.9, "马": 0.7,
    "朱": 1.0, "郭": 1.2, "林": 0.9, "高": 0.6, "夏": 1.4, "曹": 1.2, "龚": 1.2, "卜": 0.3, "熊": 0.8, "欧阳": 0.4,
}  # fmt: skip

# First and second characters of two-character names, and one-character names: (first year, sex) -> lists.
_GIVEN: dict[tuple[int, str], tuple[str, str, str]] = {
    (1900, "1"): ("德志建国光正福文明运", "元明国生华清和安松云", "春松贵云生"),
    (1900, "2"): ("桂秀玉菊腊春月冬翠银", "英兰香莲珍娥云秀芝梅", "梅菊莲英"),
    (1960, "1"): ("建志国立新伟卫正海光", "军强平华辉林文良斌勇", "勇军平辉斌强"),
    (1960, "2"): ("红丽春小艳美爱海建秋", "梅华霞英萍兰芳玲辉云", "芳萍霞玲燕"),
    (1980, "1"): ("志俊文海宇立永佳思晓", "勇敏磊峰鹏辉波涛杰凯", "勇磊鹏涛波超凯杰"),
    (1980, "2"): ("小雅晓丽思佳文婉美慧", "静婷敏娟倩琴萍洁玲霞", "静婷敏娟倩洁莉颖"),
    (2000, "1"): ("浩子宇俊梓嘉奕铭泽皓", "宇轩然涵泽辰睿博阳宸", "睿轩宸"),
    (2000, "2"): ("子欣梓雨思诗语若可依", "涵怡萱彤琪妍桐玥晴诺", "彤妍玥"),
}
# Share of one-character given names by birth year (9.5: 55 % have two characters, the one-character peak is 1970-89).
_SHORT = ((1960, 0.22), (1970, 0.42), (1990, 0.66), (2000, 0.5), (9999, 0.14))


def surname(rng: Random) -> str:
    """Returns a surname, drawn by weight."""
    return pick(rng, _SURNAMES)


def given_name(rng: Random, sex: str, birth: date) -> str:
    """Returns a given name of the birth cohort; `sex` is `1` (male) or `2` (female), GB/T 2261.1."""
    cohort = max(year for year, of in _GIVEN if of == sex and year <= birth.year)
    first, second, short = _GIVEN[cohort, sex]
    is_short = rng.random() < next(share for year, share in _SHORT if birth.year < year)
    if is_short:
        return rng.choice(short)
    head = rng.choice(first)
    return head + rng.choice([c for c in second if c != head])
