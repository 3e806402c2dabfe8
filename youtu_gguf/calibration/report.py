"""The results of a calibration: a finding per question, with the evidence of every image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from youtu_gguf.calibration.assumptions import DEFAULT, Calibration
from youtu_gguf.calibration.sign_test import Evidence, SignTest

QuestionName = Literal["position_shift", "leading_space", "bin_base", "normalise", "final_period", "refine"]


@dataclass(frozen=True)
class Finding:
    """The answer to one question: the value of a field of `Calibration`.

    Attributes:
        question: The field's name.
        figure: What the images' figures are, in words.
        hypotheses: The values that were compared.
        words: Their names in reports.
        evidence: Per image a figure for every hypothesis; higher is better.
        test: The vote of the images that were understood.
        answer: The field's value; None where the evidence does not suffice.
        reason: Why, in a sentence or two.
    """

    question: QuestionName
    figure: str
    hypotheses: tuple[int | bool | str, ...]
    words: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    test: SignTest
    answer: int | bool | str | None
    reason: str

    def form(self) -> dict[str, Any]:
        """Return it in JSON's types, with the figures of every image."""
        return {
            "question": self.question,
            "answer": self.answer,
            "default": getattr(DEFAULT, self.question),
            "reason": self.reason,
            "figure": self.figure,
            "hypotheses": list(self.hypotheses),
            "means": [round(mean, 4) for mean in self.test.means],
            "n_ahead": self.test.n_ahead,
            "n_images": self.test.n_images,
            "p_value": self.test.p_value,
            "images": [
                {"image": b.image, "figures": [round(f, 4) for f in b.figures], "understood": b.understood}
                for b in self.evidence
            ],
        }


@dataclass(frozen=True)
class CalibrationReport:
    """All findings on one model.

    Attributes:
        findings: One per question.
        notes: What limited the measurement, such as a package that is not installed.
        seconds: How long it took.
        key: Identifies the model's files; None where the model has none.
        files: Their names and bytes.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    key: str | None = None
    files: tuple[tuple[str, int], ...] = ()

    @property
    def calibration(self) -> Calibration:
        """The defaults, with measured values in their place."""
        return replace(DEFAULT, **{f.question: f.answer for f in self.findings if f.answer is not None})  # type: ignore[arg-type]

    @property
    def n_decided(self) -> int:
        """Questions that were answered."""
        return sum(finding.answer is not None for finding in self.findings)

    def form(self) -> dict[str, Any]:
        """Return all of it in JSON's types."""
        return {
            "files": [{"name": name, "bytes": n_bytes} for name, n_bytes in self.files],
            "seconds": round(self.seconds, 1),
            "notes": list(self.notes),
            "findings": [finding.form() for finding in self.findings],
        }
