"""The whole marketplace running, and browsers that look at it and miss no complaint."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Response, Route, sync_playwright
from psycopg.rows import dict_row

from tests.conftest import CHROMIUM
from tests.disposable import obstacle
from tests.running import ROOT, Serving, short_lived_folder

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]
#: Where pages may ask for things.
HERE = ("http://127.0.0.1:", "http://localhost:", "data:", "blob:")
#: How long a page may take to show what is expected of it, while two cores do everything.
PATIENCE = 15_000
#: Browsers write every answer that is not a success to the console; answers are listened to themselves.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


# The marketplace ----------------------------------------------------------------------------------------------


@dataclass
class Mail:
    to: str
    subject: str
    text: str
    path: Path


class Site:
    """``bin/serve`` as it is for everybody, with its sweeps hurried; time is moved by moving bookings in it."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.url = serving.url
        self.database = serving.settings()["DATABASE_URL"]
        self.world: dict[str, dict[str, str]] = {}
        self._buyers: Iterator[int] = iter(range(10_000))
        self._machines: Iterator[int] = iter(range(10_000))

    def seed(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tests.e2e.seed"], cwd=ROOT, env=self.serving.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        self.world = json.loads(done.stdout)

    def next_buyer(self) -> str:
        return f"buyer{next(self._buyers)}"

    def next_listing(self) -> str:
        """The path of a listing that no other test uses."""
        return f"/listings/{self.world['listings'][f'free-{next(self._machines)}']}/"

    def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with psycopg.connect(self.database, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def booking(self, booking_id: str) -> dict[str, Any]:
        (row,) = self.sql("SELECT * FROM bookings WHERE booking_id = %s", booking_id)
        return row

    def bring_forward(self, booking_id: str, column: str) -> None:
        """Let the time in ``column`` be this very minute: the whole booking moves with it, and what is paid for it."""
        (row,) = self.sql(
            f"SELECT {column} - date_trunc('minute', now()) AS by FROM bookings WHERE booking_id = %s", booking_id
        )
        self.move(booking_id, row["by"])

    def move(self, booking_id: str, by: timedelta) -> None:
        """Let the booking lie so much earlier, and what is paid for it."""
        self.sql(
            "WITH moved AS (UPDATE charges SET covers_from = covers_from - %s, covers_until = covers_until - %s,"
            " due_at = due_at - %s WHERE booking_id = %s)"
            " UPDATE bookings SET start_timestamp = start_timestamp - %s, end_timestamp = end_timestamp - %s,"
            " blocked_until = blocked_until - %s WHERE booking_id = %s",
            by, by, by, booking_id, by, by, by, booking_id,
        )  # fmt: skip

    def sweep(self, task: str) -> None:
        """Have a task done by the worker now that otherwise comes seldom."""
        command = [sys.executable, "-m", "celery", "--app", "marketplace", "call", task]
        subprocess.run(command, cwd=ROOT, env=self.serving.env, check=True, capture_output=True)

    def begin_now(self, booking_id: str, *, minutes: int) -> None:
        """Let the booking have begun with this minute, and last so many. The machine is free again at its end."""
        self.sql(
            "UPDATE bookings SET start_timestamp = date_trunc('minute', now()),"
            " end_timestamp = date_trunc('minute', now()) + %s * interval '1 minute',"
            " blocked_until = date_trunc('minute', now()) + %s * interval '1 minute' WHERE booking_id = %s",
            minutes, minutes, booking_id,
        )  # fmt: skip

    def mails(self, to: str) -> list[Mail]:
        """What has been sent to an address, oldest first."""
        found = []
        for path in sorted((self.serving.var / "mail").glob("*.eml")):
            parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
            if parsed["To"] == to:
                text = parsed.get_body(("plain",))
                found.append(Mail(to, parsed["Subject"].strip(), text.get_content() if text else "", path))
        return found

    def mail(self, to: str, subject: str) -> Mail:
        """The mail whose subject begins like this. Waits for it."""
        return self.wait(
            f"a mail to {to}: {subject}",
            lambda: next((mail for mail in self.mails(to) if mail.subject.startswith(subject)), None),
        )

    def wait(self, what: str, true: Callable[[], Any], seconds: float = 20) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(FileNotFoundError):  # a mail that is being written
                if found := true():
                    return found
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    with short_lived_folder() as folder:
        rates = {"RATE_LOGIN": "1000/m/ip", "RATE_SIGNUP": "1000/m/ip"}
        # Buyers here book for longer than somebody may whom nobody has checked.
        serving = Serving(ROOT, folder / "var", SWEEP_SECONDS="2", MARKETPLACE_UNVERIFIED_LIMIT="EUR=100000", **rates)
        try:
            serving.start()
            site = Site(serving)
            site.seed()
            yield site
        finally:
            serving.gone()


@pytest.fixture(scope="package")
def stories(
    request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """Those of ``stories.py`` that were selected, begun together with the first test that asks for them."""
    from tests.e2e.stories import STORIES, tell  # needs this module

    items = [item for item in request.session.items if "stories" in getattr(item, "fixturenames", ())]
    params = [item.callspec.params for item in items if hasattr(item, "callspec")]
    if params and (reason := obstacle()):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("stories")
    with ThreadPoolExecutor(len(STORIES)) as pool:
        yield {chosen["name"]: pool.submit(tell, chosen["name"], site, folder / chosen["name"]) for chosen in params}


# Browsers -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    # No longer than this folder's tests: while it runs, Django takes the thread for an asynchronous one.
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@dataclass
class Complaints:
    """What browsers had to say about the pages: errors, warnings, refusals by the Content-Security-Policy."""

    found: list[str] = field(default_factory=list)
    muted: bool = False
    #: A form that comes back with an error is an answer, not a failure.
    allowed: set[int] = field(default_factory=lambda: {402, 409, 422})

    def no_more(self) -> None:
        """Fail if there is anything; what comes from now on is not the page's fault but that of a test's tool."""
        assert self.found == []
        self.muted = True

    def listen(self, context: BrowserContext) -> None:
        context.on("console", lambda message: self._note(message.type, message.text, message.page))
        context.on("weberror", lambda error: self.found.append(f"{error.page and error.page.url}: {error.error}"))
        context.on("response", self._note_answer)

    def _note(self, kind: str, text: str, page: Page | None) -> None:
        if kind in ("error", "warning") and not EXPECTED.match(text) and not self.muted:
            self.found.append(f"{page and page.url}: {kind}: {text}")

    def _note_answer(self, answer: Response) -> None:
        if answer.status >= 400 and answer.status not in self.allowed and not self.muted:
            self.found.append(f"{answer.status} {answer.url}")


Opens = Callable[..., Page]


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    complaints = Complaints()
    yield complaints
    assert complaints.found == []


@pytest.fixture
def browse(site: Site, chromium: Browser, complaints: Complaints) -> Iterator[Opens]:
    """Open a browser as somebody: ``browse("provider")``; without a name, as nobody."""
    contexts = []

    def open_browser(name: str = "", **settings: Any) -> Page:
        usual = {"base_url": site.url, "viewport": {"width": 1440, "height": 900}, "locale": "en-GB"}
        usual |= {"timezone_id": "Europe/Berlin", "reduced_motion": "reduce"}
        context = chromium.new_context(**(usual | settings))
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.route(lambda url: not url.startswith(HERE), _refuse(complaints))
        complaints.listen(context)
        if name:
            cookie = {"name": "sessionid", "value": site.world["sessions"][name], "url": site.url}
            context.add_cookies([cookie])
        return context.new_page()

    yield open_browser
    for context in contexts:
        context.close()


def _refuse(complaints: Complaints) -> Callable[[Route], None]:
    """Nothing of a page comes from anywhere but this machine."""

    def refuse(route: Route) -> None:
        complaints.found.append(f"asked for {route.request.url}")
        route.abort()

    return refuse
