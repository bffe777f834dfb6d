"""What the pages say besides names and definitions, in both languages."""

from collections.abc import Mapping

from fhir_server.errors import Language

_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("FHIR R4 server for family-doctor contracts", "家庭医生签约服务 FHIR R4 服务器"),
    "intro": (
        "What this server answers, computed from the declarations that it obeys itself. Programs read the same from",
        "本服务器能回答的一切，由其自身所遵循的声明计算得出。程序可从以下地址读取同样的内容：",
    ),
    "types": ("Resource types", "资源类型"),
    "type": ("Type", "类型"),
    "meaning": ("Meaning", "含义"),
    "parameters": ("Search parameters", "查询参数"),
    "parameter": ("Parameter", "参数"),
    "form": ("Form", "形式"),
    "example": ("Example", "示例"),
    "examples": ("Try it", "试一试"),
    "interactions": ("Interactions", "交互"),
    "interaction": ("Interaction", "交互"),
    "operations": ("Operations", "操作"),
    "operation": ("Operation", "操作"),
    "profiles": ("Profiles", "配置文件 (profile)"),
    "request": ("Request", "请求"),
    "modifiers": ("modifiers", "修饰符"),
    "prefixes": ("prefixes", "前缀"),
    "targets": ("refers to", "指向"),
    "inputs": ("takes", "输入"),
    "resource": ("An example resource", "资源示例"),
    "all": ("All types", "全部类型"),
    "system": ("On the server itself", "系统级"),
    "result": (
        (
            "Besides: _count, _sort, _include, _revinclude, _summary, _elements, _total, _has, _filter, _list, _text, _content, "
            "and chains such as subject:Patient.name=王."
        ),
        (
            "另有：_count、_sort、_include、_revinclude、_summary、_elements、_total、_has、_filter、_list、_text、_content，"
            "以及链式查询，如 subject:Patient.name=王。"
        ),
    ),
}


def word(name: str, language: Language) -> str:
    """Returns a word or sentence of the pages."""
    english, chinese = _WORDS[name]
    return chinese if language == "zh" else english
