"""A check of text: llama.cpp's tokeniser recurses once per character of a word, so a very long word ends the process.

It stands apart from `handles` so that it can be imported without llama.cpp.
"""

import unicodedata
from itertools import groupby

from youtu_gguf.errors import InputError

MAX_RUN = 1000
"""Most characters of one kind in a row. In llama-cpp-python 0.3.36 the tokeniser needs about 310 bytes of stack for
each of them, so that 26,600 overflow the 8 MB stack of a Linux thread and 1,600 the 512 KB of a macOS thread
(scripts/soak/long_words.py). Remove this check when the tokeniser's regular expressions no longer recurse."""


def check_runs(text: str) -> None:
    """Check that text has no long run of letters, spaces or signs; digits are tokenised one by one and do no harm.

    Raises:
        InputError: A run is longer than 1,000 characters.
    """
    if len(text) <= MAX_RUN:
        return
    for kind, run in groupby(_kinds(text)):
        length = sum(1 for _ in run)
        if length > MAX_RUN and kind != "digits":
            raise InputError(f"text may have {MAX_RUN} {kind} in a row; got {length}. Break it up.")


def _kinds(text: str) -> list[str]:
    kinds: list[str] = []
    for char in text:
        category = unicodedata.category(char)[0]
        if char.isspace():
            kinds.append("spaces")
        elif category == "M" and kinds and kinds[-1] != "spaces":  # a mark belongs to the character before it
            kinds.append(kinds[-1] if kinds[-1] != "digits" else "signs")
        else:
            kinds.append({"L": "letters", "N": "digits"}.get(category, "signs"))
    return kinds
