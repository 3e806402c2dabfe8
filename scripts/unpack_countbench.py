#!/usr/bin/env python3
"""Take CountBench's published file apart into `metadata.jsonl` and `images/`, for `youtu-gguf eval countbench`.

    python scripts/unpack_countbench.py FILE FOLDER [--questions countbench_paired_questions.json]

FILE is a parquet file with the columns image, number and question (which needs `pip install pyarrow`), or VLMEvalKit's
CountBenchQA.tsv. The parquet file of nielsr/countbench has no questions; google-research/big_vision has them, in the
order of its rows. Rows without an image are left out, and the number of each row is kept as its `index`.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import csv
import importlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.evaluate.data.files import read_json

_ROWS_AT_ONCE = 32
_LONGEST_CELL = 1 << 28
"""Characters; an image in base64 is one cell of the table."""


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each row's image (bytes, or None), number, and question if there is one."""
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as exc:
        raise InputError("parquet files need pyarrow: pip install pyarrow.") from exc
    file = parquet.ParquetFile(path)
    wanted = [name for name in ("image", "number", "question") if name in file.schema_arrow.names]
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted):
        for row in batch.to_pylist():
            yield {**row, "image": row["image"] and row["image"]["bytes"]}


def tsv_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the same of VLMEvalKit's table, in which an image may be the index of the row that has it."""
    csv.field_size_limit(_LONGEST_CELL)
    images: dict[str, bytes] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            cell = row["image"]
            try:
                image = images[cell] if cell in images else base64.b64decode(cell, validate=True)
                number = int(row["answer"])
            except (binascii.Error, ValueError) as exc:
                raise InputError(f"{path}, index {row['index']}: expected an image and a number; {exc}.") from exc
            images[row["index"]] = image
            yield {"index": int(row["index"]), "image": image, "number": number, "question": row["question"]}


def paired_questions(path: Path) -> list[str]:
    """Return the questions of the rows."""
    rows = read_json(path)
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("question"), str) for row in rows
    ):
        raise InputError(f"{path}: expected a list of objects with the text 'question'.")
    return [row["question"] for row in rows]


def unpack(file: Path, folder: Path, questions: list[str] | None = None) -> int:
    """Write the images and `metadata.jsonl` into `folder`, and return how many there are."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    lines = []
    for n, row in enumerate(tsv_rows(file) if file.suffix == ".tsv" else parquet_rows(file)):
        if row["image"] is None:
            continue
        index = row.get("index", n)
        question = row.get("question") if questions is None else questions[n] if n < len(questions) else None
        if not question:
            raise InputError(f"{file}, row {n}: there is no question about it. Give them with --questions.")
        name = f"images/{index:05d}.{_extension(row['image'], f'{file}, row {n}')}"
        (folder / name).write_bytes(row["image"])
        lines.append({"file_name": name, "question": question, "number": int(row["number"]), "index": index})
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")
    return len(lines)


def _extension(image: bytes, where: str) -> str:
    try:
        with Image.open(io.BytesIO(image)) as opened:
            return {"JPEG": "jpg"}.get(opened.format or "", (opened.format or "").lower())
    except (UnidentifiedImageError, OSError) as exc:
        raise InputError(f"{where}: expected an image; {exc}.") from exc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=Path)
    args = parser.parse_args()
    try:
        print(unpack(args.file, args.folder, args.questions and paired_questions(args.questions)), "images")
    except (YoutuError, OSError) as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
