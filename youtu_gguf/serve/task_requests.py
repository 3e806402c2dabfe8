"""What a request asks of the tasks: bodies made of the tasks' declarations, so that the description of the API and the
check of a request are one thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from youtu_gguf.config import Settings
from youtu_gguf.errors import InputError
from youtu_gguf.output.datasets import DATASETS
from youtu_gguf.output.json import MaskForm
from youtu_gguf.scene.options import Options, run_options
from youtu_gguf.serve.chat.sampling import LONGEST_SCHEMA, LONGEST_STOP, MOST_STOPS
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.inputs import MAX_TEXT, check_text
from youtu_gguf.serve.refusals import Place, refused
from youtu_gguf.tasks import TASKS

MAX_TASKS = 16
"""Tasks of one request: each takes a thread."""

MAX_NAMES, MAX_NUMBERS = 2_000, 16
"""Entries of a list: more names than any published set of classes has."""

LONGEST_S = 3_600.0
DEFAULT_TIMEOUT_S = 600.0

MapForm = Literal["none", "png"]

_NOT_SENT = ("cancel", "progress")
"""Options that are objects in Python; over HTTP a client hangs up, or reads the stream."""


class Body(BaseModel):
    """Numbers are numbers and not texts of them, and nothing is ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Output(Body):
    """How the answer tells pixels."""

    masks: MaskForm = Field(
        default="rle", description="Masks: COCO's run lengths, runs row by row, outlines, PNG, or not."
    )
    map: MapForm = Field(
        default="none", description="Depth and label maps: a PNG in base64, or not; `id` gives them later."
    )


@dataclass(frozen=True)
class TaskQuestion:
    """One task of a request, checked.

    Attributes:
        task: Its name.
        arguments: As its method of `Scene` takes them.
        options: As every task takes them.
        output: How the answer tells pixels.
    """

    task: str
    arguments: Mapping[str, Any]
    options: Mapping[str, Any]
    output: Output


@dataclass(frozen=True)
class TaskRequest:
    """A checked request.

    Attributes:
        image: The image as text: an id, a data URI, base64 or a URL.
        questions: What is asked of it.
        timeout_s: Longest time from the request to its end, waiting included.
        stream: Whether the answer comes in events.
    """

    image: str
    questions: tuple[TaskQuestion, ...]
    timeout_s: float
    stream: bool


def _bounded(hint: Any) -> Any:
    """Return a type with limits of its texts and lists."""
    if hint is str:
        return Annotated[str, Field(max_length=MAX_TEXT)]
    if get_origin(hint) in (Union, UnionType):
        return reduce(or_, map(_bounded, get_args(hint)))
    if get_origin(hint) is Sequence:
        (item,) = get_args(hint)
        most = MAX_NAMES if item is str else MAX_NUMBERS
        return Annotated[list[_bounded(item)], Field(max_length=most)]  # type: ignore[misc]  # made while running
    return hint


def _optional(hint: Any, **limits: Any) -> Any:
    """Return a field that need not be sent, and has no default that could be."""
    return (_bounded(hint), Field(None, json_schema_extra=lambda schema: cast("None", schema.pop("default")), **limits))


def _options_model() -> type[Body]:
    """Return the model of `Options`, with `max_s` under the name `max_seconds`."""
    hints = {name: hint for name, hint in get_type_hints(Options).items() if name not in _NOT_SENT}
    own = {
        "max_seconds": _optional(hints.pop("max_s"), gt=0, le=LONGEST_S),
        "stop": _optional(list[Annotated[str, Field(max_length=LONGEST_STOP)]], max_length=MOST_STOPS),
    }
    return create_model("RunOptions", __base__=Body, **{name: _optional(hint) for name, hint in hints.items()} | own)


RunOptions = _options_model()


def _task_fields(name: str) -> dict[str, Any]:
    """Return the fields that a task's arguments are."""
    task = TASKS[name]
    hints = get_type_hints(task.run)
    return {
        argument.name: (
            _bounded(hints[argument.name]),
            Field(... if argument.is_required else argument.default, description=argument.declared.help),
        )
        for argument in task.arguments
    }


_HOW: dict[str, Any] = {
    "options": (RunOptions, Field(default_factory=RunOptions, description="As every task takes them.")),
    "output": (Output, Field(default_factory=Output, description="How the answer tells pixels.")),
}

_WHOLE: dict[str, Any] = {
    "image": (
        str,
        Field(description="Id of an image (img_...), data URI, or base64; a URL where the server allows it."),
    ),
    "timeout_s": (
        float,
        Field(DEFAULT_TIMEOUT_S, gt=0, le=LONGEST_S, description="Longest time until the answer ends."),
    ),
    "stream": (bool, Field(False, description="Answer with server-sent events.")),
}


def _literal(word: str) -> Any:
    """Return the type whose only value is `word`."""
    return Literal[word]


@cache
def task_body(name: str) -> type[Body]:
    """Return the model of a request for the task `name`."""
    title = f"{name.title()}Request"
    return create_model(title, __base__=Body, **{**_WHOLE, **_task_fields(name), **_HOW})


