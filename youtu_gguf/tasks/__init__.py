"""Every task the package does, by name. A new one is a file here and a line in `TASKS`."""

from youtu_gguf.tasks.base import COORDINATE_TOKENS, Task
from youtu_gguf.tasks.boxes import detect, ground
from youtu_gguf.tasks.depth import depth
from youtu_gguf.tasks.polygon import polygon
from youtu_gguf.tasks.segment import segment
from youtu_gguf.tasks.text import ask, describe

TASKS: dict[str, Task] = {
    "ask": Task(ask),
    "describe": Task(describe),
    "ground": Task(ground, COORDINATE_TOKENS),
    "detect": Task(detect, COORDINATE_TOKENS),
    "polygon": Task(polygon, COORDINATE_TOKENS),
    "segment": Task(segment),
    "depth": Task(depth),
}
