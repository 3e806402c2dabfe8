"""What is published about the model, as constants, in the order of docs/facts.md, which names the sources.

Docstrings cite a section of that page as "facts: ...". Each fact stands here once.
"""

from dataclasses import dataclass

# Files

REPOSITORY = "tencent/Youtu-VL-4B-Instruct-GGUF"
"""The published model on Hugging Face (facts: files)."""

PUBLISHED_BYTES = {"Q8_0": 5_211_323_488, "F16": 9_800_262_688}
PUBLISHED_PROJECTOR_BYTES = 893_397_344
"""Sizes of the published files, by encoding: that of Q8_0 and the projector's are known, that of F16 follows from the
shapes and from the metadata of Q8_0 (facts: files)."""

# Shapes

LANGUAGE_ARCHITECTURE, PROJECTOR_ARCHITECTURE, PROJECTOR_TYPE = "deepseek2", "clip", "youtuvl"
"""llama.cpp's names of the two parts, and of the projector's kind (facts: shapes)."""

PATCH_PX, MERGE = 16, 2
"""Pixels per patch and patches per image token, per axis (facts: shapes)."""

TOKEN_PX = PATCH_PX * MERGE
"""Prepared pixels per image token and axis (facts: shapes)."""

NORM_EPS = 1e-6
"""Of the RMS norms and of the layer norms (facts: shapes)."""

ROPE_BASE = 500_000.0
"""Rotary base of the language model (facts: shapes)."""


@dataclass(frozen=True)
class LanguageShape:
    """A language model: multi-head latent attention, dense feed-forward layers."""

    n_layer: int
    n_embd: int
    n_ff: int
    n_head: int
    q_lora: int
    kv_lora: int
    qk_nope: int
    qk_rope: int
    v_head: int
    n_ctx: int = 32_768


@dataclass(frozen=True)
class VisionShape:
    """A vision tower; layers outside `full_layers` attend inside windows of `window_px` pixels."""

    n_layer: int
    n_embd: int
    n_ff: int
    n_head: int
    full_layers: tuple[int, ...]
    window_px: int = 256


LANGUAGE = LanguageShape(40, 2560, 9728, 32, q_lora=1536, kv_lora=512, qk_nope=128, qk_rope=64, v_head=128)
VISION = VisionShape(27, 1152, 4304, 16, full_layers=(7, 15, 23, 26))
"""The published model (facts: shapes)."""

# Tokens

BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
VISION_TOKENS = (VISION_START, VISION_END, "<|image_pad|>", "<|video_pad|>")
"""Control tokens (facts: tokens)."""

PROMPT_TOKENS = (BEGIN, END, VISION_START, VISION_END)
"""Tokens that every prompt is built from (facts: prompt)."""

N_BASE, N_CONTROL = 128_000, 262
"""Tokens of text, and control tokens before those of vision (facts: tokens)."""

N_CODEBOOK = 150_000
"""Codebook entries: training targets, in no prompt and in no answer (facts: tokens)."""

N_COORDINATES = 2048
"""Values per axis: `<x_0>`..`<x_2047>` and the same for y, interleaved (facts: tokens)."""

COORDINATE_TOKENS = ("<x_0>", "<y_0>", f"<x_{N_COORDINATES - 1}>", f"<y_{N_COORDINATES - 1}>")
"""First and last coordinate tokens: a vocabulary that has these has the run between them (facts: tokens)."""

N_BINS = 1000
"""Depth bins (facts: tokens)."""

BIN_TOKENS = tuple(f"<custom_{b}>" for b in range(1, N_BINS + 1))
"""Tokens of the depth bins, nearest first (facts: tokens)."""

N_TAG_SLOTS = 23
"""Entries after the depth bins (facts: tokens)."""

