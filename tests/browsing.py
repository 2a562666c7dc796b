"""A page open in a browser: its window, what it asked the network for, what it complained of."""

from typing import Any

from playwright.sync_api import Browser, Page, Request

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


class Visit:
    """The page in a window of its own; `requests` leave out `data:` addresses, which go nowhere."""

    def __init__(self, browser: Browser, address: str, **settings: Any) -> None:
        self.page: Page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings}).new_page()
        self.page.set_default_timeout(60_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", self._note)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.open(address)

    def open(self, address: str) -> None:
        """Open it anew. In a window that is open already, this takes a third of the time. The pages store nothing."""
        self.page.goto("about:blank")
        self.requests.clear()
        self.complaints.clear()
        self.page.goto(address)
        self.wait()

    def wait(self) -> None:
        """Wait until the page is ready."""

    def _note(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.requests.append(request.url)
