"""Masks, label maps and colours in the page, held to pycocotools and to the package's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as coco

from tests.page.conftest import OpenTab
from youtu_gguf.types.colours import colour

Bools = npt.NDArray[np.bool_]

PATCHES = """async (masks) => {
  const { difference, patchOfRle, rleOfPatch, union, whole } = await import("/static/patches.js");
  const patches = masks.map(patchOfRle);
  const [height, width] = masks[0].size;
  const told = (patch) => {
    return { rle: rleOfPatch(patch, width, height), area: patch.area, bits: [...whole(patch, width, height)] };
  };
  const [first, second] = patches;
  return { each: patches.map(told), union: told(union(first, second)), difference: told(difference(first, second)) };
}"""

PAINTED = """async ({ masks, labels, frame }) => {
  const { paint } = await import("/static/shapes.js");
  const { loadPixels } = await import("/static/labels.js");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [frame.width, frame.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const common = { key: "x", card: null, name: "", visible: true, opacity: 1, colour: "#e69f00" };
  const painted = async (layer) => {
    context.clearRect(0, 0, frame.width, frame.height);
    await loadPixels(layer);
    paint(context, layer, { ...frame });
    return [...context.getImageData(0, 0, frame.width, frame.height).data];
  };
  return {
    mask: await painted({ ...common, kind: "mask", result: masks }),
    labels: await painted({ ...common, kind: "labels", result: labels }),
  };
}"""


def rle(bits: Bools) -> dict[str, Any]:
    told = coco.encode(np.asfortranarray(bits.astype(np.uint8)))
    return {"size": told["size"], "counts": told["counts"].decode("ascii")}


def noise(seed: int, share: float) -> Bools:
    found: Bools = np.random.default_rng(seed).uniform(size=(37, 53)) < share
    return found


def disc() -> Bools:
    y, x = np.mgrid[:37, :53]
    inside: Bools = (x - 20) ** 2 + (y - 18) ** 2 < 150
    return inside


SHAPES: dict[str, Callable[[], Bools]] = {
    "disc": disc,
    "noise": lambda: noise(3, 0.5),
    "nothing": lambda: np.zeros((37, 53), np.bool_),
    "everything": lambda: np.ones((37, 53), np.bool_),
    "first and last pixel": lambda: (np.arange(37 * 53) % (37 * 53 - 1) == 0).reshape(37, 53),
    "bottom rows": lambda: np.repeat(np.arange(37)[:, None] > 30, 53, axis=1),
    "right columns": lambda: np.repeat(np.arange(53)[None] > 40, 37, axis=0),
}


def test_masks_are_read_written_united_and_subtracted_as_pycocotools_does(open_tab: OpenTab) -> None:
    tab = open_tab()
    other = noise(4, 0.3)
    for name, shape in SHAPES.items():
        bits = shape()
        found = tab.page.evaluate(PATCHES, [rle(bits), rle(other)])

        for part, expected in zip(
            [*found["each"], found["union"], found["difference"]],
            [bits, other, bits | other, bits & ~other],
            strict=True,
        ):
            assert part["rle"] == rle(expected), name
            assert part["area"] == expected.sum()
            assert part["bits"] == expected.ravel().astype(int).tolist()


def test_runs_of_another_length_than_the_picture_are_refused(open_tab: OpenTab) -> None:
    told = rle(disc())
    told["size"] = [36, 53]
    with pytest.raises(Exception, match="runs of 1908 pixels expected; got 1961"):
        open_tab().page.evaluate(PATCHES, [told, told])


def test_classes_have_the_colours_of_the_packages_drawings(open_tab: OpenTab) -> None:
    found = open_tab().page.evaluate(
        """async (n) => {
          const { rgbOf } = await import("/static/palette.js");
          return [...Array(n)].map((_, i) => rgbOf(i));
        }""",
        60,
    )
    assert found == [list(colour(i)) for i in range(60)]


def test_pixels_are_painted_where_they_are_at_any_scale(open_tab: OpenTab) -> None:
    bits, scale, dx, dy = disc(), 2.5, 7, -4
    ids = np.where(bits, 1, np.arange(53)[None] // 20 * 2).astype(np.int32)
    ids[:5] = -1
    common = {"raw": "", "finish": "stop", "issues": [], "usage": {}, "timings": {}, "image": "x"}
    names = [f"class {i}" for i in range(300)]  # so many that the server's numbers have 32 bits
    mask = {
        **common,
        "id": "m",
        "type": "Mask",
        "task": "refer",
        "size": [53, 37],
        "mask": rle(bits),
        "area": int(bits.sum()),
        "score": None,
        "xyxy": [8, 6, 33, 31],
    }
    labels = {
        **common,
        "id": "fake",
        "type": "LabelMap",
        "task": "segment",
        "size": [53, 37],
        "classes": names,
        "shares": {},
        "scores": None,
    }
    tab = open_tab()
    tab.page.route("**/v1/results/fake?as=raw", lambda route: route.fulfill(body=ids.astype("<i4").tobytes()))

    frame = {"scale": scale, "dx": dx, "dy": dy, "width": 160, "height": 100}
    found = tab.page.evaluate(PAINTED, {"masks": mask, "labels": labels, "frame": frame})

    y, x = np.mgrid[:100, :160]
    column, row = np.floor((x + 0.5 - dx) / scale).astype(int), np.floor((y + 0.5 - dy) / scale).astype(int)
    is_in = (column >= 0) & (column < 53) & (row >= 0) & (row < 37)
    seen = ids[row.clip(0, 36), column.clip(0, 52)]
    painted = np.array(found["labels"]).reshape(100, 160, 4)
    for i in (0, 1, 2, 4):
        assert (painted[is_in & (seen == i)] == [*colour(i), 255]).all()
    assert (painted[~is_in | (seen < 0)] == 0).all()
    tinted = np.array(found["mask"]).reshape(100, 160, 4)
    inside = is_in & bits[row.clip(0, 36), column.clip(0, 52)]
    assert (tinted[inside] == [*colour(0), 255]).all()
    around = tinted[~inside]
    assert set(np.unique(around[:, 3]).tolist()) == {0, 140}, "outside there is only the dark line"
    assert (around[around[:, 3] == 140][:, :3] == 0).all()


def test_the_classes_of_a_label_map_are_those_of_the_server(open_tab: OpenTab) -> None:
    tab = open_tab()
    sample = tab.page.request.get(f"{tab.origin}/static/sample.webp").body()
    sent = tab.page.request.post(f"{tab.origin}/v1/images", data=sample, headers={"Content-Type": "image/webp"}).json()
    asked = tab.page.request.post(
        f"{tab.origin}/v1/tasks/segment", data={"image": sent["id"], "classes": ["sky", "grass"]}
    ).json()
    raw = tab.page.request.get(f"{tab.origin}/v1/results/{asked['id']}?as=raw").body()
    expected = np.frombuffer(raw, "<i4")

    found = tab.page.evaluate(
        """async (result) => {
          const { idsOf, loadPixels } = await import("/static/labels.js");
          const layer = { key: "x", kind: "labels", result };
          await loadPixels(layer);
          const { ids, background } = idsOf(layer);
          return [...ids].map((id) => (id === background ? -1 : id));
        }""",
        asked,
    )
    assert found == expected.tolist()
