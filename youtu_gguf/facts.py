"""What is published about the model, as constants. docs/facts.md names the sources; docstrings cite it as "facts"."""

TOKEN_PX = 32
"""Prepared pixels per image token and axis: patch 16 x merge 2 (facts: image preparation)."""

DEFAULT_SYSTEM = "You are a helpful assistant."
"""System prompt of the model's chat template, always present (facts: prompt)."""

N_JOINTS = 16
"""Joints of the MPII Human Pose data set (facts: the pose prompt lists them in this order)."""

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
