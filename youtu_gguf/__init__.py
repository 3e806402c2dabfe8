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

from typing import TYPE_CHECKING

from youtu_gguf.errors import (
    CapabilityError,
    DecodeError,
    EngineError,
    InputError,
    ModelFileError,
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

if TYPE_CHECKING:
    from youtu_gguf.files.synthetic import write_pair as write_synthetic_pair

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Boxes",
    "CapabilityError",
    "Count",
    "DecodeError",
    "DepthMap",
    "EngineError",
    "InputError",
    "Issue",
    "LabelMap",
    "Mask",
    "Model",
    "ModelFileError",
    "Polygons",
    "Poses",
    "Question",
    "Result",
    "Scene",
    "Text",
    "Timings",
    "Transform",
    "Update",
    "YoutuError",
    "load",
    "write_synthetic_pair",
]


def __getattr__(name: str) -> object:
    if name == "write_synthetic_pair":  # imports the gguf package, which takes a while
        from youtu_gguf.files.synthetic import write_pair

        return write_pair
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
