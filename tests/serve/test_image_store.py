"""Images that were sent: checked by their header, decoded once, closed when no one uses them, and never before."""

from __future__ import annotations

import asyncio
import io
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.errors import EngineError
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.holder import ModelHolder
from youtu_gguf.serve.image_check import DecodeLimit, check_header
from youtu_gguf.serve.images import ImageStore, StoredImage, image_id
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.testing import FakeEngine


def picture(grey: int = 0, size: tuple[int, int] = (64, 32), form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(buffer, form, **options)
    return buffer.getvalue()


class Counting(yg.Model):
    """A model that counts what it opens, and may be slow."""

    scenes: ClassVar[list[yg.Scene]] = []
    slow_s = 0.0
    paths = False

    def open(self, image: Any) -> yg.Scene:
        Counting.paths |= not isinstance(image, bytes)
        time.sleep(self.slow_s)
        scene = super().open(image)
        Counting.scenes.append(scene)
        return scene


@pytest.fixture
def holder(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHolder]:
    Counting.slow_s, Counting.paths = 0.0, False
    Counting.scenes.clear()

    def load() -> yg.Model:
        model = yg.load(engine=FakeEngine({"What": "A cup."}))
        model.__class__ = Counting
        return model

    stores: list[ImageStore] = []
    held = ModelHolder(load, lambda: [store.forget_scenes() for store in stores] and None)
    held.stores = stores  # type: ignore[attr-defined]
    held.load()
    yield held
    held.close()
    assert not Counting.paths, "text of a client was opened as a path"


def store_of(holder: ModelHolder, **settings: Any) -> ImageStore:
    store = ImageStore(ServeSettings(**settings), holder)
    holder.stores.append(store)  # type: ignore[attr-defined]
    return store


def is_open(scene: yg.Scene | None) -> bool:
    try:
        assert scene is not None
        scene.session()
    except EngineError:
        return False
    return True


def error_of(store: ImageStore, data: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        asyncio.run(store.add(data))
    return caught.value


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_files_of_cameras_phones_and_browsers_are_read(holder: ModelHolder, form: str) -> None:
    image, is_new = asyncio.run(store_of(holder).add(picture(form=form)))
    assert (image.format, image.size, is_new) == (form, (64, 32), True)


def test_a_photograph_with_a_preview_is_read_as_the_jpeg_that_it_is(holder: ModelHolder) -> None:
    data = picture(form="MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    image, _ = asyncio.run(store_of(holder).add(data))
    assert (image.format, image.size) == ("MPO", (64, 32))


def test_a_broken_heif_is_a_broken_image(holder: ModelHolder) -> None:
    header = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    assert error_of(store_of(holder), header).code == "invalid_image"


@pytest.mark.parametrize("form", ["JPEG2000", "PPM", "ICO", "ICNS", "DDS", "PCX", "SGI", "TGA", "EPS", "PDF"])
def test_other_formats_are_refused_and_the_answer_names_those_that_are_read(holder: ModelHolder, form: str) -> None:
    error = error_of(store_of(holder), picture(form=form))
    assert (error.status, error.code) == (415, "unsupported_media_type")
    assert "JPEG, PNG, WEBP, AVIF, HEIF, TIFF, BMP, GIF" in error.message


@pytest.mark.parametrize("data", [b"", b"/etc/passwd", b"nano", b"models/nano", b"%!PS", b"<svg/>", b"\0" * 5000])
def test_bytes_that_are_no_image_are_refused_and_never_taken_for_a_path(holder: ModelHolder, data: bytes) -> None:
    assert error_of(store_of(holder), data).status == 415


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_file_is_a_broken_image_and_nothing_is_kept(holder: ModelHolder, form: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, form)
    data = buffer.getvalue()[: int(share * len(buffer.getvalue()))]
    store = store_of(holder)
    error = error_of(store, data)
    assert (error.status, error.code) in ((400, "invalid_image"), (415, "unsupported_media_type"))
    assert (len(list(store)), store.n_bytes) == (0, 0)


@pytest.mark.parametrize(
    ("form", "options"),
    [("PNG", {}), ("GIF", {"save_all": True}), ("WEBP", {}), ("TIFF", {"save_all": True}), ("JPEG", {}), ("BMP", {})],
)
def test_pixels_are_counted_before_they_are_decoded(holder: ModelHolder, form: str, options: dict[str, Any]) -> None:
    if options:
        options = {**options, "append_images": [Image.new("RGB", (4, 4))]}
    store = store_of(holder, max_pixels=64 * 32 - 1)
    error = error_of(store, picture(form=form, **options))
    assert (error.status, error.code) == (413, "image_too_large")
    assert len(Counting.scenes) == 0


def test_of_many_frames_it_is_the_first(holder: ModelHolder) -> None:
    frames = [Image.new("RGB", (64, 32), (0, 0, 255 - i)) for i in range(300)]
    image, _ = asyncio.run(store_of(holder).add(picture(200, form="GIF", save_all=True, append_images=frames)))
    assert image.scene is not None
    assert image.scene.rgb[0, 0].tolist() == [200, 200, 200]


def test_the_same_bytes_sent_by_many_at_once_are_decoded_once(holder: ModelHolder) -> None:
    Counting.slow_s = 0.05
    store = store_of(holder)

    async def run() -> list[tuple[StoredImage, bool]]:
        return await asyncio.gather(*(store.add(picture()) for _ in range(20)))

    found = asyncio.run(run())
    assert len(Counting.scenes) == 1
    assert len({image for image, _ in found}) == 1
    assert [is_new for _, is_new in found].count(True) == 1


def test_a_sender_who_hangs_up_does_not_end_the_decoding_for_others(holder: ModelHolder) -> None:
    Counting.slow_s = 0.05
    store = store_of(holder)

    async def run() -> StoredImage:
        first, second = (asyncio.ensure_future(store.add(picture())) for _ in range(2))
        await asyncio.sleep(0.02)
        first.cancel()
        return (await second)[0]

    assert asyncio.run(run()).scene is not None
    assert len(Counting.scenes) == 1


def test_an_image_whose_senders_have_all_hung_up_is_neither_kept_nor_left_open(holder: ModelHolder) -> None:
    Counting.slow_s = 0.05
    store = store_of(holder)

    async def run() -> None:
        sending = asyncio.ensure_future(store.add(picture()))
        await asyncio.sleep(0.02)
        sending.cancel()
        await asyncio.sleep(0.15)

    asyncio.run(run())
    assert list(store) == []
    assert [is_open(scene) for scene in Counting.scenes] == [False]


def test_different_images_are_decoded_two_at_a_time(holder: ModelHolder) -> None:
    running, most, lock = 0, 0, threading.Lock()

    class Watched(DecodeLimit):
        def decoding(self, n_pixels: int) -> Any:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)
            with lock:
                running -= 1
            return super().decoding(n_pixels)

    store = store_of(holder)
    store._limit = Watched()

    async def run() -> None:
        await asyncio.gather(*(store.add(picture(i)) for i in range(8)))

    asyncio.run(run())
    assert most <= 2
    assert len(Counting.scenes) == 8


def test_large_images_are_decoded_one_at_a_time() -> None:
    limit, together = DecodeLimit(most_bytes=1300), []

    def decode(n_pixels: int) -> None:
        with limit.decoding(n_pixels):
            together.append(n_pixels)
            time.sleep(0.02)
            assert sum(together) <= 100 or len(together) == 1
            together.remove(n_pixels)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(decode, [60, 60, 500, 40, 30, 70]))


def test_the_longest_unused_images_are_dropped_above_the_limit(holder: ModelHolder) -> None:
    each = len(picture(0)) + 64 * 32 * 3
    store = store_of(holder, images_bytes=3 * each + 100)

    async def run() -> list[str]:
        for grey in (0, 1, 2):
            await store.add(picture(grey))
        store.get(image_id(picture(0)))
        await store.add(picture(3))
        return [image.id for image in store]

    assert asyncio.run(run()) == [image_id(picture(grey)) for grey in (2, 0, 3)]
    assert store.n_bytes <= 3 * each + 100


def test_an_image_above_the_limit_alone_is_kept_until_the_next_one(holder: ModelHolder) -> None:
    store = store_of(holder, images_bytes=1)
    asyncio.run(store.add(picture(0)))
    assert len(list(store)) == 1
    asyncio.run(store.add(picture(1)))
    assert [image.id for image in store] == [image_id(picture(1))]


def test_images_expire_and_their_scenes_are_closed(holder: ModelHolder) -> None:
    store = store_of(holder, ttl_s=0.02)
    image, _ = asyncio.run(store.add(picture()))
    scene = image.scene
    time.sleep(0.03)
    store.expire()
    assert store.n_bytes == 0
    assert not is_open(scene)
    with pytest.raises(ApiError, match="may have expired"):
        store.get(image.id)


@pytest.mark.parametrize("ttl_s", [0, -1, 1e9, float("nan"), float("inf")])
def test_a_time_that_no_image_is_kept_for_is_refused(holder: ModelHolder, ttl_s: float) -> None:
    with pytest.raises(ApiError, match="ttl_s"):
        asyncio.run(store_of(holder).add(picture(), ttl_s))


def test_an_image_in_use_is_dropped_but_not_closed_under_its_user(holder: ModelHolder) -> None:
    store = store_of(holder)
    image, _ = asyncio.run(store.add(picture()))
    with holder.use() as model, image.open(model) as scene:
        store.delete(image.id)
        assert is_open(scene)
        assert str(scene.ask("What?")) == "A cup."
    assert not is_open(scene)
    assert image.scene is None


def test_a_dropped_image_can_be_used_by_who_has_it_and_is_closed_again(holder: ModelHolder) -> None:
    store = store_of(holder)
    image, _ = asyncio.run(store.add(picture()))
    store.delete(image.id)
    for _ in range(2):
        with holder.use() as model, image.open(model) as scene:
            assert is_open(scene)
        assert not is_open(scene)


def test_dropping_an_image_does_not_wait_for_its_decoding(holder: ModelHolder) -> None:
    store = store_of(holder)
    image, _ = asyncio.run(store.add(picture()))
    image.forget_scene()
    Counting.slow_s = 0.3
    with ThreadPoolExecutor(1) as pool:
        using = pool.submit(lambda: _use(holder, image))
        time.sleep(0.05)
        began = time.monotonic()
        store.delete(image.id)
        assert time.monotonic() - began < 0.1  # the event loop's thread
        assert not is_open(using.result())


def _use(holder: ModelHolder, image: StoredImage) -> yg.Scene:
    with holder.use() as model, image.open(model) as scene:
        return scene


def test_an_image_is_deleted_while_it_is_sent_again(holder: ModelHolder) -> None:
    store = store_of(holder)

    async def run() -> None:
        image, _ = await store.add(picture())
        image.forget_scene()
        Counting.slow_s = 0.05
        again = asyncio.ensure_future(store.add(picture()))
        await asyncio.sleep(0.02)
        store.delete(image.id)
        kept, _ = await again
        assert not kept.was_dropped
        assert store.get(kept.id) is kept

    asyncio.run(run())


def test_the_pixels_are_those_of_the_file_whether_the_model_is_loaded_or_not(holder: ModelHolder) -> None:
    store = store_of(holder)
    image, _ = asyncio.run(store.add(picture(7)))
    before = image.pixels()
    assert holder.unload_if_idle(0)
    assert image.scene is None
    assert (image.pixels() == before).all()
    assert image.size == (64, 32)
    with holder.use() as model, image.open(model) as scene:
        assert scene.model is model


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_adding_using_dropping_and_unloading_leaves_no_scene_closed_in_use_or_open_after(
    holder: ModelHolder, seed: int
) -> None:
    store = store_of(holder, images_bytes=3 * (64 * 32 * 3 + 200))
    seen: list[yg.Scene] = []
    faults: list[str] = []

    def use(image: StoredImage, rng: random.Random) -> None:
        with holder.use() as model, image.open(model) as scene:
            seen.append(scene)
            time.sleep(rng.random() * 0.004)
            if not is_open(scene) or scene.model is not model:
                faults.append("closed in use")

    async def client(number: int) -> None:
        rng = random.Random(1000 * seed + number)
        for _ in range(25):
            try:
                image, _ = await store.add(picture(rng.randrange(6)))
                what = rng.randrange(10)
                if what == 0:
                    store.delete(image.id)
                elif what == 1:
                    await asyncio.to_thread(holder.unload_if_idle, 0)
                await asyncio.to_thread(use, image, rng)
            except ApiError as exc:
                if exc.code != "image_not_found":
                    raise

    async def run() -> None:
        await asyncio.gather(*(client(number) for number in range(6)))

    asyncio.run(run())
    assert faults == []
    kept = {id(image.scene) for image in store}
    assert [scene for scene in seen if is_open(scene) and id(scene) not in kept] == []
    holder.close()
    assert [scene for scene in seen if is_open(scene)] == []


def test_headers_are_read_by_themselves() -> None:
    header = check_header(picture(size=(300, 200)), 60_000)
    assert (header.format, header.n_pixels) == ("PNG", 60_000)
