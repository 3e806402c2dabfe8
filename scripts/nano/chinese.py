"""Chinese for nano's classes, colours and phrases."""

from __future__ import annotations

import re
from collections.abc import Mapping

CHINESE_NAMES: Mapping[str, str] = {
    "circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "星形", "cross": "十字形", "person": "人",
    "sign": "牌子", "sky": "天空", "grass": "草地", "sand": "沙地", "brick wall": "砖墙", "wood wall": "木墙",
    "wood floor": "木地板", "stone floor": "石地板", "red": "红色", "green": "绿色", "blue": "蓝色", "yellow": "黄色",
    "purple": "紫色", "white": "白色", "object": "物体", "cat": "猫", "dog": "狗", "car": "汽车", "tree": "树",
    "house": "房子", "bicycle": "自行车", "chair": "椅子", "cup": "杯子", "bird": "鸟",
}  # fmt: skip
"""English class, colour, or name of something that is never drawn, to Chinese."""

CHINESE_WHICH: Mapping[str, str] = {
    "left": "左边的", "right": "右边的", "leftmost": "最左边的", "rightmost": "最右边的", "largest": "最大的",
    "smallest": "最小的", "nearest": "最近的", "farthest": "最远的",
}  # fmt: skip
_COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
_PHRASE = re.compile(rf"(?:the )?(?:({'|'.join(CHINESE_WHICH)}) )?(?:({'|'.join(_COLOURS)}) )?([a-z ]+)")
CHINESE_NUMBERS = ("零", "一", "两", "三", "四", "五", "六")


def chinese_phrase(english: str) -> str:
    """Return the Chinese of a class, or of a phrase such as "the left red circle"; KeyError if a word is unknown."""
    found = _PHRASE.fullmatch(english)
    if found is None:
        raise KeyError(english)
    which, colour, name = found.groups()
    before = CHINESE_WHICH[which] if which else ""
    if colour:
        before += CHINESE_NAMES[colour] + ("的" if name == "person" else "")
    return before + CHINESE_NAMES[name]
