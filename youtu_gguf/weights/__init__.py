"""Model files: pulled, found and removed by name; planned for, inspected, and made smaller."""

from youtu_gguf.hub.listing import LocalPair
from youtu_gguf.hub.local import PulledPair
from youtu_gguf.hub.models import find, list_models, list_unfinished, pull, remove
from youtu_gguf.weights.inspect import Inspection, inspect
from youtu_gguf.weights.plan import Plan, Setup, gpus, plan
from youtu_gguf.weights.quantize import Quantized, quantize
from youtu_gguf.weights.slim import Slimmed, slim
from youtu_gguf.weights.synthetic.pair import write_synthetic_pair

__all__ = [
    "Inspection",
    "LocalPair",
    "Plan",
    "PulledPair",
    "Quantized",
    "Setup",
    "Slimmed",
    "find",
    "gpus",
    "inspect",
    "list_models",
    "list_unfinished",
    "plan",
    "pull",
    "quantize",
    "remove",
    "slim",
    "write_synthetic_pair",
]
