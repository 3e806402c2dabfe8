"""The model's chat template, and the wording of every task. Nothing here knows an engine or an answer's grammar.

Wordings are the strings the model was trained to answer (Youtu-VL report, arXiv 2601.19798, appendix A.1, and the
public demo of its repository); changing a word costs accuracy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Lang = Literal["en"]

VISION_START = "<|vision_start|>"
VISION_END = "<|vision_end|>"

DEPTH_DATA_SETS = {"open": None, "nyuv2": "NYUv2", "cityscapes": "Cityscapes", "ddad": "DDAD"}
"""Data-set name in the prompt, by depth scale; open-world depth has none."""


@dataclass(frozen=True)
class Wording:
    """What is asked for every task, in one language. `{}` in a wording is where the caller's words go."""

    describe: str
    ocr: str
    classify: str
    count: str
    ground: str
    detect_all: str
    detect_some: str
    polygon: str
    pose: str
    """Names the order of `types.MPII_JOINTS`."""
    segment_all: str
    segment_some: str
    segment_with_background: str
    core: str
    """Asked on a crop with the target's box drawn on it."""
    depth: str
    depth_before: str
    """Text before the image that selects a data set's depth range."""
    between_names: str
    """What stands between the names of a list."""

    def detect(self, classes: Sequence[str] | None) -> str:
        """Ask for the boxes of `classes`, or of everything when None."""
        return self.detect_all if classes is None else self.detect_some.format(self.between_names.join(classes))

    def segment(self, classes: Sequence[str], *, background: bool) -> str:
        """Ask which of `classes` are in the image; the mask itself is computed, not generated."""
        wording = self.segment_with_background if background else self.segment_some
        return wording.format(self.between_names.join(classes))

    def before_depth(self, scale: str) -> str:
        """Return the text before the image that selects `scale`; empty for open-world depth."""
        data_set = DEPTH_DATA_SETS[scale]
        return self.depth_before.format(data_set) if data_set else ""


ENGLISH = Wording(
    describe="Describe this image in detail.",  # ours: the report names no fixed wording for captions
    ocr="Read the text in this image.",  # ours: nor for reading text
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
)

WORDINGS: dict[Lang, Wording] = {"en": ENGLISH}
"""Wordings by language."""


def opening(system: str, before: str) -> str:
    """Return everything up to the image: the system turn, and the user's turn up to `<|vision_start|>`."""
    return f"<|begin_of_text|>system\n{system}<|end_of_text|>\n<|begin_of_text|>user\n{before}{VISION_START}"


def closing(question: str) -> str:
    """Return everything from the question to the place where the answer begins; `<|vision_end|>` is not in it."""
    return f"{question}<|end_of_text|>\n<|begin_of_text|>assistant\n"
