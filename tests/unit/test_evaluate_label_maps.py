"""Data sets with a class for every pixel, on drawn scenes in the layout of each: what is read, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.layouts import ade20k, cityscapes, coco_stuff, context59, voc20
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.errors import InputError
from youtu_gguf.evaluate import BENCHMARKS, Benchmark, Data, Prediction
from youtu_gguf.evaluate.data import class_lists, label_maps
from youtu_gguf.evaluate.data.pixels import read_levels
from youtu_gguf.evaluate.kinds.labels import LabelMeasure
from youtu_gguf.output.png import grey_png

EXPORTS: dict[str, Callable[[Path, int, int], None]] = {
    "ade20k": ade20k.export, "cityscapes": cityscapes.export, "voc20": voc20.export, "context59": context59.export,
    "coco-stuff": coco_stuff.export,
}  # fmt: skip
N_CLASSES = {"ade20k": 150, "cityscapes": 19, "voc20": 20, "context59": 59, "coco-stuff": 171}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts")
    for name, export in EXPORTS.items():
        export(folder / name, 2, 0)
    return folder


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies a data set to a folder that a test may change."""
    return lambda name: Path(shutil.copytree(exported / name, tmp_path / name))


def read(name: str, folder: Path) -> Data:
    benchmark = BENCHMARKS[name]
    return benchmark.read(folder, benchmark.splits[0])


def figures(benchmark: Benchmark, data: Data, shift: int = 0) -> dict[str, float]:
    """The figures of the truth as an answer, moved to the right by some pixels."""
    measure = benchmark.kind.measure(data, {})
    for sample in data.samples:
        levels = np.roll(read_levels(benchmark.kind.perfect(sample).read_png()), shift, axis=1)
        measure.add(sample, Prediction({}, grey_png(levels)))
    return measure.figures()


@pytest.mark.parametrize("name", EXPORTS)
def test_truth_as_an_answer_is_exactly_right(exported: Path, name: str) -> None:
    data = read(name, exported / name)
    assert len(data.samples) == 2
    assert len(data.classes) == N_CLASSES[name]
    for sample in data.samples:
        with Image.open(sample.image) as image, Image.open(sample.truth.file) as truth:
            assert image.size == truth.size
    assert figures(BENCHMARKS[name], data) == {"miou": 1.0, "pixel_accuracy": 1.0, "class_accuracy": 1.0}
    assert all(value < 1 for value in figures(BENCHMARKS[name], data, 3).values())


