"""How a task is declared: once, in the signature of its function. The command line, conversations, batches, JSON and
their help are made from that.

```python
def polish(
    context: TaskContext,
    description: Annotated[str, Phrase("What to polish.", example="the left cup")],
    times: Annotated[int, Option("How often.", read=read_times, metavar="TIMES", example="3")] = 1,
    dry: Annotated[bool, Switch("Without water.")] = False,
    tool: Annotated[Literal["cloth", "brush"], Choice("What with.")] = "cloth",
) -> Text:
    \"\"\"Polish what a phrase describes.\"\"\"
```
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, get_args, get_type_hints

from youtu_gguf.errors import InputError
from youtu_gguf.tasks.base import class_names, phrase
from youtu_gguf.tasks.typed import choice_reader
from youtu_gguf.types import Count, Result, Text


@dataclass(frozen=True)
class Phrase:
    """Words that the task is about: all those of a command that are no options, joined by blanks.

    `rule` takes them and what they are, and refuses others: `base.phrase`, or `base.thing` where they name a thing.
    """

    help: str
    example: str
    metavar: str = "PHRASE"
    rule: Callable[[str, str], str] = phrase

    def read(self, words: Sequence[str], name: str) -> str | None:
        """Return the phrase that the words make, None where there are none."""
        return self.rule(" ".join(words), f"the {name}") if words else None

    @property
    def examples(self) -> tuple[list[str], ...]:
        """Words that can be typed."""
        return (self.example.split(),)


@dataclass(frozen=True)
class Names:
    """Names of classes that the task is about: one word of a command each, with quotes around several words."""

    help: str
    example: tuple[str, ...]
    metavar: str = "CLASS"

    def read(self, words: Sequence[str], _name: str) -> list[str] | None:
        """Return the names, None where there are none."""
        for word in words:
            if re.search("[,，、]", word):
                raise InputError(
                    f"class names are separated by blanks; got {word!r}. Write it without the comma, and put quotes "
                    'around a name of several words: car "traffic light".'
                )
        return list(class_names(words)) if words else None

    @property
    def examples(self) -> tuple[list[str], ...]:
        """Words that can be typed."""
        return ([*self.example],)


@dataclass(frozen=True)
class Option:
    """A value behind its name: `--zoom 2`. `read` makes it of the text; of the texts where it takes several.

    Attributes:
        help: What it does.
        metavar: What stands for the value in the help; a word for each text that it takes.
        example: Text that can be typed.
        choices: The words that it may be, where it is one of a few.
    """

    help: str
    read: Callable[[Any], object]
    metavar: str
    example: str
    choices: tuple[str, ...] = ()

    @property
    def n_texts(self) -> int:
        """How many texts stand behind the name."""
        return len(self.metavar.split())

    @property
    def examples(self) -> tuple[list[str], ...]:
        """What can be typed behind the name."""
        return tuple([choice] for choice in self.choices) or (self.example.split(),)


@dataclass(frozen=True)
class Choice:
    """One of the words that the argument's type names, behind its name: `--present all`."""

    help: str


@dataclass(frozen=True)
class Switch:
    """A name alone, for True: `--background`."""

    help: str
    metavar: ClassVar[str] = ""
    n_texts: ClassVar[int] = 0
    examples: ClassVar[tuple[list[str], ...]] = ([],)


@dataclass(frozen=True)
class Argument:
    """An argument of a task.

    Attributes:
        name: As a keyword in Python, and, with hyphens, as an option.
        declared: How it is typed.
        default: What it is where it is not given; `inspect.Parameter.empty` where it must be given.
    """

    name: str
    declared: Phrase | Names | Option | Switch
    default: object

    @property
    def is_words(self) -> bool:
        """Whether it is the words of the command, which stand without a name."""
        return isinstance(self.declared, Phrase | Names)

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    @property
    def flag(self) -> str:
        """Its name as an option."""
        return f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True)
class Task:
    """An entry of the registry.

    Attributes:
        run: `(context, *arguments) -> value`; the scene adds the raw answer, finish and timings to the value.
        tokens: Special tokens without which a model cannot do this task.
    """

    run: Callable[..., Result]
    tokens: tuple[str, ...] = ()

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """Its arguments, in order."""
        hints = get_type_hints(self.run, include_extras=True)
        _, *parameters = inspect.signature(self.run).parameters.values()
        return tuple(Argument(p.name, _declared(p.name, hints[p.name]), p.default) for p in parameters)

    @property
    def words(self) -> Argument | None:
        """The argument that is the words of its command, if there is one."""
        return next((argument for argument in self.arguments if argument.is_words), None)

    @property
    def options(self) -> tuple[Argument, ...]:
        """The arguments that have names when they are typed."""
        return tuple(argument for argument in self.arguments if not argument.is_words)

    @cached_property
    def value(self) -> type[Result]:
        """The type of its value."""
        value: type[Result] = get_type_hints(self.run)["return"]
        return value

    @property
    def help(self) -> str:
        """What its command does: the docstring up to its sections."""
        return re.split(r"\n\s*(?:Args|Returns|Raises|Source)\b.*:", inspect.getdoc(self.run) or "")[0].strip()

    @property
    def summary(self) -> str:
        """The first line of that."""
        return self.help.partition("\n")[0]

    def is_in_words(self, arguments: Mapping[str, object]) -> bool:
        """Whether its value is words or a number alone, which has no drawing and no arrays."""
        return self.value is Text or (self.value is Count and arguments.get("by") != "detection")

    def read(self, typed: Mapping[str, Any]) -> dict[str, object]:
        """Return the arguments that were typed, as keywords.

        Args:
            typed: By name what stands behind it, None where it was not given: text, or a list of texts; the words.

        Raises:
            InputError: A value that cannot be, or missing words.
        """
        given: dict[str, object] = {}
        for argument in self.arguments:
            text = typed.get(argument.name)
            value: object = None
            if isinstance(argument.declared, Phrase | Names):
                value = argument.declared.read(text or (), argument.name)
                if value is None and argument.is_required:
                    raise InputError(f"expected {argument.declared.metavar}; got nothing.")
            elif isinstance(argument.declared, Switch):
                value = True if text else None
            elif text is not None:
                value = argument.declared.read(text)
            if value is not None:
                given[argument.name] = value
        return given


def _declared(name: str, hint: Any) -> Phrase | Names | Option | Switch:
    """Return how the argument `name` with the type `hint` is declared."""
    kind, *extras = get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
    for extra in extras:
        if isinstance(extra, Phrase | Names | Option | Switch):
            return extra
        if isinstance(extra, Choice):
            words = get_args(kind)
            return Option(extra.help, choice_reader(name, kind), "|".join(words), words[-1], words)
    raise TypeError(f"argument {name} must be Annotated with a Phrase, Names, Option, Choice or Switch; got {hint}.")
