"""The model's chat template, and the wording of every task. Nothing here knows an engine or an answer's grammar.

English wordings are the strings the model was trained to answer (Youtu-VL report, arXiv 2601.19798, appendix A.1, and
the public demo of its repository); changing a word costs accuracy. Our own are marked.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from youtu_gguf.facts import (
    BARE_TAGS,
    BEGIN,
    BLOCK_TAGS,
    DEFAULT_SYSTEM,
    DEPTH_SCALES,
    END,
    VISION_END,
    VISION_START,
)
from youtu_gguf.types import Lang, Part, Turn


@dataclass(frozen=True)
class Wording:
    """The wording of every task, in one language. `{}` in a wording is where the caller's words go."""

    describe: str
    ocr: str
    classify: str
    count: str
    ground: str
    detect_all: str
    detect_some: str
    polygon: str
    pose: str
    """Names the order of `facts.MPII_JOINTS`."""
    segment_all: str
    segment_some: str
    segment_with_background: str
    core: str
    """Asked on a crop with the target's box drawn on it."""
    depth: str
    depth_before: str
    """Text before the image that selects a data set's depth range."""
    between_names: str
    """Separator of the names in a list."""
    full_stop: str
    """Follows the last name of a list where `Calibration.final_period` says so."""
    think: str
    """Asks a question so that its answer reasons first."""
    click: str
    """System text that declares a tool, which goes into `{}`: see `computer_use`."""

    def detect(self, classes: Sequence[str] | None) -> str:
        """Ask for the boxes of `classes`, or of everything when None."""
        return self.detect_all if classes is None else self.detect_some.format(self.between_names.join(classes))

    def segment(self, classes: Sequence[str], *, background: bool, final_period: bool = False) -> str:
        """Ask which of `classes` are in the image; the mask itself is computed, not generated."""
        wording = self.segment_with_background if background else self.segment_some
        return wording.format(self.between_names.join(classes) + self.full_stop * final_period)

    def clicking(self, width: int, height: int) -> str:
        """Return the system text for clicks on a screenshot prepared to `width` x `height` pixels."""
        return self.click.format(computer_use(width, height))

    def before_depth(self, scale: str) -> str:
        """Return the text before the image that selects `scale`; empty for open-world depth."""
        data_set = DEPTH_SCALES[scale].data_set
        return self.depth_before.format(data_set) if data_set else ""


ENGLISH = Wording(
    describe="Describe this image in detail.",  # our own: the report gives no fixed wording for captions
    ocr="Read the text in this image.",  # our own, likewise
    classify=(
        "What is the category of the primary object in this image? Answer the question with a single word or phrase."
    ),
    count="How many {} are there in the image? Output the final answer as a single number.",
    ground="Please provide the bounding box coordinate of the region this sentence describes: {}",
    detect_all="Detect all objects in the provided image.",
    detect_some="Detect all objects in these classes: {}",
    polygon='Can you segment "{}" in this image?',
    pose=(
        "Detect all persons and their poses from the image within the class set of MPII Human Pose Dataset. The "
        "output format should be a JSON-like string, containing person instances. Each person instance is "
        "enclosed in <person>...</person> tags. Within each person instance, provide the bounding box using "
        "<box>...</box> tags and their 16 keypoints using <kpt>...</kpt> tags. The bounding box is defined by "
        "<x_x1><y_y1><x_x2><y_y2> tags, and each keypoint is defined by <x_...><y_...><v_...> tags, where x, y "
        "are coordinates and v is visibility. The joints must be in this specific order: (0) right_ankle, (1) "
        "right_knee, (2) right_hip, (3) left_hip, (4) left_knee, (5) left_ankle, (6) pelvis, (7) thorax, (8) "
        "upper_neck, (9) head_top, (10) right_wrist, (11) right_elbow, (12) right_shoulder, (13) left_shoulder, "
        "(14) left_elbow, (15) left_wrist. Please output all detected persons with their bounding boxes and "
        "keypoints."
    ),
    segment_all="Segment all objects in this image.",
    segment_some="Segment: {}, without the background class.",
    segment_with_background="Segment: {}",
    core="Segment the core target.",
    depth="Estimate the depth.",
    depth_before="Please estimate the depth of this image from the {} dataset.",
    between_names=", ",
    full_stop=".",
    think="{}\nThink step-by-step.",
    click=(  # our own: see `computer_use`
        "You operate a computer for its user. The picture is a screenshot of what it shows now. To do what the user "
        "asks, call this function:\n{}\n"
        "Answer with `Action:` and a sentence about what you do, and then with the call, as JSON between tags:\n"
        '<tool_call>{{"name": "computer_use", "arguments": {{...}}}}</tool_call>'
    ),
)