@pytest.mark.parametrize("name", EXPORTS)
def test_classes_of_pixels_are_those_that_were_drawn(exported: Path, name: str) -> None:
    """Where the centre of each thing lies, the truth has the class that the layout maps it to."""
    layout = {"ade20k": ade20k, "cityscapes": cityscapes, "voc20": voc20, "context59": context59,
              "coco-stuff": coco_stuff}[name]  # fmt: skip
    data, n = read(name, exported / name), 0
    for number, sample in enumerate(data.samples):
        scene = draw(TEST_SEEDS + number)
        levels = read_levels(BENCHMARKS[name].kind.perfect(sample).read_png())
        for thing in scene.things:
            if thing.kind in layout.AS:
                spoken = thing.kind if name == "ade20k" else layout.AS[thing.kind]
                inner = np.argwhere(thing.mask)[thing.mask.sum() // 2]
                assert data.classes[levels[tuple(inner)]] == spoken
                n += 1
    assert n >= 2


def test_lists_of_classes_have_distinct_names() -> None:
    lists = {"ade20k": class_lists.ADE20K, "cityscapes": class_lists.CITYSCAPES, "voc20": class_lists.VOC20,
             "context59": class_lists.CONTEXT59, "coco-stuff": class_lists.COCO_STUFF}  # fmt: skip
    assert {name: len(set(names)) for name, names in lists.items()} == N_CLASSES


@pytest.mark.parametrize(
    ("names", "numbers", "levels"),
    [
        (class_lists.ADE20K, label_maps.ADE20K_NUMBERS, {"wall": 1, "person": 13, "flag": 150}),
        (class_lists.CITYSCAPES, label_maps.CITYSCAPES_NUMBERS, {"road": 7, "train": 31, "bicycle": 33}),
        (class_lists.CITYSCAPES, label_maps.CITYSCAPES_TRAIN_NUMBERS, {"road": 0, "train": 16, "bicycle": 18}),
        (class_lists.VOC20, label_maps.VOC20_NUMBERS, {"aeroplane": 1, "person": 15, "tv monitor": 20}),
        (class_lists.CONTEXT59, label_maps.CONTEXT59_NUMBERS, {"aeroplane": 1, "grass": 29, "wood": 59}),
        (class_lists.COCO_STUFF, label_maps.COCO_STUFF_NUMBERS, {"stop sign": 12, "banner": 91, "wood": 181}),
        (class_lists.COCO_STUFF, label_maps.COCO_STUFF_TRAIN_NUMBERS, {"person": 0, "stop sign": 11, "wood": 170}),
    ],
)  # fmt: skip
def test_levels_are_those_that_the_data_sets_publish(
    names: tuple[str, ...], numbers: label_maps.Numbering, levels: dict[str, int]
) -> None:
    assert {name: numbers.of_classes[names.index(name)] for name in levels} == levels
    assert len(numbers.of_classes) == len(names)
    assert not numbers.ignored & set(numbers.of_classes)


def test_borders_of_voc_do_not_count(exported: Path) -> None:
    data = read("voc20", exported / "voc20")
    with Image.open(data.samples[0].truth.file) as image:
        assert image.mode == "P"
        stored = np.asarray(image)
    assert (stored == 255).any()
    levels = read_levels(BENCHMARKS["voc20"].kind.perfect(data.samples[0]).read_png())
    np.testing.assert_array_equal(levels == 255, (stored == 255) | (stored == 0))


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("ade20k", "ADEChallengeData2016"),
        ("voc20", "VOC2012"),
        ("voc20", "VOCdevkit/VOC2012"),
        ("context59", "VOC2010"),
    ],
)
def test_folder_above_is_taken_as_well(exported: Path, tmp_path: Path, name: str, below: str) -> None:
    shutil.copytree(exported / name, tmp_path / below)
    data = read(name, tmp_path)
    assert data.folder == tmp_path
    assert len(data.samples) == 2


def test_names_of_ade20k_are_ours_without_the_file(copied: Callable[[str], Path]) -> None:
    folder = copied("ade20k")
    assert read("ade20k", folder).classes[0] == "brick wall"
    (folder / "objectInfo150.txt").unlink()
    assert read("ade20k", folder).classes == class_lists.ADE20K


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines[:5], lines[3], *lines[6:]], "line 6: expected class 5 with a name of its own; got '3"),
        (lambda lines: [*lines[:5], "5\t0.1\t1\t1\tsky"], "line 6: expected class 5 with a name of its own"),
        (lambda lines: [*lines[:5], "5\t0.1\t1"], "line 6: expected class 5 with a name of its own; got '5"),
        (lambda lines: lines[:100], "expected 150 classes; got 99"),
    ],
)
def test_broken_list_of_names_is_refused_with_its_line(
    copied: Callable[[str], Path], change: Callable[[list[str]], list[str]], message: str
) -> None:
    info = copied("ade20k") / "objectInfo150.txt"
    info.write_text("\n".join(change(info.read_text().splitlines())))
    with pytest.raises(InputError, match=rf"objectInfo150\.txt.*{message}"):
        read("ade20k", info.parent)


