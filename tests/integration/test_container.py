"""In a real control group: what is seen of its limits, and the error in place of a kill. Needs root on Linux."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.test_soak import script

container = script("container")
TOP = container.top_group() if hasattr(os, "geteuid") else None


@pytest.mark.skipif(TOP is None, reason="no control groups that this user may write to")
def test_limits_are_seen_and_an_image_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    checks = container.Checks()
    images = container.make_images(tmp_path / "images")
    with container.made(TOP.within(f"youtu-gguf-test-{os.getpid()}")) as outer:
        outer.limit(container.MEMORY_MB, container.CORES)
        with container.made(outer.within("inner")) as group:
            container.check_numbers(checks, group, container.MEMORY_MB, "nested")
            outer.limit(container.MEMORY_MB, 8)  # the numbers are checked; half a processor only takes longer
            container.check_images(checks, group, images[-2:], container.MEMORY_MB, "nested")
    assert checks.failed == []
