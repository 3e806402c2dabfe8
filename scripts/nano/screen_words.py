"""The words on drawn screens, and what the elements of screens are called, in English and Chinese."""

from __future__ import annotations

from youtu_gguf.types import Lang

BUTTONS: dict[Lang, tuple[str, ...]] = {
    "en": ("Save", "Open", "Close", "OK", "Help", "Copy", "Edit", "Send", "Back", "Next"),
    "zh": ("保存", "打开", "关闭", "确定", "帮助", "复制", "编辑", "发送", "返回", "继续"),
}
FIELDS: dict[Lang, tuple[str, ...]] = {
    "en": ("Name", "City", "Date"),
    "zh": ("姓名", "城市", "日期"),
}
MENUS: dict[Lang, tuple[str, ...]] = {"en": ("File", "View", "Tools"), "zh": ("文件", "查看", "工具")}
WINDOWS: dict[Lang, tuple[str, ...]] = {
    "en": ("Notes", "Music", "Mail", "Maps"),
    "zh": ("笔记", "音乐", "邮件", "地图"),
}
ICONS: dict[Lang, tuple[str, ...]] = {
    "en": ("gear", "folder", "heart", "house", "bin", "bell", "clock", "cloud"),
    "zh": ("齿轮", "文件夹", "爱心", "房子", "垃圾桶", "铃铛", "时钟", "云朵"),
}
"""Pictograms, in the same order in both languages."""

KINDS: dict[str, dict[Lang, str]] = {
    "window": {"en": "window", "zh": "窗口"},
    "menu": {"en": "menu", "zh": "菜单"},
    "button": {"en": "button", "zh": "按钮"},
    "field": {"en": "field", "zh": "输入框"},
    "icon": {"en": "icon", "zh": "图标"},
}
"""Kinds of elements in the order in which answers list them, and their names."""

WORDS: dict[Lang, tuple[str, ...]] = {
    lang: (*BUTTONS[lang], *FIELDS[lang], *MENUS[lang], *WINDOWS[lang]) for lang in ("en", "zh")
}
"""Everything that is written on screens."""

LETTERS = "".join(sorted({letter for words in WORDS.values() for word in words for letter in word}))
"""All letters of it."""


def element_phrase(kind: str, text: str, lang: Lang) -> str:
    """Return what people call an element, such as "the Save button"."""
    name = KINDS[kind][lang]
    return f"the {text} {name}" if lang == "en" else f"{text}{name}"


def click_answer(x: int, y: int, lang: Lang) -> str:
    """Write the answer of a click on a point in px of the prepared image.

    The sentence, which is free text, names the point in coordinate tokens, which image tokens learn to name: the digits
    of the call only transcribe them.
    """
    point = f"<x_{x}><y_{y}>"
    action = {"en": f"Action: click {point}.", "zh": f"Action: 点击{point}。"}[lang]
    call = f'{{"name": "computer_use", "arguments": {{"action": "left_click", "coordinate": [{x}, {y}]}}}}'
    return f"{action}\n<tool_call>{call}</tool_call>"


def shows(title: str, lang: Lang) -> str:
    """Describe a screen whose window has a title."""
    return f"The screen shows the window {title}." if lang == "en" else f"屏幕上有窗口{title}。"


def instruction(kind: str, text: str, lang: Lang, which: int) -> str:
    """Return one of two ways of telling somebody to use an element."""
    phrase = element_phrase(kind, text, lang)
    if lang == "en":
        return (f"Click {phrase}.", f"Select {phrase}.")[which]
    return (f"点击{phrase}。", f"选择{phrase}。")[which]
