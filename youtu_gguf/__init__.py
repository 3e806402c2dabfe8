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

from youtu_gguf.decode.calibration import Calibration
from youtu_gguf.errors import (
    CapabilityError,
    DecodeError,
    EngineError,
    InputError,
    ModelFileError,
    ServerError,
    YoutuError,
)
from youtu_gguf.model import Model, load
from youtu_gguf.scene import Scene
from youtu_gguf.together import Question, Update
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
from youtu_gguf.weights import find_files, list_models, list_unfinished, pull, remove_model

if TYPE_CHECKING:
    from youtu_gguf.calibrating.report import CalibrationReport, Finding
    from youtu_gguf.calibrating.run import calibrate
    from youtu_gguf.calibrating.storage import (
        StoredCalibration,
        forget_calibration,
        store_calibration,
        stored_calibration,
    )
    from youtu_gguf.diagnosis import Check, diagnose
    from youtu_gguf.files.hub import PulledPair
    from youtu_gguf.files.inspection import Inspection, inspect_file
    from youtu_gguf.files.listing import LocalPair
    from youtu_gguf.files.quantize import Quantized, quantize
    from youtu_gguf.files.slim import Slimmed, slim
    from youtu_gguf.files.synthetic import write_pair as write_synthetic_pair
    from youtu_gguf.planning import Plan, Setup, plan
    from youtu_gguf.serving import RunningServer, list_servers, log_lines, run_server, start_server, stop_server

__version__ = "0.1.0"

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
    "CalibrationReport": ("calibrating.report", "CalibrationReport"),
    "Finding": ("calibrating.report", "Finding"),
    "StoredCalibration": ("calibrating.storage", "StoredCalibration"),
    "calibrate": ("calibrating.run", "calibrate"),
    "forget_calibration": ("calibrating.storage", "forget_calibration"),
    "store_calibration": ("calibrating.storage", "store_calibration"),
    "stored_calibration": ("calibrating.storage", "stored_calibration"),
    "Check": ("diagnosis", "Check"),
    "Inspection": ("files.inspection", "Inspection"),
    "LocalPair": ("files.listing", "LocalPair"),
    "Plan": ("planning", "Plan"),
    "PulledPair": ("files.hub", "PulledPair"),
    "RunningServer": ("serving", "RunningServer"),
    "Quantized": ("files.quantize", "Quantized"),
    "Setup": ("planning", "Setup"),
    "Slimmed": ("files.slim", "Slimmed"),
    "diagnose": ("diagnosis", "diagnose"),
    "inspect_file": ("files.inspection", "inspect_file"),
    "list_servers": ("serving", "list_servers"),
    "log_lines": ("serving", "log_lines"),
    "plan": ("planning", "plan"),
    "run_server": ("serving", "run_server"),
    "start_server": ("serving", "start_server"),
    "stop_server": ("serving", "stop_server"),
    "quantize": ("files.quantize", "quantize"),
    "slim": ("files.slim", "slim"),
    "write_synthetic_pair": ("files.synthetic", "write_pair"),
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        module, own_name = _LATE[name]
        return getattr(import_module(f"{__name__}.{module}"), own_name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
