"""Distances in the page: what it computes from a depth map, held to the package's own numbers."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scripts._workbench import Workbench
from tests.page.conftest import OpenTab
from tests.page.tab import Tab
from youtu_gguf.decode.resample import upsample
from youtu_gguf.serve.depth_json import point_cloud
from youtu_gguf.types import F32, DepthMap, Size
from youtu_gguf.types.colours import depth_colours, depth_range

FOCAL_PX = 37.5

GEOMETRY = """async ({ values, width, height, focal, points, pairs }) => {
  const space = await import("/static/space.js");
  const depth = { values: new Float32Array(values), width, height, unit: "m", focalPx: focal };
  const place = (point) => space.placeOf(depth, point, focal);
  return {
    read: points.map((point) => space.pixelDistance(depth, point)),
    places: points.map(place),
    between: points.map(({ x, y }) => space.distanceAt(depth, { x: x + 0.4, y: y - 0.3 })),
    lengths: pairs.map(([a, b]) => space.lengthBetween(place(a), place(b))),
    longer: pairs.map(([a, b]) => space.lengthAtFocal(depth, place(a), place(b), 1.4)),
    sideways: pairs.map(([a, b]) => space.lengthAtFocal({ ...depth, focalPx: null }, place(a), place(b), 1.4)),
    profile: space.profile(depth, points[0], { x: points[0].x + 5, y: points[0].y }),
    outside: [[-0.1, 2], [2, height + 0.1], [NaN, 1]].map(([x, y]) => space.distanceAt(depth, { x, y })),
    spread: space.spreadOf(depth),
    equivalent: space.focalFromEquivalent(26, 4000, 3000),
  };
}"""

PAINTED = """async (result) => {
  const { loadDepth, paintDepth, depthOf } = await import("/static/depth.js");
  const layer = { key: "x", card: null, name: "", kind: "depth", visible: true, opacity: 1, colour: "", result };
  await loadDepth(layer);
  const { width, height } = depthOf(layer);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  paintDepth(context, layer, { scale: 1, dx: 0, dy: 0, width, height });
  return canvas.toDataURL("image/png"); // of opaque pixels, which it keeps
}"""

WITHOUT_WEBGL = """
const getContext = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith("webgl") ? null : getContext.call(this, kind, ...more);
};
"""


def with_holes() -> F32:
    """Return distances some of which are missing, as a data set's scale has them."""
    random = np.random.default_rng(7)
    values = random.uniform(0.5, 9, (9, 12)).astype(np.float32)
    values[random.uniform(size=values.shape) < 0.3] = 0
    values[4, 4:7] = 0
    return values


def known_pixels(values: F32) -> tuple[list[dict[str, float]], Any]:
    rows, columns = np.nonzero(values > 0)
    return [{"x": c + 0.5, "y": r + 0.5} for r, c in zip(rows.tolist(), columns.tolist(), strict=True)], (rows, columns)


def between_pixels(values: F32, points: list[dict[str, float]]) -> list[float | None]:
    """Return what lies beside pixels: means of the valid ones around, where they weigh half, as the decoder resizes.

    A map ten times as fine has its pixels' middles at odd twentieths; (0.4, -0.3) from a middle is between four of
    them, and a bilinear map has their mean there.
    """
    valid = (values > 0).astype(np.float32)
    fine = Size(values.shape[1] * 10, values.shape[0] * 10)
    sums, weights = upsample(np.stack([values * valid, valid]), fine)
    found: list[float | None] = []
    for point in points:
        x, y = round((point["x"] + 0.4) * 10), round((point["y"] - 0.3) * 10)
        around = (slice(max(0, y - 1), y + 1), slice(max(0, x - 1), x + 1))
        weight = weights[around].mean()
        found.append(float(sums[around].mean() / weight) if weight >= 0.5 else None)
    return found


