"""A person at the Prefect UI: Debian's Chromium without a window, driven by what is to be read on the page."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.e2e.product import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE_SECONDS = 90.0
_RELOAD_SECONDS = 5.0
_WINDOW = (1280, 860)


class Person:
    """Clicks and reads in the UI. Every look waits for what it looks for, up to `PATIENCE_SECONDS`."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._address = address

    def open_from_side_bar(self, name: str) -> None:
        """A page by its entry on the left."""
        if not self.page.url.startswith(f"{self._address}/v2"):
            self.page.goto(self._address)
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def start(self, deployment: str, **parameters: str) -> None:
        """Deployments, the deployment, Run, Custom run; fill these fields, submit, and view the run."""
        self.open_from_side_bar("Deployments")
        self.page.get_by_role("link", name=deployment).first.click()
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        for name, text in parameters.items():
            self.page.get_by_role("textbox", name=name).first.fill(text)
        self.page.get_by_role("button", name="Submit").click()
        self.page.get_by_role("button", name="View run").first.click()
        self.open_tab("Logs")

    def open_run(self, name: str) -> None:
        """The page of a run, from the list of runs."""
        self.open_from_side_bar("Runs")
        self.page.get_by_role("link", name=name).first.click()
        self.open_tab("Logs")

    def open_tab(self, name: str) -> None:
        """A tab of the page."""
        self.page.get_by_role("tab", name=name).click()

    def choose(self, action: str, confirm: str) -> None:
        """An action of the run's menu, and the button of the question that follows."""
        self.page.get_by_role("main").get_by_role("button", name="Open menu").click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()
        self.page.get_by_role("alertdialog").get_by_role("button", name=confirm, exact=True).click()

    def open_newest_run(self, deployment: str) -> None:
        """The page of a deployment's newest run, from the deployment's page."""
        self.open_from_side_bar("Deployments")
        self.page.get_by_role("link", name=deployment).first.click()
        self.page.get_by_role("tab", name="Upcoming").wait_for()
        self._main.locator("a[href*='/runs/flow-run/']").first.click()
        self.open_tab("Logs")

    def open_artifact(self, *texts: str) -> None:
        """The newest version of an artifact of the run, by texts on its card."""
        self.open_tab("Artifacts")
        card = self._main.locator("a[href*='/artifacts/key/']")
        for text in texts:
            card = card.filter(has_text=text)
        self._look_until(card.first, f"an artifact with {', '.join(texts)}", PATIENCE_SECONDS)
        card.first.click()
        self._main.locator("a[href*='/artifacts/artifact/']").first.click()

    def follow_link(self, text: str) -> None:
        """A link of the page that leads out of the UI, to where it goes, in this window or a new one."""
        target = self._main.get_by_role("link", name=text).first.get_attribute("href")
        assert target is not None
        self.page.goto(target)

    def sees_heading(self, text: str) -> None:
        """The page has a heading with this text."""
        self.page.get_by_role("heading", name=text).first.wait_for()

    def sees_picture(self, name: str) -> None:
        """The page has a picture with this alternative text, and the browser could draw it."""
        picture = self._main.get_by_role("img", name=name)
        picture.wait_for()
        wait_until(lambda: picture.evaluate("image => image.naturalWidth") > 0, f"the picture {name!r}")

    def sees(self, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        """The text comes to the page. The UI does not always show the last lines of a run that has just ended."""
        self._look_until(self._main.get_by_text(text).first, repr(text), seconds)

    def sees_in_list(self, run: str, state: str, seconds: float = PATIENCE_SECONDS) -> None:
        """The list of runs shows a run in a state, by its name; the page is loaded again as a person does."""
        self.open_from_side_bar("Runs")
        entry = self._main.get_by_role("listitem").filter(has=self.page.get_by_role("link", name=run))

        self._look_until(entry.get_by_text(state, exact=True).first, f"{run} as {state}", seconds)

    def _look_until(self, wanted: Locator, what: str, seconds: float) -> None:
        """Look for some seconds, load the page again, look again; the test fails with what the page shows instead."""
        from playwright.sync_api import TimeoutError as NotSeenError

        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                wanted.wait_for(timeout=_RELOAD_SECONDS * 1000)
            except NotSeenError:
                self.page.reload()
            else:
                return
        raise AssertionError(f"not seen within {seconds:.0f} s: {what}; the page shows\n{self._main.inner_text()}")

    @property
    def _main(self) -> Locator:
        return self.page.get_by_role("main")


@contextmanager
def person_at(address: str) -> Iterator[Person]:
    """A browser of its own, closed at the end; the address is the UI's."""
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox does not start for root.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=arguments)
        try:
            page = browser.new_page(viewport={"width": _WINDOW[0], "height": _WINDOW[1]})
            page.set_default_timeout(PATIENCE_SECONDS * 1000)
            yield Person(page, address)
        finally:
            browser.close()
