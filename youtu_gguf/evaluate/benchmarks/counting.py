"""TallyQA and CountBench: questions that are answered by a number."""

from __future__ import annotations

from functools import partial
from typing import Literal

from youtu_gguf.arguments import one_of
from youtu_gguf.evaluate.base import Benchmark, Setting
from youtu_gguf.evaluate.data.counting import read_countbench, read_tallyqa
from youtu_gguf.evaluate.kinds.numbers import Numbers

_SUFFIX = "Output the final answer as a single number."

_SETTINGS = (
    Setting(
        "suffix",
        _SUFFIX,
        _SUFFIX,
        "our guess",
        "What follows the question. The report ends its prompt for counting so; it does not say what it asked here.",
        read=str.strip,
    ),
    Setting(
        "number_words",
        "yes",
        "yes",
        "our guess",
        'Whether "three" counts as 3, and "no" and "none" as 0, in answers without digits: yes or no.',
        read=partial(one_of(Literal["yes", "no"]), "number_words"),
    ),
    Setting(
        "several numbers",
        "wrong",
        "wrong",
        "our guess",
        "An answer with two different numbers is wrong, even where one of them is right.",
    ),
)

COUNTING: tuple[Benchmark, ...] = (
    Benchmark(
        "tallyqa",
        "TallyQA",
        """\
test.json     a list of {image, question, answer, issimple, question_id}, from github.com/manoja328/TallyQA_dataset
VG_100K/      images of Visual Genome, from visualgenome.org: part 1
VG_100K_2/    part 2
val2014/      images of COCO, from cocodataset.org, and train2014/, where test.json names them""",
        ("simple", "complex"),
        _SETTINGS,
        Numbers(),
        read_tallyqa,
        {"simple": {"exact": 0.851}, "complex": {"exact": 0.744}},
    ),
    Benchmark(
        "countbench",
        "CountBench",
        """\
metadata.jsonl   on each line {"file_name": ..., "question": ..., "number": ..., "index": ...}
images/          the images that it names
Published as one file with the images inside: the parquet file of the data set nielsr/countbench, with the questions of
google-research/big_vision (countbench_paired_questions.json), or VLMEvalKit's CountBenchQA.tsv. Take them apart with
scripts/unpack_countbench.py of this project's repository.""",
        ("test",),
        (
            *_SETTINGS,
            Setting(
                "questions",
                "all of the folder",
                "all of the folder",
                "our guess",
                "Of the 540 images of CountBench about 490 can still be had, each with a question of CountBenchQA. "
                "Which of them the authors asked about, and with which questions, is not known.",
            ),
        ),
        Numbers(),
        read_countbench,
        {"test": {"exact": 0.886}},
    ),
)
