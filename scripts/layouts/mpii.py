"""Drawn scenes with persons in the layout of MPII's validation split, as HRNet and others read it."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

from scripts.nano.scenes import TEST_SEEDS, Thing, draw
from youtu_gguf.facts import MPII_JOINTS

NECK, HEAD_TOP = MPII_JOINTS.index("upper_neck"), MPII_JOINTS.index("head_top")
_HEAD_WIDTH = 0.75  # of its height
PERSON_PX = 200


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` images with one person at least, and their annotations, below `folder`.

    Joints that are hidden are annotated all the same, as MPII's are, but for one wrist of every other person.

    Args:
        folder: Made where it is not there.
        n: How many.
        seed: Other seeds give other scenes.
    """
    for name in ("annot", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    heads = []
    drawn = (draw(TEST_SEEDS + seed * 1_000_000 + i) for i in count())
    for _, scene in zip(range(n), (s for s in drawn if any(t.kind == "person" for t in s.things)), strict=False):
        name = f"{scene.seed:09d}.png"
        Image.fromarray(scene.rgb).save(folder / "images" / name)
        for person in (thing for thing in scene.things if thing.kind == "person"):
            record, head = _annotation(person, wrist_missing=len(records) % 2 == 1)
            records.append({"image": name, **record})
            heads.append(head)
    (folder / "annot" / "valid.json").write_text(json.dumps(records))
    joints = np.array([record["joints"] for record in records])
    savemat(
        folder / "annot" / "gt_valid.mat",
        {
            "dataset_joints": np.array([list(MPII_JOINTS)], object),
            "jnt_missing": 1 - np.array([record["joints_vis"] for record in records]).T,
            "pos_gt_src": joints.transpose(1, 2, 0),
            "headboxes_src": np.array(heads).transpose(1, 2, 0),
        },
    )


def _annotation(person: Thing, *, wrist_missing: bool) -> tuple[dict[str, Any], Any]:
    """Return a person's record, and the corners of the head's box; pixels count from 1."""
    assert person.joints is not None
    joints = person.joints[:, :2].astype(float) + 1
    visible = [1] * len(joints)
    if wrist_missing:
        joints[-1], visible[-1] = 0, 0
    left, top, right, bottom = person.box
    middle, height = (joints[NECK] + joints[HEAD_TOP]) / 2, np.linalg.norm(joints[NECK] - joints[HEAD_TOP])
    half = np.array([_HEAD_WIDTH * height / 2, height / 2])
    record = {
        "joints": joints.tolist(),
        "joints_vis": visible,
        "center": [(left + right) / 2 + 1, (top + bottom) / 2 + 1],
        "scale": (bottom - top) / PERSON_PX,
    }
    return record, np.array([middle - half, middle + half])
