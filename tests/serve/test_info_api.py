"""What a server tells of itself."""

from __future__ import annotations

import threading

from starlette.testclient import TestClient

import youtu_gguf as yg
from tests.serve.squares import PNG, load, squares_client
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.serve.task_requests import read_task
from youtu_gguf.tasks import TASKS


def test_it_tells_the_model_the_tasks_and_the_limits() -> None:
    with squares_client(ServeSettings(max_pixels=1000, n_answers=3, max_waiting=7)) as client:
        told = client.get("/v1/info").json()
    assert (told["name"], told["version"], told["schema"], told["state"]) == ("youtu_gguf", yg.__version__, 1, "ready")
    assert told["engine"] == {"name": "fake", "states": True, "n_ctx": None, "answers": 3}
    assert (told["model"]["id"], told["calibration"]) == ("youtu-vl", "default")
    assert told["limits"] == {"body": 32 << 20, "pixels": 1000, "queue": 7, "image_tokens": 2048}
    assert told["queue"] == {"waiting": 0, "active": 0}
    assert list(told["tasks"]) == list(TASKS)
    images = ["pfm", "exr", "ros", "kitti", "tum"]
    assert told["tasks"]["depth"]["forms"] == ["json", "npz", "ply", *images, "f32", "overlay", "png", "raw"]


def test_the_arguments_that_it_tells_are_those_that_are_read() -> None:
    with squares_client() as client:
        arguments = client.get("/v1/info").json()["tasks"]["segment"]["arguments"]
    names = arguments["properties"].keys() - {"options", "output"}
    sent = {name: arguments["properties"][name].get("default") for name in names} | {"image": "img_1"}
    assert read_task("segment", sent).questions[0].task == "segment"


def test_it_tells_what_it_knows_while_the_model_is_being_loaded() -> None:
    go_on = threading.Event()

    def slowly() -> yg.Model:
        go_on.wait(10)
        return load()

    with TestClient(create_app(slowly), base_url="http://localhost") as client:
        told = client.get("/v1/info").json()
        go_on.set()
    assert (told["state"], told["model"], told["limits"]["image_tokens"]) == ("loading", None, None)
    assert told["tasks"].keys() == TASKS.keys()


def test_an_unloaded_model_is_told_of_and_stays_unloaded() -> None:
    n_loaded = []

    def counted() -> yg.Model:
        n_loaded.append(1)
        return load()

    settings = ServeSettings(idle_unload_s=0.05)
    with TestClient(create_app(counted, settings), base_url="http://localhost") as client:
        while client.get("/v1/info").json()["state"] != "unloaded":
            pass
        assert client.get("/v1/info").json()["engine"]["name"] == "fake"
        assert sum(n_loaded) == 1
        id_ = client.post("/v1/images", content=PNG, headers={"Content-Type": "image/png"}).json()["id"]
        while client.get("/v1/info").json()["state"] != "unloaded":
            pass
        form = client.get(f"/v1/images/{id_}").json()
        assert (form["width"], form["height"], form["state"], form["image_tokens"]) == (160, 128, "new", None)
        assert client.get(f"/v1/images/{id_}/content").status_code == 200
        (listed,) = client.get("/v1/images").json()["images"]
        assert listed == form | {"expires_at": listed["expires_at"]}  # the seconds go on between the two
        assert client.get("/v1/info").json()["state"] == "unloaded"