def test_places_lengths_and_profiles_are_the_packages_own(open_tab: OpenTab) -> None:
    values = with_holes()
    points, (rows, columns) = known_pixels(values)
    pairs = list(zip(points, points[::-1], strict=True))
    found = open_tab().page.evaluate(
        GEOMETRY,
        {
            "values": values.ravel().tolist(),
            "width": values.shape[1],
            "height": values.shape[0],
            "focal": FOCAL_PX,
            "points": points,
            "pairs": pairs,
        },
    )

    places, _ = point_cloud(DepthMap(values, "m", FOCAL_PX), np.zeros((*values.shape, 3), np.uint8))
    np.testing.assert_allclose(found["read"], values[rows, columns], rtol=1e-6)
    np.testing.assert_allclose([[p["x"], p["y"], p["z"]] for p in found["places"]], places, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["lengths"], np.linalg.norm(places - places[::-1], axis=1), rtol=1e-5, atol=1e-5)
    # Distances that a focal length made metres grow with it; those of a data set's scale do not.
    for name, metres in (("longer", np.float32(1.4) * values), ("sideways", values)):
        other, _ = point_cloud(DepthMap(metres, "m", FOCAL_PX * 1.4), np.zeros((*values.shape, 3), np.uint8))
        np.testing.assert_allclose(found[name], np.linalg.norm(other - other[::-1], axis=1), rtol=1e-5, atol=1e-5)
    expected = between_pixels(values, points)
    assert [z is None for z in found["between"]] == [z is None for z in expected]
    assert 0 < sum(z is None for z in expected) < len(expected)
    np.testing.assert_allclose(
        [z for z in found["between"] if z is not None], [z for z in expected if z is not None], rtol=1e-4
    )
    row, column = int(rows[0]), int(columns[0])
    line = values[row, column : column + 6]
    assert [step["along"] for step in found["profile"]] == [0, 1, 2, 3, 4, 5]
    assert [step["z"] for step in found["profile"]] == pytest.approx([None if z == 0 else float(z) for z in line])
    assert found["outside"] == [None] * 3
    near, far = depth_range(values)
    assert (found["spread"]["near"], found["spread"]["far"]) == pytest.approx((near, far), rel=1e-5)
    assert found["equivalent"] == pytest.approx(26 / np.hypot(36, 24) * 5000)


def depth_result(tab: Tab, **args: Any) -> tuple[dict[str, Any], F32]:
    """Ask the server for the depth of the sample picture; return its JSON and its distances."""
    sample = tab.page.request.get(f"{tab.origin}/static/sample.webp").body()
    sent = tab.page.request.post(f"{tab.origin}/v1/images", data=sample, headers={"Content-Type": "image/webp"})
    asked = tab.page.request.post(f"{tab.origin}/v1/tasks/depth", data={"image": sent.json()["id"], **args})
    return asked.json(), raw_depth(tab, asked.json()["id"])


def raw_depth(tab: Tab, result: str) -> F32:
    answer = tab.page.request.get(f"{tab.origin}/v1/results/{result}?as=raw")
    height, width = map(int, answer.headers["x-shape"].split(","))
    return np.frombuffer(answer.body(), "<f4").reshape(height, width)


@pytest.mark.parametrize("script", [None, WITHOUT_WEBGL], ids=["shader", "processor"])
def test_a_depth_map_is_painted_in_the_colours_of_the_packages_drawing(open_tab: OpenTab, script: str | None) -> None:
    tab = open_tab(script=script)
    result, values = depth_result(tab)
    file = b64decode(tab.page.evaluate(PAINTED, result).partition(",")[2])
    painted = np.asarray(Image.open(BytesIO(file)).convert("RGB"), np.int32)

    expected = depth_colours(values, *depth_range(values)).astype(np.int32)
    # The logarithm of a shader may fall on the other side of the line between two of the 256 colours, 10 apart at most.
    assert np.abs(painted - expected).max() <= 10
    assert (painted == expected).all(axis=-1).mean() > 0.98


