"""Forms that a converter may give a language model file, apart from its weights.

They follow from the checkpoint's own files: which tokens its tokenizer names, what its configuration leaves of the
architecture it was made from, and whether it has a chat template.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gguf.constants import TokenType

from youtu_gguf.types import FileForm
from youtu_gguf.weights.synthetic.tokens import NAMED, PADDED, Naming

CHAT_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|begin_of_text|>system\nYou are a helpful assistant."
    "<|end_of_text|>\n' }}{% endif %}{% for message in messages %}{{ '<|begin_of_text|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% endif %}{% endfor %}{% endif %}{{ '<|end_of_text|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|begin_of_text|>assistant\n' }}{% endif %}"
)
"""Facts, "Prompt"."""


@dataclass(frozen=True)
class Variant:
    """One such form.

    Attributes:
        naming: Names and types of the added tokens.
        experts: Keep the expert keys of the architecture, though every layer is dense.
        add_bos: `add_bos_token`; None leaves it out. The template writes the token itself.
        chat_template: None leaves it out.
    """

    naming: Naming = NAMED
    experts: bool = False
    add_bos: bool | None = False
    chat_template: str | None = CHAT_TEMPLATE


ZERO_PADDED = "<codebook_{k:06}>"
VARIANTS: dict[FileForm, Variant] = {
    "named": Variant(),
    "padded": Variant(PADDED),
    "zero-padded": Variant(Naming(ZERO_PADDED, TokenType.USER_DEFINED)),
    "normal": Variant(Naming(codebook_type=TokenType.NORMAL)),
    "special": Variant(replace(NAMED, added_type=TokenType.CONTROL)),
    "experts": Variant(experts=True),
    "bos": Variant(add_bos=True),
    "no-template": Variant(chat_template=None, add_bos=None),
    "other-template": Variant(chat_template="{% for m in messages %}{{ m['content'] }}{% endfor %}"),
}
"""Forms by name; "named" is the published file's, as far as it is known. In "padded" the codebook's entries are
`[PADn]`, in "zero-padded" they have leading zeros, in "normal" they are normal tokens. In "special" coordinates and
tags are control tokens. The others are what their names say.
"""