CHINESE = Wording(
    describe="请详细描述这张图片。",
    ocr="请读出这张图片中的文字。",
    classify="这张图片中的主要物体属于什么类别？请用一个词或短语回答。",
    count="图片中有多少个{}？请将最终答案输出为一个数字。",
    ground="请给出这句话所描述区域的边界框坐标：{}",
    detect_all="检测所给图片中的所有物体。",
    detect_some="检测属于以下类别的所有物体：{}",
    polygon="你能在这张图片中分割出“{}”吗？",
    pose=(
        "请按照MPII人体姿态数据集的类别集合，检测图片中的所有人及其姿态。输出格式应为类似JSON的字符串，其中包含各个人物实例。"
        "每个人物实例放在<person>...</person>标签中。在每个人物实例中，用<box>...</box>标签给出边界框，"
        "用<kpt>...</kpt>标签给出16个关键点。边界框由<x_x1><y_y1><x_x2><y_y2>标签定义，"
        "每个关键点由<x_...><y_...><v_...>标签定义，其中x、y为坐标，v为可见性。关节必须按以下特定顺序排列："
        "(0) right_ankle，(1) right_knee，(2) right_hip，(3) left_hip，(4) left_knee，(5) left_ankle，(6) pelvis，"
        "(7) thorax，(8) upper_neck，(9) head_top，(10) right_wrist，(11) right_elbow，(12) right_shoulder，"
        "(13) left_shoulder，(14) left_elbow，(15) left_wrist。请输出所有检测到的人及其边界框和关键点。"
    ),
    segment_all="分割这张图片中的所有物体。",
    segment_some="分割：{}，不包含背景类别。",
    segment_with_background="分割：{}",
    core="分割核心目标。",
    depth="估计深度。",
    depth_before="请估计这张来自{}数据集的图片的深度。",
    between_names="、",
    full_stop="。",
    think="{}\n请逐步思考。",
    click=(
        "你为用户操作一台电脑。图片是电脑当前画面的截图。请调用以下函数来完成用户的要求：\n{}\n"
        "回答时先写`Action:`并用一句话说明你要做什么，然后给出调用，写成标签之间的JSON：\n"
        '<tool_call>{{"name": "computer_use", "arguments": {{...}}}}</tool_call>'
    ),
)
"""Our own translations. The report says that questions in Chinese work too, but does not print them all: we do not
know these strings to be among the model's training data. Tags and names of joints stay as answers write them."""

WORDINGS: dict[Lang, Wording] = {"en": ENGLISH, "zh": CHINESE}
"""Wordings by language."""

SCREEN_ACTIONS = ("left_click", "double_click", "right_click", "drag", "move", "scroll", "type", "key", "wait")
"""Actions that `computer_use` offers; the first is the published one (facts: answers by task, click)."""


def computer_use(width: int, height: int) -> str:
    """Return the tool that clicks are declared with, as a JSON function schema on one line.

    A guess: the report shows a `computer_use` tool in the system text and what a call of it looks like (facts: answers
    by task, click), not the declaration. This one is in our words. It holds the size of the prepared image in pixels,
    which coordinates are in.
    """
    point = f"[x, y] in pixels of the screenshot, which is {width} wide and {height} high; [0, 0] is its top left."
    parameters = {
        "action": {"type": "string", "enum": SCREEN_ACTIONS, "description": "What to do."},
        "coordinate": {"type": "array", "items": {"type": "number"}, "description": f"Where to do it: {point}"},
        "text": {"type": "string", "description": "What to type, or the key to press."},
    }
    function = {
        "name": "computer_use",
        "description": "Use the mouse and the keyboard of the computer.",
        "parameters": {"type": "object", "properties": parameters, "required": ["action"]},
    }
    return json.dumps({"type": "function", "function": function})


