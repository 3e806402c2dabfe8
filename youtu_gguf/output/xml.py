"""XML files: written by the standard library, without the characters that XML cannot have."""

import re
from xml.etree.ElementTree import Element, indent, tostring

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no character of XML 1.0 (section 2.2): control characters and halves of surrogate pairs."""


def xml_text(text: str) -> str:
    """Return a text with U+FFFD in place of each character that XML cannot have."""
    return _FORBIDDEN.sub("\ufffd", text)


def xml_bytes(root: Element) -> bytes:
    """Return an element, with all that is in it, as the UTF-8 of a file; it is indented in place."""
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
