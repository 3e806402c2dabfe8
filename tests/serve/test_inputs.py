"""What requests bring, read strictly: JSON, forms and base64."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import Request

from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.inputs import (
    MAX_ITEMS,
    MAX_TEXT,
    check_text,
    decode_base64,
    parse_json,
    read_form,
    read_json,
)


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": [1.5, "\\u00e9", null, true]}', {"a": 1, "b": [1.5, "é", None, True]}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        ('{"a": 18446744073709551615}', {"a": 2**64 - 1}),
        ("{}", {}),
        (b'{"a": "\xc3\xa9"}', {"a": "é"}),
        (deep(32), json.loads(deep(32))),
    ],
)
def test_an_object_is_read(text: str | bytes, value: dict[str, Any]) -> None:
    assert parse_json(text, "the body") == value


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[]", "1", '"a"', "null", "{", '{"a":}', "{} {}", "\ufeff{}", b"\xef\xbb\xbf{}",
        '{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": -1e999}',
        '{"a": 1' + "0" * 30 + "}", '{"a": ' + "9" * 100_000 + "}",
        '{"a": 1, "a": 2}', '{"b": {"a": 1, "\\u0061": 2}}',
        '{"a": "\\ud800"}', '{"\\udfff": 1}', '{"a": ["\\ud800\\ud800"]}',
        b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "\xc0\xaf"}', '{"a": 1}'.encode("utf-16"), b"\0{}",
        '{"a": "\n"}', "{'a': 1}", deep(33), deep(900), "[" * 100_000, '{"a":' * 100_000, "{" * 100_000,
        '{"a": [' + "[]," * MAX_ITEMS + "[]]}", '{"a": [' + "{}," * MAX_ITEMS + "{}]}",
        '{"a": [' + "0," * MAX_ITEMS + "0]}", '{"a": [' + ("[" * 30 + "]" * 30 + ",") * 10_000 + "1]}",
    ],
    ids=lambda text: ascii(text[:24]),
)  # fmt: skip
def test_what_is_no_plain_json_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(ApiError) as caught:
        parse_json(text, "the body")
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")
    assert len(caught.value.message) < 400


def request(body: bytes, content_type: str, chunk: int = 1000) -> Request:
    async def parts() -> AsyncIterator[dict[str, Any]]:
        for at in range(0, len(body), chunk):
            yield {"type": "http.request", "body": body[at : at + chunk], "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", content_type.encode())]}
    return Request(scope, parts().__anext__)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form"]
)
def test_json_of_another_type_is_refused_as_a_page_elsewhere_may_send_it(kind: str) -> None:
    with pytest.raises(ApiError) as caught:
        asyncio.run(read_json(request(b"{}", kind)))
    assert caught.value.status == 415


def test_json_of_any_length_and_charset_parameter_is_read() -> None:
    body = json.dumps({"a": "b" * 100_000}).encode()
    assert asyncio.run(read_json(request(body, "Application/JSON; charset=utf-8"))) == {"a": "b" * 100_000}


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


FORM = "multipart/form-data; boundary=x"
END = b"--x--\r\n"


def test_a_form_gives_its_texts_and_its_file_however_long_it_is() -> None:
    body = part("a", "é".encode()) + part("image", bytes(3 << 20), "../../etc/passwd") + END
    form = asyncio.run(read_form(request(body, FORM, 1 << 16)))
    assert form.fields == {"a": "é"}
    assert form.files == {"image": bytes(3 << 20)}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FORM),
        (part("a", b"b"), FORM),  # its end is missing
        (part("image", b"b", "c")[:-20], FORM),
        (b"nonsense", FORM),
        (part("a", b"b") + END, "multipart/form-data"),
        (part("a", b"b") + END, "multipart/form-data; boundary="),
        (part("a", b"b") + END, "multipart/form-data; boundary=" + "x" * 1000),
        (part("a", b"b") + END, 'multipart/form-data; boundary="x\\""'),
        (part("a", b"b") + END, "multipart/form-data; boundary=y"),
        (part("a", b"b") + part("a", b"c") + END, FORM),
        (part("a", b"b", "f") + part("b", b"c", "f") + END, FORM),
        (b"".join(part(f"a{i}", b"b") for i in range(17)) + END, FORM),
        (part("a", bytes(2 << 20)) + END, FORM),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n" + END, FORM),
        (b"--x\r\nContent-Type: text/plain\r\n\r\na\r\n" + END, FORM),
        (b"--x\r\nContent-Disposition: form-data; name=" + b"a" * (1 << 20) + b"\r\n\r\na\r\n" + END, FORM),
        (b"--x\r\n" + b"X: y\r\n" * 100_000 + b"\r\na\r\n" + END, FORM),
    ],
    ids=range(17),
)
def test_a_form_that_is_broken_or_too_large_is_refused_and_not_logged(
    body: bytes, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ApiError) as caught:
        asyncio.run(read_form(request(body, kind)))
    assert caught.value.status == 400
    assert caplog.records == []


@pytest.mark.parametrize("charset", ["undefined", "utf-16", "idna", "rot13", "zlib", "nonsense", "\xff"])
def test_the_charset_that_a_form_claims_is_no_matter(charset: str) -> None:
    form = asyncio.run(read_form(request(part("a", b"b") + END, f"{FORM}; charset={charset}")))
    assert form.fields == {"a": "b"}


DATA = bytes(range(256)) * 9000  # more than one piece
TEXT = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"data:image/png;base64,{TEXT}",
        f"DATA:image/png;name=a;BASE64,{TEXT}",
        f"data:;base64,{TEXT}",
        "\r\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)),
        f"data:image/png;base64,\n{TEXT}\n",
    ],
)
def test_base64_is_decoded_with_and_without_a_data_uri_and_in_lines(text: str) -> None:
    assert decode_base64(text) == DATA


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "====", "ab=c", "YQ==YQ==", "YQ=", "YQ===", "YQ==\0", "/etc/passwd", "../nano", "-_-_", "é", "\ud800",
        "data:image/png,abc", "data:image/png;base64;,YQ==", "data:image/png;base64,", "data:" + "a" * 300 + ",YQ==",
        TEXT[:-1], "YQ==" + TEXT, TEXT[: 1 << 20] + "=" + TEXT[(1 << 20) + 1 :],
    ],
    ids=range(20),
)  # fmt: skip
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode_base64(text, "image")
    assert (caught.value.code, caught.value.param) == ("invalid_image", "image")


def test_a_text_of_a_person_is_bounded() -> None:
    assert check_text("é" * MAX_TEXT, "question") == "é" * MAX_TEXT
    for value in ("a" * (MAX_TEXT + 1), "a\0b", None, 1, ["a"], b"a"):
        with pytest.raises(ApiError) as caught:
            check_text(value, "question")
        assert (caught.value.code, caught.value.param) == ("invalid_argument", "question")