def test_a_line_is_measured_in_metres_once_the_focal_length_is_there(open_tab: OpenTab) -> None:
    tab = open_tab()
    bench, page = Workbench(tab.page), tab.page
    bench.open_sample()
    stage = page.locator("#viewer .surface")
    stage.focus()

    page.keyboard.press("m")
    page.locator(".measure button.main").click()
    bench.wait_answers()
    first = bench.state("layers")[0]["result"]
    page.locator(".focal summary").click()
    page.locator(".focal input").fill("300")
    page.locator(".focal select").select_option("px")
    page.locator(".focal form button[type=submit]").click()
    bench.until("store.layers.value.length === 2 && !store.layers.value[0].visible")
    shown = [(layer["visible"], layer["result"]["focal_px"]) for layer in bench.state("layers")]
    assert first["unit"] == "m", "the sample's EXIF data tell its focal length"
    assert shown == [(False, first["focal_px"]), (True, 300)]

    stage.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    for key in ("Shift+ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")

    values = raw_depth(tab, bench.state("layers")[1]["result"]["id"])
    height, width = values.shape
    ends = [(width // 2 + 1, height // 2), (width // 2 + 21, height // 2 + 19)]
    places = [
        np.array([(x + 0.5 - width / 2) / 300, (y + 0.5 - height / 2) / 300, 1]) * float(values[y, x]) for x, y in ends
    ]
    item = page.locator(".measured li")
    assert item.locator("strong").inner_text() == f"{np.linalg.norm(places[0] - places[1]):.2f} m"
    assert "given" in item.inner_text()
    (x1, y1), (x2, y2) = ends
    assert f"from {x1}, {y1} at {values[y1, x1]:.2f} m to {x2}, {y2} at {values[y2, x2]:.2f} m" in item.inner_text()
    assert page.locator("#readout").inner_text().startswith(f"{x2}, {y2} · {values[y2, x2]:.2f} m")
    page.wait_for_function(
        "(text) => document.querySelector('#readout [aria-live]').textContent.startsWith(text)", arg=f"{x2}, {y2}"
    )

    chart = item.locator(".profile")
    chart.focus()
    page.keyboard.press("End")
    assert chart.get_attribute("aria-valuetext") == f"at {np.hypot(20, 19):.0f} px: {values[y2, x2]:.2f} m"

    page.evaluate(
        "async () => { (await import('/static/questions.js')).ask({ task: 'depth', args: { focal_px: 'unknown' } }); }"
    )
    bench.until("store.layers.value.length === 3")
    relative = raw_depth(tab, bench.state("layers")[-1]["result"]["id"])
    ratio = float(relative[y2, x2] / relative[y1, x1])
    which = "The end is" if ratio >= 1 else "The start is"
    item.get_by_text(f"{which} {max(ratio, 1 / ratio):.2f} times as far away").wait_for()
    assert " m" not in item.locator("strong").inner_text()
    item.get_by_role("button", name="Remove: Measurement 1").click()
    assert item.count() == 0


def test_the_point_cloud_reads_the_point_that_it_shows(open_tab: OpenTab) -> None:
    tab = open_tab()
    bench, page = Workbench(tab.page), tab.page
    bench.open_sample()
    bench.ask("depth")
    bench.wait_answers()
    page.get_by_role("button", name="Point cloud").click()
    values = raw_depth(tab, bench.state("layers")[0]["result"]["id"])
    dialog = page.get_by_role("dialog")
    assert f"{np.count_nonzero(values > 0):,} points" in dialog.inner_text()

    dialog.get_by_role("button", name="From the camera").click()
    canvas = dialog.locator("canvas")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    at = bench.state("hover")
    # From where the camera was, a pixel of the picture is seen where the picture has it.
    assert abs(at["x"] - values.shape[1] / 2) <= 2
    assert abs(at["y"] - values.shape[0] / 2) <= 2
    assert f"{values[int(at['y']), int(at['x'])]:.2f} m" in dialog.locator(".cloud-read").inner_text()

    canvas.focus()
    for key in ("ArrowLeft", "ArrowUp", "+", "0"):
        page.keyboard.press(key)
    dialog.get_by_label("Points").select_option("2")
    assert f"{np.count_nonzero(values[1::2, 1::2] > 0):,} points" in dialog.inner_text()
    with page.expect_download() as waiting:
        dialog.get_by_role("button", name="Download PLY").click()
    assert waiting.value.suggested_filename.endswith(".ply")
    assert waiting.value.path().read_bytes().startswith(b"ply\n")
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
