"""The model's chat template, and the wording of every task. Nothing here knows an engine or an answer's grammar.

Wordings are the strings the model was trained to answer (Youtu-VL report, arXiv 2601.19798, appendix A.1, and the
public demo of its repository); changing a word costs accuracy.
"""

from collections.abc import Sequence

VISION_START = "<|vision_start|>"
VISION_END = "<|vision_end|>"

DESCRIBE = "Describe this image in detail."
"""Ours: the report names no fixed wording for captions."""

OCR = "Read the text in this image."
"""Ours: the report names no fixed wording for reading text."""

CLASSIFY = "What is the category of the primary object in this image? Answer the question with a single word or phrase."
DETECT_ALL = "Detect all objects in the provided image."
SEGMENT_ALL = "Segment all objects in this image."
DEPTH = "Estimate the depth."
CORE = "Segment the core target."
"""Asked on a crop with the target's box drawn on it."""

POSE = (
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
)
"""Names the order of `types.MPII_JOINTS`."""

DEPTH_BEFORE = "Please estimate the depth of this image from the {data_set} dataset."
"""Text before the image that selects a data set's depth range."""

DEPTH_DATA_SETS = {"open": None, "nyuv2": "NYUv2", "cityscapes": "Cityscapes", "ddad": "DDAD"}
"""Data-set name in the prompt, by depth scale; open-world depth has none."""


def opening(system: str, before: str) -> str:
    """Return everything up to the image: the system turn, and the user's turn up to `<|vision_start|>`."""
    return f"<|begin_of_text|>system\n{system}<|end_of_text|>\n<|begin_of_text|>user\n{before}{VISION_START}"


def closing(question: str) -> str:
    """Return everything from the question to the place where the answer begins; `<|vision_end|>` is not in it."""
    return f"{question}<|end_of_text|>\n<|begin_of_text|>assistant\n"


def ground(phrase: str) -> str:
    """Ask for the box of one described region."""
    return f"Please provide the bounding box coordinate of the region this sentence describes: {phrase}"


def detect(classes: Sequence[str] | None) -> str:
    """Ask for the boxes of `classes`, or of everything when None."""
    if classes is None:
        return DETECT_ALL
    return f"Detect all objects in these classes: {', '.join(classes)}"


def count(what: str) -> str:
    """Ask how many of something there are."""
    return f"How many {what} are there in the image? Output the final answer as a single number."


def polygon(phrase: str) -> str:
    """Ask for the outline of one described object."""
    return f'Can you segment "{phrase}" in this image?'


def segment(classes: Sequence[str], *, background: bool) -> str:
    """Ask which of `classes` are in the image; the mask itself is computed, not generated."""
    names = ", ".join(classes)
    return f"Segment: {names}" if background else f"Segment: {names}, without the background class."


def depth_before(scale: str) -> str:
    """Return the text before the image that selects `scale`; empty for open-world depth."""
    data_set = DEPTH_DATA_SETS[scale]
    return DEPTH_BEFORE.format(data_set=data_set) if data_set else ""
