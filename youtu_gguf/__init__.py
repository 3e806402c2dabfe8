"""Open an image once, ask it many things, get typed values in source-image pixels back.

```python
import youtu_gguf as yg

with yg.load("Youtu-VL-4B-Instruct-Q8_0.gguf") as model, model.open("street.jpg") as scene:
    print(scene.describe())
    cars = scene.detect(["car"], scores=True)  # Boxes(3: car, car, car)
    likely = cars[cars.scores > 0.5]
    scene.draw(likely).save("cars.png")
    scene.save(cars, "cars.json")
    labels = scene.segment(["road", "sky", "building"], present="all")
    depth = scene.depth()
```

Docstrings cite what is known about the model, and where it is from, as "facts: ..."; that is docs/facts.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from youtu_gguf.version import __version__

if TYPE_CHECKING:
    from youtu_gguf import calibration, doctor, servers, testing, weights
    from youtu_gguf.calibration.assumptions import Calibration
    from youtu_gguf.errors import (
        CancelledError,
        CapabilityError,
        DecodeError,
        EngineError,
        InputError,
        ModelFileError,
        OutputError,
        ServerError,
        YoutuError,
    )
    from youtu_gguf.model import Model, load
    from youtu_gguf.scene.chat import Chat
    from youtu_gguf.scene.many import Update
    from youtu_gguf.scene.options import Question
    from youtu_gguf.scene.scene import Scene
    from youtu_gguf.scene.stream import TextStream
    from youtu_gguf.types import (
        Action,
        Box,
        Boxes,
        Count,
        DepthMap,
        Instance,
        Instances,
        Issue,
        LabelMap,
        Mask,
        Polygon,
        Polygons,
        Pose,
        Poses,
        Region,
        Result,
        Text,
        Timings,
        Transform,
        Turn,
    )

__all__ = [
    "Action",
    "Box",
    "Boxes",
    "Calibration",
    "CancelledError",
    "CapabilityError",
    "Chat",
    "Count",
    "DecodeError",
    "DepthMap",
    "EngineError",
    "InputError",
    "Instance",
    "Instances",
    "Issue",
    "LabelMap",
    "Mask",
    "Model",
    "ModelFileError",
    "OutputError",
    "Polygon",
    "Polygons",
    "Pose",
    "Poses",
    "Question",
    "Region",
    "Result",
    "Scene",
    "ServerError",
    "Text",
    "TextStream",
    "Timings",
    "Transform",
    "Turn",
    "Update",
    "YoutuError",
    "__version__",
    "calibration",
    "doctor",
    "load",
    "servers",
    "testing",
    "weights",
]

_NAMESPACES = ("calibration", "doctor", "servers", "testing", "weights")
"""Rooms with a public surface of their own."""

_MODULES = {
    "calibration.assumptions": ("Calibration",),
    "errors": (
        "CancelledError", "CapabilityError", "DecodeError", "EngineError", "InputError", "ModelFileError",
        "OutputError", "ServerError", "YoutuError",
    ),
    "model": ("Model", "load"),
    "scene.chat": ("Chat",),
    "scene.many": ("Update",),
    "scene.options": ("Question",),
    "scene.scene": ("Scene",),
    "scene.stream": ("TextStream",),
    "types": (
        "Action", "Box", "Boxes", "Count", "DepthMap", "Instance", "Instances", "Issue", "LabelMap", "Mask", "Polygon",
        "Polygons", "Pose", "Poses", "Region", "Result", "Text", "Timings", "Transform",
        "Turn",
    ),
}  # fmt: skip
"""Where the public names are defined. They are imported when they are first used, so that importing the package, as the
command line does, takes no time."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name in _NAMESPACES:
        return import_module(f"{__name__}.{name}")
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
