"""The marketplace as a process: ``bin/serve`` whole, or a web server on parts that a test may break."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from marketplace.embedded.parts import Parts
from marketplace.embedded.processes import clear, end, free_port, parts_of, tail

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ("DATABASE_URL", "REDIS_URL", "STRIPE_", "SECRET_KEY", "SITE_URL", "MARKETPLACE_", "EMAIL_URL")


@contextmanager
def short_lived_folder() -> Iterator[Path]:
    """A folder that the user of the database may pass through; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="marketplace-test-")).resolve()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bare_env(**more: str) -> dict[str, str]:
    """This environment without what bin/test put there for its own tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**env, **more}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str
    seconds: float


def ask(url: str, *, cookie: str = "", data: dict[str, str] | None = None, timeout: float = 20) -> Answer:
    """GET ``url``, or POST ``data`` to it."""
    body = urllib.parse.urlencode(data).encode() if data is not None else None
    request = urllib.request.Request(url, data=body, headers={"Cookie": cookie} if cookie else {})
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            status, headers, body = response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        status, headers, body = error.code, dict(error.headers), error.read()
    return Answer(status, headers, body.decode(), time.monotonic() - began)


def until(what: str, true, seconds: float) -> None:
    """Wait for ``true()``; fail after ``seconds``. A refused connection is a no."""
    end_at = time.monotonic() + seconds
    while time.monotonic() < end_at:
        try:
            if true():
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class Serving:
    """``bin/serve`` of the clone at ``root``, in a process group of its own as in a terminal."""

    def __init__(self, root: Path, var: Path, **env: str) -> None:
        self.root = root
        self.var = var
        self.port = free_port()
        self.output = var.with_name(f"{var.name}.out")
        self.env = bare_env(**{"MARKETPLACE_VAR": str(var), "PORT": str(self.port), "MARKETPLACE_DEMO": "0", **env})
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = 120) -> float:
        """Start and wait until it says that it is healthy. Returns the seconds it took."""
        began = time.monotonic()
        self.begin()
        try:
            until("healthy", lambda: self.healthy() and self.url in self.output.read_text(), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{tail(self.output, 60)}") from error
        return time.monotonic() - began

    def begin(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [self.root / "bin" / "serve"], env=self.env, stdout=output, stderr=output, start_new_session=True
            )

    def healthy(self) -> bool:
        assert self.process.poll() is None, "bin/serve has ended"
        return ask(f"{self.url}/healthz").status == 200

    def settings(self) -> dict[str, str]:
        """What var/run/env holds."""
        lines = (self.var / "run" / "env").read_text().splitlines()
        return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}

    def interrupt(self, seconds: float = 20) -> int:
        """Ctrl-C: SIGINT to the whole foreground group. Returns the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def gone(self) -> None:
        """Whatever is left of it, at the end of a test."""
        end(self.process, seconds=20)
        clear(self.var)

    def living(self) -> list[int]:
        return parts_of(self.var)


class Web:
    """A web server alone, on parts that stay in the hands of the test. No worker, no beat."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = parts.var / "log" / "web.log"
        self.env = bare_env(**parts.env, MARKETPLACE_VAR=str(parts.var), SITE_URL=self.url)

    def __enter__(self) -> "Web":
        subprocess.run([sys.executable, "-m", "marketplace.embedded.prepare"], cwd=ROOT, env=self.env, check=True)
        command = [sys.executable, "-m", "gunicorn", "marketplace.wsgi", "--bind", f"127.0.0.1:{self.port}"]
        command += ["--worker-class", "gthread", "--threads", "4", "--no-control-socket"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)
        try:
            until("the web server answers", lambda: ask(f"{self.url}/healthz").status, 30)
        except BaseException:
            end(self.process)
            raise
        return self

    def __exit__(self, *_) -> None:
        end(self.process)

    def health(self) -> tuple[Answer, dict[str, str]]:
        answer = ask(f"{self.url}/healthz")
        return answer, json.loads(answer.text)