@cache
def _several() -> Any:
    """Return the type of a list of tasks."""
    one = {
        name: create_model(
            f"{name.title()}Task", __base__=Body, task=(_literal(name), ...), **{**_task_fields(name), **_HOW}
        )
        for name in TASKS
    }
    any_task: Any = one["ask"]
    for name, kind in one.items():
        any_task = any_task if name == "ask" else any_task | kind
    return Annotated[list[Annotated[any_task, Field(discriminator="task")]], Field(min_length=1, max_length=MAX_TASKS)]


@cache
def many_body() -> type[Body]:
    """Return the model of a request for several tasks; the options of one come before those of all."""
    return create_model("TasksRequest", __base__=Body, tasks=(_several(), ...), **{**_WHOLE, **_HOW})


@cache
def batch_body() -> type[Body]:
    """Return the model of a request for several tasks on many images."""
    how: dict[str, Any] = {
        "options": _HOW["options"],
        "arrays": (bool, Field(False, description="Also keep arrays as .npz, for the archive.")),
        "drawings": (bool, Field(False, description="Also keep the results drawn on the images, for the archive.")),
    }
    return create_model("BatchRequest", __base__=Body, tasks=(_several(), ...), **how)


def read_task(name: str, sent: Mapping[str, Any]) -> TaskRequest:
    """Return the request that the object `sent` makes of a task.

    Raises:
        ApiError: It does not fit the task; names the argument that is wrong.
    """
    body = _checked(task_body(name), sent)
    return _request(body, (_question(body, body, name),))


def read_many(sent: Mapping[str, Any]) -> TaskRequest:
    """Return the request for several tasks that the object `sent` makes.

    Raises:
        ApiError: It does not fit them; names the argument that is wrong.
    """
    body: Any = _checked(many_body(), sent)
    return _request(body, tuple(_question(one, body, one.task) for one in body.tasks))


@dataclass(frozen=True)
class BatchRequest:
    """What is asked of every image of a batch.

    Attributes:
        questions: The tasks.
        arrays: Also write arrays as .npz.
        drawings: Also write the results drawn on the image.
    """

    questions: tuple[TaskQuestion, ...]
    arrays: bool = False
    drawings: bool = False

    @property
    def formats(self) -> tuple[str, ...]:
        """What is written of each result: parts of all data sets, and the files that are asked for."""
        return (*DATASETS, *(("npz",) if self.arrays else ()), *(("png",) if self.drawings else ()))


def read_batch(sent: Mapping[str, Any]) -> BatchRequest:
    """Return the request for several tasks on many images that the object `sent` makes.

    Raises:
        ApiError: It does not fit them; names the argument that is wrong.
    """
    body: Any = _checked(batch_body(), sent)
    for place, one in enumerate(body.tasks):
        if "output" in one.model_fields_set:
            message = "a batch tells masks as COCO's run lengths, and maps in its archive. Leave output out."
            raise ApiError(400, "unsupported_parameter", message, param=f"tasks.{place}.output")
    questions = tuple(_question(one, body, one.task) for one in body.tasks)
    return BatchRequest(questions, body.arrays, body.drawings)


def _request(body: Any, questions: tuple[TaskQuestion, ...]) -> TaskRequest:
    return TaskRequest(body.image, questions, body.timeout_s, body.stream)


def _question(own: Any, common: Any, name: str) -> TaskQuestion:
    """Return what is asked of a task by its own fields, and by those for all tasks of the request."""
    sent = {a.name: getattr(own, a.name) for a in TASKS[name].arguments if a.name in own.model_fields_set}
    for argument, value in sent.items():
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str):
                check_text(text, argument)
    options = common.options.model_dump(exclude_unset=True) | own.options.model_dump(exclude_unset=True)
    if "max_seconds" in options:
        options["max_s"] = options.pop("max_seconds")
    try:
        schema = run_options(options, Settings()).sampling.json_schema or ""
    except InputError as exc:
        raise ApiError(400, "invalid_argument", f"options: {exc}", param="options") from exc
    if len(schema) > LONGEST_SCHEMA:
        message = f"options.json_schema may have {LONGEST_SCHEMA} characters; got {len(schema)}. Shorten it."
        raise ApiError(400, "invalid_argument", message, param="options.json_schema")
    common_output = getattr(common, "output", Output())  # a batch has none
    output = own.output if "output" in own.model_fields_set else common_output
    return TaskQuestion(name, {key: value for key, value in sent.items() if value is not None}, options, output)


def _checked(model: type[Body], sent: Mapping[str, Any]) -> Body:
    try:
        return model.model_validate(sent)
    except ValidationError as exc:
        raise refused(exc.errors(include_url=False), sent, partial(_known, model, sent)) from exc


def _known(model: type[Body], sent: Mapping[str, Any], place: Place) -> Iterable[str]:
    """Return the names that may stand at `place` of a body."""
    match place:
        case (*_, "options", _):
            return RunOptions.model_fields
        case (*_, "output", _):
            return Output.model_fields
        case ("tasks", int(index), _):
            return _task_fields(sent["tasks"][index]["task"]) | _HOW
    return model.model_fields
