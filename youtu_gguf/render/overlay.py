"""Results drawn over the image they speak of. Every function returns a new (H, W, 3) uint8 image."""

from __future__ import annotations

import numpy as np

from youtu_gguf.render.canvas import Canvas, caption
from youtu_gguf.render.legend import class_legend
from youtu_gguf.types import F32, I32, U8, Action, Boxes, Instances, LabelMap, Mask, Polygons, Poses, each_score
from youtu_gguf.types.colours import BACKGROUND, Colour, colour

OPACITY = 0.55
"""Share of the class colour in a blended pixel: the image stays recognisable under it."""


MARKER = colour(5)
"""Vermilion: rare in the interfaces of programs."""


def draw_boxes(rgb: U8, boxes: Boxes) -> U8:
    """Draw labelled boxes, with their scores where there are any; equal labels share a colour."""
    canvas = Canvas(rgb)
    colours = _colours(boxes.labels)
    for xyxy, label in zip(boxes.xyxy, boxes.labels, strict=True):
        canvas.box(xyxy, colours[label])
    scores = each_score(boxes.scores, len(boxes))
    for xyxy, label, score in zip(boxes.xyxy, boxes.labels, scores, strict=True):  # above all lines
        if text := caption(label, score):
            canvas.label(float(xyxy[0]), float(xyxy[1]), text, colours[label])
    return canvas.pixels()


def draw_polygons(rgb: U8, polygons: Polygons) -> U8:
    """Fill and outline labelled objects, each in its own colour, with their scores where there are any."""
    import cv2

    ids = np.full(rgb.shape[:2], -1, np.int32)
    for i, parts in enumerate(polygons.parts):
        rings = [np.round(ring).astype(np.int32) for ring in parts]
        cv2.fillPoly(ids, rings, i)
    canvas = Canvas(_blend(rgb, ids, len(polygons)))
    texts = map(caption, polygons.labels, each_score(polygons.scores, len(polygons)))
    for i, (parts, text) in enumerate(zip(polygons.parts, texts, strict=True)):
        for ring in parts:
            canvas.outline(ring, colour(i))
        if parts and text:
            left, top = parts[0].min(axis=0).tolist()
            canvas.label(left, top, text, colour(i))
    return canvas.pixels()


def draw_poses(rgb: U8, poses: Poses) -> U8:
    """Draw a box, limbs, joints and the score, if any, per person; joints whose visibility is 0 are left out."""
    canvas = Canvas(rgb)
    for i, (joints, box) in enumerate(zip(poses.xyv, poses.boxes, strict=True)):
        if np.isfinite(box).all():
            canvas.box(box, colour(i))
        shown = joints[:, 2] != 0
        for a, b in poses.skeleton:
            if shown[a] and shown[b]:
                canvas.segment(joints[a, :2].tolist(), joints[b, :2].tolist(), colour(i))
        for x, y in joints[shown, :2].tolist():
            canvas.dot(x, y, colour(i))
    for i, (box, score) in enumerate(zip(poses.boxes, each_score(poses.scores, len(poses)), strict=True)):
        text = caption("", score)
        if text and np.isfinite(box).all():
            canvas.label(float(box[0]), float(box[1]), text, colour(i))
    return canvas.pixels()


def draw_label_map(rgb: U8, labels: LabelMap) -> U8:
    """Tint every pixel with its class's colour and put a legend of those seen below; background stays as it is.

    The legend gives each class's score, where it has one, and its share of the image.
    """
    image = _blend(rgb, labels.ids, len(labels.classes))
    names = map(caption, labels.classes, each_score(labels.scores, len(labels.classes)))
    shares = zip(names, labels.shares, strict=True)
    entries = [(name, colour(i), share) for i, (name, share) in enumerate(shares) if share > 0]
    unlabelled = float(np.mean(labels.ids < 0))
    if unlabelled > 0:
        entries.append(("(no class)", BACKGROUND, unlabelled))
    return np.vstack([image, class_legend(image, entries)])


def draw_instances(rgb: U8, found: Instances) -> U8:
    """Tint and frame every object in a colour of its own, smaller ones over larger; labels and scores lie above all."""
    ids = np.full(rgb.shape[:2], -1, np.int32)
    areas = [int(np.count_nonzero(mask)) for mask in found.masks]
    for i in sorted(range(len(found)), key=lambda i: -areas[i]):
        ids[found.masks[i]] = i
    canvas = Canvas(_blend(rgb, ids, len(found)))
    for i, xyxy in enumerate(found.xyxy):
        canvas.box(xyxy, colour(i))
    texts = map(caption, found.labels, each_score(found.scores, len(found)))
    for i, (xyxy, text) in enumerate(zip(found.xyxy, texts, strict=True)):
        if text:
            canvas.label(float(xyxy[0]), float(xyxy[1]), text, colour(i))
    return canvas.pixels()


def draw_mask(rgb: U8, mask: Mask) -> U8:
    """Tint the region."""
    return _blend(rgb, np.where(mask.bits, 0, -1).astype(np.int32), 1)


def draw_action(rgb: U8, action: Action) -> U8:
    """Mark where an action takes place, with its name beside it; without a point the name stands in the corner."""
    canvas = Canvas(rgb)
    left, bottom = 0.0, 0.0
    if action.xy is not None:
        x, y = action.xy.tolist()
        reach = canvas.marker(x, y, MARKER)
        width, height = canvas.plate_size(action.name)
        left, bottom = x + reach, y - reach
        if left + width > canvas.size[0]:  # no room on the right
            left = x - reach - width
        if left < 0 and bottom < height:  # nor on the left, nor above
            bottom = y + reach + height
    if action.name:
        canvas.label(left, bottom, action.name, MARKER)
    return canvas.pixels()


def _colours(labels: tuple[str, ...]) -> dict[str, Colour]:
    return {label: colour(i) for i, label in enumerate(dict.fromkeys(labels))}


def _blend(rgb: U8, ids: I32, n: int) -> U8:
    """Mix each pixel with the colour of its id, one of n; ids below 0 keep the pixel."""
    table = np.array([*(colour(i) for i in range(n)), (0, 0, 0)], np.float32)
    weight: F32 = np.where(ids >= 0, np.float32(OPACITY), np.float32(0))[..., None]
    mixed = rgb * (1 - weight) + table[ids] * weight
    return np.round(mixed).astype(np.uint8)
