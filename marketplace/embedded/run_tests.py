"""``bin/test``: everything that has to hold, in order, against parts of its own."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from marketplace.embedded.parts import Parts
from marketplace.embedded.processes import InUseError, PartsError, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("marketplace", "billing", "bookings", "machines", "accounts", "common", "agent")

#: What runs beside the rest: much of it waits, for bookings, for agents, for servers to start.
BESIDE = {
    "browser tests": ("tests/e2e",),
    "tests of money": ("tests/billing", "tests/lives"),
    "tests of agents": ("tests/agent", "tests/machines", "tests/platform"),
}
#: What the agent measures with, and what a buyer may leave behind.
AGENTS_TOOLS = ("curl", "sysbench", "fio", "iperf3", "cron", "at")

# As a deployment would be configured. The addresses are examples, nothing is asked of them.
PRODUCTION = {
    "DEBUG": "false",
    "SITE_URL": "https://example.com",
    "ALLOWED_HOSTS": "example.com",
    "SECRET_KEY": "a-key-of-a-deployment-0123456789-is-made-at-random-and-kept-secret-ABCDEFGHIJ",
    "EMAIL_URL": "submission://someone:secret@mail.example.com:587",
    "STRIPE_API_BASE": "https://api.stripe.com",
    "STRIPE_JS_URL": "https://js.stripe.com/v3/",
    "MARKETPLACE_SELLER_NAME": "Example Servers Ltd",
    "MARKETPLACE_SELLER_STREET": "1 Harbour Street",
    "MARKETPLACE_SELLER_POSTAL_CODE": "D01 F5P2",
    "MARKETPLACE_SELLER_CITY": "Dublin",
    "MARKETPLACE_SELLER_COUNTRY": "IE",
    "MARKETPLACE_SELLER_VAT_ID": "IE6433435F",
    "MARKETPLACE_SELLER_EMAIL": "invoices@example.org",
    "MARKETPLACE_VAT_RATE": "0.23",
    "MARKETPLACE_SELLER_IBAN": "IE29AIBK93115212345678",
    "MARKETPLACE_SELLER_BIC": "AIBKIE2D",
}


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        for number in range(1, 20):  # beside another run, if there is one
            var = ROOT / "var" / ("test" if number == 1 else f"test-{number}")
            try:
                with Parts(var, given=_given(), durable=False) as parts:
                    return _pass(parts, arguments)
            except InUseError:
                continue
    except KeyboardInterrupt:
        _say("Interrupted. Everything that was started has been stopped.")
        return 130
    except PartsError as error:
        _say(str(error))
    return 1


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt(number)


def _given() -> dict[str, str]:
    """URLs to use instead of parts of our own: only ones meant for tests, which empty what they are given."""
    return {name: os.environ.get(f"TEST_{name}", "") for name in ("DATABASE_URL", "REDIS_URL")}


def _pass(parts: Parts, arguments: list[str]) -> int:
    env = {
        **os.environ,
        **parts.env,
        "MARKETPLACE_VAR": str(parts.var),
        "DJANGO_SETTINGS_MODULE": "marketplace.settings",
        "SITE_URL": f"http://127.0.0.1:{free_port()}",
        "PYTHONUNBUFFERED": "1",
        # People in tests book for longer than somebody may whom nobody has checked; tests of that limit set their own.
        "MARKETPLACE_UNVERIFIED_LIMIT": "EUR=1000000,USD=1000000,GBP=1000000,JPY=100000000",
    }
    env.pop("EMAIL_URL", None)
    python = [sys.executable, "-m"]
    manage = [sys.executable, "manage.py"]
    pytest = [*python, "pytest", *arguments]
    static = [*python, "marketplace.embedded.prepare", "--static-only"]
    _tell_what_is_missing()

    if arguments:
        _say("Runs pytest alone, because it was given arguments. bin/test without any passes everything.")
        _run("static files", static, env)
        return _run("pytest", pytest, env)

    # The import linter and the type checker need the settings, and so the environment, too.
    deployment = [*manage, "check", "--deploy", "--fail-level", "WARNING"]
    results = {
        "lint": _run("lint", [*python, "ruff", "check", "."], env),
        "format": _run("format", [*python, "ruff", "format", "--check", "."], env),
        "types": _run("types", [*python, "mypy", *(word for name in PACKAGES for word in ("-p", name))], env),
        "layers": _run("layers", [sys.executable, "-c", LINT_IMPORTS], env),
        "migrations": _run("migrations", [*manage, "makemigrations", "--check", "--dry-run"], env),
        "deployment": _run("deployment", deployment, {**env, **PRODUCTION}),
        "static files": _run("static files", static, env),
        **_run_tests(pytest, env, parts.var / "log"),
    }
    failed = [name for name, status in results.items() if status != 0]
    _say(f"FAILED: {', '.join(failed)}" if failed else "Everything passes.")
    return 1 if failed else 0


def _run_tests(pytest: list[str], env: dict[str, str], logs: Path) -> dict[str, int]:
    """What takes long beside all others: the browser tests mostly wait, and a machine has two cores or more.

    Their output comes last. Migrations are run once: each run's database is a copy of one.
    """
    pytest = [*pytest, "--reuse-db"]
    databases = [urlsplit(env["DATABASE_URL"]).path[1:], *(f"beside_{n}" for n in range(1, len(BESIDE) + 1))]
    if (status := _make_databases([f"test_{name}" for name in databases], env)) != 0:
        return {"databases": status}
    beside = []
    for number, (name, folders) in enumerate(BESIDE.items(), start=1):
        # A database and a cache of its own, which others empty meanwhile, and a folder of its own for files.
        var = logs.parent / f"beside-{number}"
        var.mkdir(exist_ok=True)
        own = {
            "MARKETPLACE_VAR": str(var),
            "DATABASE_URL": urlsplit(env["DATABASE_URL"])._replace(path=f"/beside_{number}").geturl(),
            "REDIS_URL": urlsplit(env["REDIS_URL"])._replace(path=f"/{number}").geturl(),
        }
        beside.append(_Beside(name, [*pytest, *folders], env | own, logs / f"{name.replace(' ', '-')}.log"))
    ignored = [f"--ignore={folder}" for folders in BESIDE.values() for folder in folders]
    try:
        status = _run("tests", [*pytest, *ignored], env)
        return {"tests": status, **{one.name: one.end() for one in beside}}
    except KeyboardInterrupt as interruption:
        for one in beside:
            _interrupted(one.process, told=not interruption.args)
        raise


def _make_databases(names: list[str], env: dict[str, str]) -> int:
    """The first by the migrations, the others as copies of it. Whatever was there of these names is gone."""
    url = urlsplit(env["DATABASE_URL"])
    with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        first, *others = map(sql.Identifier, names)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(first))
        own = {**env, "DATABASE_URL": url._replace(path=f"/{names[0]}").geturl()}
        status = _run("databases", [sys.executable, "manage.py", "migrate", "--verbosity", "0"], own)
        for other in others if status == 0 else ():
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(other, first))
    return status


class _Beside:
    """A run of pytest while others go on."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self.log, self.began = name, log, time.monotonic()
        _say(f"── {name}, beside the next: {shlex.join(command[1:])}")
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)  # noqa: S603

    def end(self) -> int:
        """Wait for it and say what it said. Returns its exit status."""
        status = self.process.wait()
        _say(f"── {self.name} said:\n{self.log.read_text(errors='replace').rstrip()}")
        _say_how(self.name, status, self.began)
        return status


LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def _run(name: str, command: list[str], env: dict[str, str]) -> int:
    _say(f"── {name}: {shlex.join(command[1:])}")
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=env)  # noqa: S603
    try:
        status = process.wait()
    except KeyboardInterrupt as interruption:
        # Ctrl-C has reached it as well, SIGTERM has not; a second one would disturb its own tidying up.
        _interrupted(process, told=not interruption.args)
        raise
    _say_how(name, status, began)
    return status


def _interrupted(process: subprocess.Popen[bytes], *, told: bool = False) -> None:
    if process.poll() is not None:
        return
    if not told:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()


def _say_how(name: str, status: int, began: float) -> None:
    _say(f"   {name} {'passes' if status == 0 else f'FAILS (exit status {status})'}, {time.monotonic() - began:.0f} s")


def _tell_what_is_missing() -> None:
    if not Path("/usr/bin/chromium").exists():
        _say("chromium is missing: the browser tests (marker e2e) will be SKIPPED. On Debian: apt-get install chromium")
    if not (shutil.which("sshd") or Path("/usr/sbin/sshd").exists()):
        _say("sshd is missing: tests that sign in over SSH will be SKIPPED. On Debian: apt-get install openssh-server")
    if os.geteuid() != 0:
        _say("Not run by root: the tests on a disposable machine, with the agent at work on it, will be SKIPPED.")
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if missing := [tool for tool in AGENTS_TOOLS if shutil.which(tool, path=path) is None]:
        _say(f"{', '.join(missing)} missing: tests of what the agent does with them will be SKIPPED or look at less. "
             f"On Debian: apt-get install {' '.join(missing)}")  # fmt: skip


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
