"""Open an image once, ask it many things, get typed values in source-image pixels back.

```python
import youtu_gguf as yg

with yg.load("Youtu-VL-4B-Instruct-Q8_0.gguf") as model:
    scene = model.open("street.jpg")
    print(scene.describe())
    boxes = scene.detect(["car", "person"])
    labels = scene.segment(["road", "sky", "building"], present="all")
    depth = scene.depth()
```

Docstrings cite what is known about the model, and where it is from, as "facts: ..."; that is docs/facts.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.errors import (
    CapabilityError,
    DecodeError,
    EngineError,
    InputError,
    ModelFileError,
    ServerError,
    YoutuError,
)
from youtu_gguf.hub.models import find_files, list_models, list_unfinished, pull, remove_model
from youtu_gguf.model import Model, load
from youtu_gguf.scene.many import Question, Update
from youtu_gguf.scene.scene import Scene
from youtu_gguf.types import (
    Action,
    Boxes,
    Count,
    DepthMap,
    Instances,
    Issue,
    LabelMap,
    Mask,
    Polygons,
    Poses,
    Result,
    Text,
    Timings,
    Transform,
)
from youtu_gguf.version import __version__

if TYPE_CHECKING:
    from youtu_gguf.calibration.calibrate import calibrate
    from youtu_gguf.calibration.report import CalibrationReport, Finding
    from youtu_gguf.calibration.storage import (
        StoredCalibration,
        forget_calibration,
        store_calibration,
        stored_calibration,
    )
    from youtu_gguf.doctor import Check, diagnose
    from youtu_gguf.engines.llama_server.background import (
        RunningServer,
        list_servers,
        log_lines,
        run_server,
        start_server,
        stop_server,
    )
    from youtu_gguf.hub.listing import LocalPair
    from youtu_gguf.hub.pull import PulledPair
    from youtu_gguf.weights.inspect import Inspection, inspect_file
    from youtu_gguf.weights.plan import Plan, Setup, plan
    from youtu_gguf.weights.quantize import Quantized, quantize
    from youtu_gguf.weights.slim import Slimmed, slim
    from youtu_gguf.weights.synthetic.pair import write_pair as write_synthetic_pair

__all__ = [
    "Action",
    "Boxes",
    "Calibration",
    "CalibrationReport",
    "CapabilityError",
    "Check",
    "Count",
    "DecodeError",
    "DepthMap",
    "EngineError",
    "Finding",
    "InputError",
    "Inspection",
    "Instances",
    "Issue",
    "LabelMap",
    "LocalPair",
    "Mask",
    "Model",
    "ModelFileError",
    "Plan",
    "Polygons",
    "Poses",
    "PulledPair",
    "Quantized",
    "Question",
    "Result",
    "RunningServer",
    "Scene",
    "ServerError",
    "Setup",
    "Slimmed",
    "StoredCalibration",
    "Text",
    "Timings",
    "Transform",
    "Update",
    "YoutuError",
    "__version__",
    "calibrate",
    "diagnose",
    "find_files",
    "forget_calibration",
    "inspect_file",
    "list_models",
    "list_servers",
    "list_unfinished",
    "load",
    "log_lines",
    "plan",
    "pull",
    "quantize",
    "remove_model",
    "run_server",
    "slim",
    "start_server",
    "stop_server",
    "store_calibration",
    "stored_calibration",
    "write_synthetic_pair",
]


_LATE = {  # they import the gguf package, which takes a while
    "CalibrationReport": ("calibration.report", "CalibrationReport"),
    "Finding": ("calibration.report", "Finding"),
    "StoredCalibration": ("calibration.storage", "StoredCalibration"),
    "calibrate": ("calibration.calibrate", "calibrate"),
    "forget_calibration": ("calibration.storage", "forget_calibration"),
    "store_calibration": ("calibration.storage", "store_calibration"),
    "stored_calibration": ("calibration.storage", "stored_calibration"),
    "Check": ("doctor", "Check"),
    "Inspection": ("weights.inspect", "Inspection"),
    "LocalPair": ("hub.listing", "LocalPair"),
    "Plan": ("weights.plan", "Plan"),
    "PulledPair": ("hub.pull", "PulledPair"),
    "RunningServer": ("engines.llama_server.background", "RunningServer"),
    "Quantized": ("weights.quantize", "Quantized"),
    "Setup": ("weights.plan", "Setup"),
    "Slimmed": ("weights.slim", "Slimmed"),
    "diagnose": ("doctor", "diagnose"),
    "inspect_file": ("weights.inspect", "inspect_file"),
    "list_servers": ("engines.llama_server.background", "list_servers"),
    "log_lines": ("engines.llama_server.background", "log_lines"),
    "plan": ("weights.plan", "plan"),
    "run_server": ("engines.llama_server.background", "run_server"),
    "start_server": ("engines.llama_server.background", "start_server"),
    "stop_server": ("engines.llama_server.background", "stop_server"),
    "quantize": ("weights.quantize", "quantize"),
    "slim": ("weights.slim", "slim"),
    "write_synthetic_pair": ("weights.synthetic.pair", "write_pair"),
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        module, own_name = _LATE[name]
        return getattr(import_module(f"{__name__}.{module}"), own_name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
