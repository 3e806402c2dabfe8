"""Everyone can use the page: axe finds nothing serious on any screen, dark or light, wide or narrow."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from scripts._workbench import SCREENS, Workbench
from tests.page.conftest import OpenTab

GRAVE = ("serious", "critical")


def faults(page: Page) -> list[str]:
    """Return what axe finds that keeps people out, each with the first elements that it concerns."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html'][:160]} {node['any'][0]['message'] if node['any'] else ''}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"][:4]
    ]


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 390)])
def test_axe_finds_nothing_serious_on_any_screen(open_tab: OpenTab, theme: str, width: int) -> None:
    tab = open_tab(color_scheme=theme, viewport={"width": width, "height": 800})
    bench = Workbench(tab.page)
    found = [f"start: {fault}" for fault in faults(tab.page)]
    bench.open_sample()
    bench.ask("detect")
    bench.ask("segment")
    bench.ask("depth")
    bench.wait_answers()
    for screen in SCREENS[1:]:
        bench.show(screen)
        found += [f"{screen}: {fault}" for fault in faults(tab.page)]
    assert "\n".join(found) == ""
