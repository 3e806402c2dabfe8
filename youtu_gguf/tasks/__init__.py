"""Every task the package does, by name. A new one is a file here and a line in `TASKS`."""

from youtu_gguf.facts import COORDINATE_TOKENS
from youtu_gguf.tasks.boxes import detect, ground
from youtu_gguf.tasks.click import click
from youtu_gguf.tasks.counting import count
from youtu_gguf.tasks.declaration import Task
from youtu_gguf.tasks.depth import depth
from youtu_gguf.tasks.instances import instances
from youtu_gguf.tasks.polygon import polygon
from youtu_gguf.tasks.pose import pose
from youtu_gguf.tasks.refer import refer
from youtu_gguf.tasks.segment import segment
from youtu_gguf.tasks.text import ask, classify, describe, ocr, reason

TASKS: dict[str, Task] = {
    "ask": Task(ask),
    "describe": Task(describe),
    "reason": Task(reason),
    "ocr": Task(ocr),
    "classify": Task(classify),
    "count": Task(count),
    "ground": Task(ground, COORDINATE_TOKENS),
    "detect": Task(detect, COORDINATE_TOKENS),
    "polygon": Task(polygon, COORDINATE_TOKENS),
    "pose": Task(pose, COORDINATE_TOKENS),
    "refer": Task(refer),
    "instances": Task(instances, COORDINATE_TOKENS),
    "segment": Task(segment),
    "depth": Task(depth),
    "click": Task(click),
}
