"""What every value carries besides itself."""

from dataclasses import dataclass, field

from youtu_gguf.types.arrays import Frozen
from youtu_gguf.types.choices import Finish


@dataclass(frozen=True, slots=True)
class Issue:
    """A flaw found while decoding: what it was, and where in `Result.raw` (character offsets)."""

    message: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Timings:
    """Seconds spent on one result, and tokens.

    Attributes:
        encode_s: Encoding the image; zero when an earlier question paid for it.
        prefill_s: Reading what precedes the questions; close to zero when an earlier question paid for it.
        generate_s: Reading the questions, and generating.
        decode_s: The rest: making the value of answers and states.
        n_image_tokens: Image tokens that the answers and maps are about.
        n_generated: Tokens generated.
        n_prompt: Tokens of all prompts: system text, earlier turns, images and questions. A map counts what precedes
            its question once; where it asks none, that alone.
        n_cached: Those of `n_prompt` that were not decoded for this result, since the engine had them already or
            another thread read them meanwhile.
        wait_s: Waiting for others: for room, or for an image that another thread is reading.
    """

    encode_s: float = 0.0
    prefill_s: float = 0.0
    generate_s: float = 0.0
    decode_s: float = 0.0
    n_image_tokens: int = 0
    n_generated: int = 0
    n_prompt: int = 0
    n_cached: int = 0
    wait_s: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Result(Frozen):
    """A value that a task returned: what all of them carry besides the answer itself.

    Values cannot be changed; `dataclasses.replace` makes a changed copy. Their arrays are read-only, also those of a
    copy and of a value that was pickled. The repr is one line: what was found, and how many issues there were.
    """

    raw: str = ""
    """The model's unmodified answer; empty when nothing was generated. Where a task asked several questions, all their
    answers in order, with a line break between them."""
    finish: Finish = "none"
    """Why the answer ended; of several, why the first ended that did not end by itself."""
    issues: tuple[Issue, ...] = ()
    """Flaws of the answer, in the order they were found; what is not listed here was decoded whole. Before them, that
    the image was shown smaller, where it was: coordinates end at `facts.N_COORDINATES` - 1."""
    timings: Timings = field(default_factory=Timings)
    """Where the time went."""

    def __repr__(self) -> str:
        issues = f"{len(self.issues)} issue{'s' if len(self.issues) > 1 else ''}" if self.issues else ""
        return f"{type(self).__name__}({'; '.join(filter(None, (self._summary(), issues)))})"

    def _summary(self) -> str:
        """Return what the repr says of the value: a few words, "" where there is nothing to say."""
        return ""
