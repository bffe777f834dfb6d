"""How Chinese characters are read: Hanyu Pinyin without tones, https://www.unicode.org/reports/tr38/#kMandarin.

The readings are those of the library pypinyin. Only its table of characters is read, when the first Chinese name is: importing
the library takes 0.3 s and 57 MB, most of it for phrases that names do not need; the table takes 10 ms and 8 MB.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

MOST_A_CHARACTER = 2
"""Readings of one character that are used, the usual ones first."""

_TONES = str.maketrans(dict.fromkeys("\u0300\u0301\u0302\u0304\u030c"))
_UMLAUT = "\u0308"
_CIRCUMFLEX = "\u0302"
_TYPED_U = ("v", "u", "yu")
"""How `ü` is typed; the first is the one that names are sorted by."""

_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞"
    "任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵湛汪祁毛禹狄米贝明臧计伏成戴"
    "谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫经房裘缪干解应"
    "宗丁宣贲邓郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁荀羊於惠甄曲家封芮羿储靳汲邴糜松井段富巫乌焦巴弓牧隗山谷车侯宓蓬全郗"
    "班仰秋仲伊宫宁仇栾暴甘钭厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙池乔阴胥能苍双闻莘党翟谭贡"
    "劳逄姬申扶堵冉宰郦雍却璩桑桂濮牛寿通边扈燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容向古易慎戈廖庾终暨居衡步都耿满弘匡国"
    "文寇广禄阙东欧殳沃利蔚越夔隆师巩厍聂晁勾敖融冷訾辛阚那简饶空曾毋沙乜养鞠须丰巢关蒯相查后荆红游竺权逯盖益桓公"
    "肖闫付代段尧覃佟区邸朴么员撒洗冼揭折召尉种繁适郇晟秘黑纳楼岳帅缑亢况有琴商牟佘伯赏墨哈谯笪年爱阳佴言福兰侍苑仝苟盘原降丛栗"
)
"""Surnames of one character; their usual reading, or what `_SPECIAL` says, is the only one filed."""

_SPECIAL: Mapping[str, tuple[str, ...]] = {
    "卜": ("bu",), "莘": ("shen", "xin"), "佴": ("nai",), "蔚": ("yu", "wei"),
    "单": ("shan",), "仇": ("qiu",), "解": ("xie",), "曾": ("zeng",), "查": ("zha",), "盖": ("ge", "gai"),
    "朴": ("piao", "pu"), "区": ("ou",), "乐": ("yue", "le"), "缪": ("miao",), "翟": ("zhai", "di"), "洗": ("xian",),
    "种": ("chong",), "繁": ("po",), "秘": ("bi",), "召": ("shao",), "尉": ("wei", "yu"), "员": ("yun",),
    "折": ("she",), "黑": ("he", "hei"), "覃": ("qin", "tan"), "郗": ("xi", "chi"), "隗": ("wei", "kui"),
    "乜": ("nie",), "宓": ("mi", "fu"), "谌": ("chen", "shen"), "郇": ("xun", "huan"), "阚": ("kan",), "能": ("nai",),
    "柏": ("bai", "bo"), "薄": ("bo",), "过": ("guo",), "费": ("fei", "bi"), "适": ("kuo", "shi"), "么": ("yao",),
    "都": ("du",), "眭": ("sui",), "牟": ("mou", "mu"),
}  # fmt: skip
"""Surnames of one character that are read in their own way; two readings where families differ."""

_COMPOUND: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "令狐": (("ling", "hu"),), "长孙": (("zhang", "sun"),), "尉迟": (("yu", "chi"),), "万俟": (("mo", "qi"),),
    "澹台": (("tan", "tai"),), "单于": (("chan", "yu"),), "宇文": (("yu", "wen"),), "欧阳": (("ou", "yang"),),
    "司马": (("si", "ma"),), "上官": (("shang", "guan"),), "诸葛": (("zhu", "ge"),), "东方": (("dong", "fang"),),
    "皇甫": (("huang", "fu"),), "公孙": (("gong", "sun"),), "慕容": (("mu", "rong"),), "司徒": (("si", "tu"),),
    "司空": (("si", "kong"),), "夏侯": (("xia", "hou"),), "轩辕": (("xuan", "yuan"),), "端木": (("duan", "mu"),),
    "百里": (("bai", "li"),), "呼延": (("hu", "yan"),), "南宫": (("nan", "gong"),), "西门": (("xi", "men"),),
    "独孤": (("du", "gu"),), "申屠": (("shen", "tu"),), "公羊": (("gong", "yang"),), "赫连": (("he", "lian"),),
    "闻人": (("wen", "ren"),), "钟离": (("zhong", "li"),), "淳于": (("chun", "yu"),), "濮阳": (("pu", "yang"),),
    "太史": (("tai", "shi"),), "完颜": (("wan", "yan"),), "拓跋": (("tuo", "ba"),), "司寇": (("si", "kou"),),
    "公冶": (("gong", "ye"),), "宗政": (("zong", "zheng"),), "仲孙": (("zhong", "sun"),), "鲜于": (("xian", "yu"),),
    "闾丘": (("lv", "qiu"), ("lu", "qiu"), ("lyu", "qiu")), "亓官": (("qi", "guan"),), "东郭": (("dong", "guo"),),
    "南门": (("nan", "men"),), "第五": (("di", "wu"),), "梁丘": (("liang", "qiu"),), "左丘": (("zuo", "qiu"),),
}  # fmt: skip
"""Surnames of two characters, with their syllables."""


def surname_length(normal: str) -> int:
    """Returns how many characters of a Chinese name, simplified, are the surname: 2 of 欧阳娜娜, else 1."""
    return 2 if normal[:2] in _COMPOUND else 1


def surname_readings(normal: str) -> tuple[tuple[str, ...], ...]:
    """Returns the ways to read the surname at the start of a name, its syllables; none when it is no known surname."""
    first = normal[:1]
    if normal[:2] in _COMPOUND:
        return _COMPOUND[normal[:2]]
    special = _SPECIAL.get(first)
    return tuple((one,) for one in special or (_usual(first) if first in _SURNAMES else ()))


@lru_cache(maxsize=8192)
def readings_of(sound: str) -> tuple[str, ...]:
    """Returns how a Chinese character may be read, toneless, the usual reading first; other texts are their own."""
    plain = _toneless(sound)[:MOST_A_CHARACTER]
    return tuple(typed for one in plain for typed in _as_typed(one)) or (sound,)


def _usual(character: str) -> tuple[str, ...]:
    return tuple(typed for one in _toneless(character)[:1] for typed in _as_typed(one))


def _toneless(sound: str) -> list[str]:
    marked = _table().get(str(ord(sound)), "") if len(sound) == 1 else ""
    plain = unicodedata.normalize("NFD", marked).translate(_TONES)
    return [one for one in dict.fromkeys(plain.split(",")) if one]


def _as_typed(reading: str) -> tuple[str, ...]:
    """Returns `lv`, `lu` and `lyu` for `lü`."""
    if _UMLAUT not in reading:
        return (reading.replace(_CIRCUMFLEX, ""),)
    return tuple(reading.replace("u" + _UMLAUT, typed) for typed in _TYPED_U)


@cache
def _table() -> Mapping[str, str]:
    """Returns the readings of each character, by its code point in decimal; `find_spec` does not run the library.

    Raises:
        ModuleNotFoundError: pypinyin is not installed.
    """
    found = find_spec("pypinyin")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("pypinyin is not installed", name="pypinyin")
    path = Path(found.submodule_search_locations[0], "pinyin_dict.json")
    return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
