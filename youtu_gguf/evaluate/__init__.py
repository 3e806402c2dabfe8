"""How good a model's answers are: benchmarks on data sets that users have, beside the authors' figures.

Data are neither downloaded nor shipped. See docs/evaluation.md.

```python
import youtu_gguf as yg
from youtu_gguf import evaluate

exam = evaluate.prepare("countbench", "data/countbench", limit=200)
with yg.load("Youtu-VL-4B-Instruct-Q8_0.gguf") as model:
    scores = evaluate.run(model, exam, "results/countbench")
print(evaluate.markdown([scores]))
```
"""

from youtu_gguf.evaluate.base import Benchmark, Data, Figure, Kind, Measure, Prediction, Sample, Setting
from youtu_gguf.evaluate.benchmarks import BENCHMARKS
from youtu_gguf.evaluate.exam import Exam, prepare
from youtu_gguf.evaluate.figures import Option, Scored, Scores
from youtu_gguf.evaluate.run import run
from youtu_gguf.evaluate.score import score, score_files
from youtu_gguf.evaluate.table import find_scores, markdown

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Data",
    "Exam",
    "Figure",
    "Kind",
    "Measure",
    "Option",
    "Prediction",
    "Sample",
    "Scored",
    "Scores",
    "Setting",
    "find_scores",
    "markdown",
    "prepare",
    "run",
    "score",
    "score_files",
]