def test_train_ids_give_the_same_truth(copied: Callable[[str], Path]) -> None:
    """Maps as cityscapesScripts and MMSegmentation convert them, beside the originals and alone."""
    for name, pattern, ending, original in (
        ("cityscapes", "gtFine/val/*/*_labelIds.png", "_labelIds.png", label_maps.CITYSCAPES_NUMBERS),
        ("coco-stuff", "annotations/val2017/*.png", ".png", label_maps.COCO_STUFF_NUMBERS),
    ):
        folder = copied(name)
        before = [
            read_levels(BENCHMARKS[name].kind.perfect(sample).read_png()) for sample in read(name, folder).samples
        ]
        files = sorted(folder.glob(pattern))
        for file in files:
            train = original.to_table()[read_levels(file)]
            Image.fromarray(train).save(file.with_name(file.name.removesuffix(ending) + "_labelTrainIds.png"))
        assert len(read(name, folder).samples) == 2
        for file in files:
            file.unlink()
        data = read(name, folder)
        assert all(sample.truth.file.name.endswith("_labelTrainIds.png") for sample in data.samples)
        after = [read_levels(BENCHMARKS[name].kind.perfect(sample).read_png()) for sample in data.samples]
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("maps", ["stuffthingmaps/val2017", "stuffthingmaps_trainval2017/val2017"])
def test_stuff_may_lie_as_its_archives_unpack(copied: Callable[[str], Path], maps: str) -> None:
    folder = copied("coco-stuff")
    for old, new in (("images/val2017", "val2017"), ("annotations/val2017", maps)):
        (folder / new).parent.mkdir(exist_ok=True)
        (folder / old).rename(folder / new)
    assert len(read("coco-stuff", folder).samples) == 2


@pytest.mark.parametrize("name", EXPORTS)
def test_map_without_its_image_is_refused_with_both(copied: Callable[[str], Path], name: str) -> None:
    folder = copied(name)
    image = read(name, folder).samples[1].image
    image.unlink()
    with pytest.raises(InputError, match=rf"expected .*{image.name}, which belongs to .*\.png; there is none"):
        read(name, folder)


@pytest.mark.parametrize("name", EXPORTS)
def test_other_folder_is_refused_with_what_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"expected (the folder|annotations/val2017)"):
        read(name, tmp_path)
    with pytest.raises(InputError, match="expected the folder of a data set"):
        read(name, tmp_path / "none")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("2007_000000\n../../secret\n", r"val\.txt, line 2: expected the name of a file below .*leads out of it"),
        ("/etc/passwd\n", "line 1: expected the name of a file below"),
        ("C:\\secret\n", "line 1: expected the name of a file below"),
        ("2007_000000\n\n2007_000000\n", "line 3: expected every image once; got '2007_000000' again"),
        ("2007_\0\n", "line 1: expected the name of a file"),
        ("\n", "expected the names of images; it has none"),
        ("2007_000009\n", r"expected .*2007_000009\.jpg, which belongs to 2007_000009\.png; there is none"),
    ],
)
def test_list_that_leads_elsewhere_is_refused_with_its_line(
    copied: Callable[[str], Path], lines: str, message: str
) -> None:
    folder = copied("voc20")
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_text(lines)
    with pytest.raises(InputError, match=message):
        read("voc20", folder)


def test_hidden_files_of_other_systems_are_left_out(copied: Callable[[str], Path]) -> None:
    folder = copied("ade20k")
    (folder / "annotations" / "validation" / "._ADE_val_00000001.png").write_bytes(b"Mac OS X")
    assert len(read("ade20k", folder).samples) == 2


def test_broken_map_is_refused_when_it_is_compared(copied: Callable[[str], Path]) -> None:
    data = read("ade20k", copied("ade20k"))
    file = data.samples[0].truth.file
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(InputError, match=rf"{file.name}: this PNG file ends at byte"):
        LabelMeasure(data.classes).add(data.samples[0], None)


@pytest.mark.parametrize("name", EXPORTS)
def test_settings_can_be_chosen_by_their_texts(name: str) -> None:
    settings = {setting.name: setting for setting in BENCHMARKS[name].settings if setting.read is not None}
    texts = {"present": "all", "zoom": "auto:2", "tiles": "2x1", "refine": "none"}
    read_values = {key: settings[key].read(text) for key, text in texts.items() if settings[key].read is not None}  # type: ignore[misc]
    assert read_values == texts
    assert set(settings) == set(texts)
