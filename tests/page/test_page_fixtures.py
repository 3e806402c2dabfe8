"""What the other tests of the page rest on: the wheel's own page, and tabs that notice what goes wrong."""

from __future__ import annotations

from tests.page.conftest import OpenTab


def test_a_tab_notices_errors_failed_requests_and_what_the_policy_blocks(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect(
        "script error: Error: a fault",
        "script error: Error: a promise",
        "^404 GET .*/nothing",
        "Connecting to .* violates",
        "Refused to connect",
        "Applying inline style violates",
    )
    tab.page.evaluate("setTimeout(() => { throw new Error('a fault') })")
    tab.page.evaluate("() => { Promise.reject(new Error('a promise')) }")
    tab.page.evaluate("fetch('/nothing')")
    tab.page.evaluate("fetch('http://outside.invalid/x').catch(() => 0)")
    tab.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")