class Control(str):
    """A control token of the chat template. All other parts of a prompt are words, read as text whatever they spell."""

    __slots__ = ()


TAG = re.compile(
    rf"</?(?:{'|'.join((*BLOCK_TAGS, 'tool_call'))})>|<(?:{'|'.join(BARE_TAGS)}|[xy]_\d+|v_[\d.]+|custom_\d+)>"
)
"""Tags, coordinates and depth bins of the answers' grammar (facts: answers by task). Words may hold them: the wording
of poses does, and so may a question about `<box><x_40><y_60><x_200><y_300></box>`. They are read as the model's tokens
of that name, whatever their type in the file, because they can neither end a turn nor stand for an image."""

ZERO_WIDTH_SPACE = "\u200b"

_OPENS_CONTROL = re.compile(r"<(?=[|\uff5c]|__)")
"""How the control tokens of this model and others begin, and the marks that servers put in place of an image."""


def opening(system: str, parts: Sequence[Part] = (), turns: Sequence[Turn] = ()) -> tuple[Part, ...]:
    """Return the parts of a prompt up to the question: the system turn, earlier turns, and the user's turn so far.

    Args:
        system: The system text.
        parts: Words and images of the user before the question.
        turns: Earlier turns.

    Returns:
        Control tokens, words and images. Words at the end belong to one text with those of the question: see `closing`.
    """
    found: list[Part] = [Control(BEGIN), f"system\n{system}", *_ENDED]
    for turn in turns:
        # An answer is text of its own: the model wrote it after the words that `closing` ends with.
        found += [*_opened("user", turn.parts), *_ENDED, Control(BEGIN), "assistant\n", str(turn.answer), *_ENDED]
    return (*found, *_opened("user", parts))


def closing(question: str) -> tuple[str, ...]:
    """Return the parts from the question to the place where the answer begins."""
    return question, *_ENDED, Control(BEGIN), "assistant\n"


_ENDED = (Control(END), "\n")


def _opened(role: str, parts: Sequence[Part]) -> list[Part]:
    """Return a turn without its end; words that follow each other are one text."""
    found: list[Part] = [Control(BEGIN), f"{role}\n"]
    for part in parts:
        last = found[-1]
        if not isinstance(part, str):
            found += [Control(VISION_START), part, Control(VISION_END)]
        elif isinstance(last, str) and not isinstance(last, Control):
            found[-1] = f"{last}{part}"
        else:
            found.append(part)
    return found


def as_words(text: str, control: Collection[str] = ()) -> str:
    """Return `text` for a server, which looks for control tokens in it: with a zero-width space inside each of them.

    The words look the same, and the model reads them as text. Tags and coordinates stay as they are: see `TAG`.

    Args:
        text: What a caller wrote.
        control: Further control tokens of the server's model, besides those that begin as `<|` does.
    """
    text = _OPENS_CONTROL.sub("<" + ZERO_WIDTH_SPACE, text)
    found = "|".join(re.escape(token) for token in control if len(token) > 1 and not TAG.fullmatch(token))
    return re.sub(f"(?={found})(.)", rf"\1{ZERO_WIDTH_SPACE}", text, flags=re.DOTALL) if found else text


TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}"
    f"{{{{ '{BEGIN}system\\n{DEFAULT_SYSTEM}{END}\\n' }}}}"
    "{% endif %}{% for message in messages %}"
    f"{{{{ '{BEGIN}' + message['role'] + '\\n' }}}}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}"
    f"{{{{ '{VISION_START}<|image_pad|>{VISION_END}' }}}}"
    "{% endif %}{% endfor %}{% endif %}"
    f"{{{{ '{END}\\n' }}}}"
    "{% endfor %}{% if add_generation_prompt %}"
    f"{{{{ '{BEGIN}assistant\\n' }}}}"
    "{% endif %}"
)
"""What `opening` and `closing` say, as a Jinja template on one line, for programs that apply one themselves. A model
file need not hold it, and llama-server then takes ChatML without a word."""
