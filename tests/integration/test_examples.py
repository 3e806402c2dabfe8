"""examples/: every notebook runs from its first cell to its last, with nano."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))


def cells(name: str) -> list[dict[str, Any]]:
    """Return the code cells of a notebook."""
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs a notebook in an empty folder and gives its variables."""
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> dict[str, Any]:
        variables: dict[str, Any] = {}
        for number, cell in enumerate(cells(name), 1):
            source = "".join(cell["source"]).replace('yg.load("nano")', 'yg.load("nano", threads=1)')
            exec(compile(source, f"{name}, code cell {number}", "exec"), variables)
        return variables

    return run


def test_first_steps_finds_what_it_drew_and_writes_it(run: Any, tmp_path: Path) -> None:
    found = run("first_steps")
    assert sorted(found["things"].labels) == ["square", "star", "triangle"]
    assert found["star"].area > 1000
    assert found["labels"].shares[0] == pytest.approx(102 / 256, abs=0.02)
    assert found["depth"].values.shape == (256, 320)
    assert {path.name for path in tmp_path.iterdir()} == {"things.json", "labels.npz", "star.png"}


def test_the_coco_file_holds_every_object_with_its_mask(run: Any, tmp_path: Path) -> None:
    found = run("batch_to_coco")["found"]
    coco = json.loads((tmp_path / "scenes.coco.json").read_text(encoding="utf-8"))
    assert [image["file_name"] for image in coco["images"]] == [path.name for path in found]
    assert [category["name"] for category in coco["categories"]] == ["circle", "square", "triangle"]
    masks = [mask for instances in found.values() for mask in instances.masks]
    assert len(coco["annotations"]) == len(masks) > len(found)
    for annotation, mask in zip(coco["annotations"], masks, strict=True):
        counts = annotation["segmentation"]["counts"]
        inside = np.arange(len(counts)) % 2 == 1
        assert np.array_equal(np.repeat(inside, counts).reshape(mask.shape, order="F"), mask)
        assert annotation["area"] == mask.sum()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_without_what_it_printed(name: str) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(name))