N_TOKENS = N_BASE + N_CONTROL + len(VISION_TOKENS) + 1 + N_CODEBOOK + 2 * N_COORDINATES + N_BINS + N_TAG_SLOTS
"""Tokens in all: 283,386 (facts: shapes). One of unknown use stands between those of vision and the codebook."""

BLOCK_TAGS = ("ref", "box", "ins", "poly", "person", "kpt", "mask")
BARE_TAGS = ("depth", "BG", "FG", "OTHERS")
TAGS = (*(tag for name in BLOCK_TAGS for tag in (f"<{name}>", f"</{name}>")), *(f"<{name}>" for name in BARE_TAGS))
"""Tags seen in answers: names of those that open and close a block, of those that stand alone, and all as written
(facts: answers by task)."""

SPELLED_TAGS = ("<mask>", "</mask>", "<depth>")
"""Tags that are no tokens of their own (facts: tokens)."""

# Prompt

PRE_TOKENIZER = "youtu"
"""llama.cpp's name of how text is split (facts: prompt)."""

DEFAULT_SYSTEM = "You are a helpful assistant."
"""System prompt of the model's chat template, always present (facts: prompt)."""

TEMPERATURE, TOP_P, REPEAT_PENALTY = 0.1, 0.001, 1.05
MAX_ANSWER_TOKENS, MAX_IMAGE_TOKENS = 12_280, 2048
"""Documented sampling, and the most new tokens and image tokens (facts: prompt)."""

# Image preparation

SCALE_STEP = 0.02
"""Decrement of the scale while the prepared size is searched (facts: image preparation)."""

# Answers by task

MAX_OUTLINE_POINTS = 20
"""Most points per outline that the model was trained to write (facts: answers by task)."""

N_JOINTS = 16
"""Joints of the MPII Human Pose data set (facts: answers by task; the pose prompt lists them in this order)."""

MPII_JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
    "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
    "left_wrist",
)  # fmt: skip

MPII_SKELETON = (
    (0, 1), (1, 2), (2, 6), (3, 6), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (10, 11), (11, 12), (12, 7), (13, 7),
    (13, 14), (14, 15),
)  # fmt: skip
"""Pairs of joint indices that are drawn as limbs."""

# Dense maps

CLASS_TEMPERATURE = 0.2
"""Softmax temperature over classes, used without background (facts: dense maps, 3)."""

OPEN_FOCAL_PX = 2000.0
"""Focal length, in pixels of the prepared image, at which open-world distances are metres (facts: dense maps, 5)."""


@dataclass(frozen=True)
class DepthScale:
    """Distances of the bins 1..1000, from `near_m` to `far_m` metres, in equal steps or (`log`) equal ratios.

    `focal_px` is the focal length at which the metres hold; None where the range belongs to one data set's camera.
    `data_set` is that data set's name, which the prompt gives.
    """

    near_m: float
    far_m: float
    log: bool = False
    focal_px: float | None = None
    data_set: str | None = None


DEPTH_SCALES = {
    "open": DepthScale(0.5, 100.0, log=True, focal_px=OPEN_FOCAL_PX),
    "nyuv2": DepthScale(0.0, 10.0, data_set="NYUv2"),
    "cityscapes": DepthScale(0.0, 80.0, data_set="Cityscapes"),
    "ddad": DepthScale(0.05, 120.0, data_set="DDAD"),
}
"""Ranges the model was trained on, by the name a caller gives (facts: dense maps, 5)."""

CROP_SIZE, PADDING, LINE_PX = 1280, 1.2, 1
"""Of an enlarged crop: short side in pixels, sides relative to those of the box, and thickness in source pixels of the
line around the box (facts: dense maps, 6)."""

MOST_INSTANCES = 30
"""Boxes that are masked, the largest first (facts: dense maps, 7)."""

MERGE_IOU = 0.7
"""Boxes of one label that overlap by more are the same object (facts: dense maps, 8)."""

MAX_ZOOM = 4.0
"""The largest zoom that the reference evaluates with (facts: dense maps, 8)."""
