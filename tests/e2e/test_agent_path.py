"""A server joins, is measured, is booked, entered over SSH, left in a mess, erased and certified: nobody does it by hand.

The server is a disposable machine with the real agent; the browser is real, so are the payment, the SSH client and
``ssh-keygen``. Whether anything is left is looked at from outside.
"""

import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.disposable import Machine, obstacle
from tests.e2e.conftest import Opens, Site
from tests.e2e.hosted import LEAVE, PROGRAM, make_ssh_key
from tests.e2e.steps import hold, pay, wait_for_booking

MINUTE_AT_MOST = 60
MEASURING = 240
NAME = "measured-by-itself"


@pytest.fixture
def server() -> Iterator[Machine]:
    if reason := obstacle():
        pytest.skip(reason)
    with Machine(NAME) as machine:
        yield machine


def add_the_machine(page: Page, server: Machine) -> str:
    """The provider's form. Returns the command for the server."""
    page.goto("/machines/add/")
    page.get_by_label("Name", exact=False).first.fill(NAME)
    page.locator("[name=network_bandwidth]").fill("1 Gbps")
    page.locator("[name=ssh_host]").fill("127.0.0.1")
    page.locator("[name=ssh_port]").fill(str(server.sshd_port))
    page.get_by_role("button", name="Add the machine").click()
    page.get_by_role("button", name="Show the command").click()
    return page.locator(".terminal code").first.inner_text()


def run_the_command(server: Machine, command: str) -> None:
    """As it stands on the page, but for what a machine without systemd and sudo has not got."""
    assert "sha256sum -c" in command
    # There is no network but the loopback, and the system's Python is not the tests'.
    command = command.replace("sudo ", "").replace(" --install", "").replace("python3 ", f"{server.python} ", 1)
    done = server.run("bash", "-c", f"cd /root && {command}")
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "OK" in done.stdout


def approve(page: Page) -> None:
    """The administrator looks at the run and believes it."""
    page.goto("/admin/machines/benchmark/?status__exact=pending")
    page.locator("#result_list tbody tr", has_text=NAME).locator("input.action-select").check()
    page.locator("select[name=action]").select_option("approve")
    page.get_by_role("button", name="Go").click()
    page.locator("input[type=submit]").click()
    expect(page.locator(".messagelist")).to_contain_text("1 approved.")


def offer(page: Page, machine: str) -> None:
    """The provider's listing, put on offer."""
    page.goto(f"/machines/{machine}/listings/new/")
    page.locator("[name=price_hour]").fill("3")
    page.locator("main form").get_by_role("button", name=re.compile("Save|Make")).click()
    page.get_by_role("button", name="Put it on offer").or_(
        page.get_by_role("button", name="Put on offer")
    ).first.click()
    expect(page.locator("#messages")).to_contain_text("It is on offer.")


def known_hosts(server: Machine, folder: Path, fingerprint: str) -> Path:
    """The host key that the server shows, if it is the one on the page."""
    scanned = subprocess.run(
        ["ssh-keyscan", "-t", "ed25519", "-p", str(server.sshd_port), "127.0.0.1"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    file = folder / "known_hosts"
    file.write_text(scanned)
    shown = subprocess.run(["ssh-keygen", "-lf", str(file)], capture_output=True, text=True, check=True).stdout
    assert fingerprint in shown
    return file


def test_a_booking_on_an_agents_machine_needs_nobody(
    site: Site, browse: Opens, server: Machine, tmp_path: Path, stories: dict[str, Future[None]]
) -> None:
    """``stories`` of other machines go on meanwhile: each waits for its minutes to pass, like this one."""
    # A server joins: the provider's page shows one command, and then follows what happens by itself.
    provider = browse("provider")
    command = add_the_machine(provider, server)
    machine = re.search(r"/machines/([0-9a-f-]{36})/", provider.url)[1]
    run_the_command(server, command)
    expect(provider.locator("#agent")).to_contain_text("Self-test")
    failed = site.sql("SELECT self_test FROM agents WHERE hardware_id = %s", machine)[0]["self_test"]
    assert [check for check in failed if check["status"] == "fail"] == []
    log = tmp_path / "agent.log"
    server.start(server.python, PROGRAM, "run", log=log)
    expect(provider.locator("#agent .page-header, #agent header").first).to_contain_text("online")

    # Measured without being asked; an administrator believes it; the provider sets a price.
    site.wait(
        "the measurement", lambda: site.sql("SELECT 1 FROM benchmarks WHERE hardware_id = %s", machine), MEASURING
    )
    (run,) = site.sql("SELECT * FROM benchmarks WHERE hardware_id = %s", machine)
    assert run["admin_verification_status"] == "pending"
    assert run["cpu_score"] > 0
    assert run["gpu_throughput_fp16"] is None
    assert run["reasons"]["gpu_throughput_fp16"]
    approve(browse("administrator"))
    offer(provider, machine)
    (listing,) = site.sql("SELECT listing_id FROM listings WHERE hardware_id = %s AND status = 'active'", machine)

    # Booked and paid in the browser, like any other.
    name = site.next_buyer()
    buyer = browse(name)
    key = make_ssh_key(tmp_path)
    buyer.goto("/accounts/keys/")
    buyer.get_by_label("Public key").fill(key.with_suffix(".pub").read_text())
    buyer.get_by_role("button", name="Add the key").click()
    expect(buyer.locator("main")).to_contain_text("SHA256:")
    hold(buyer, f"/listings/{listing['listing_id']}/", start=30, hours=2)
    pay(buyer)
    booking = wait_for_booking(buyer)

    # Its time comes, two minutes of it. The page shows the command without anyone touching anything.
    while time.time() % 60 > 35:
        time.sleep(1)
    site.begin_now(booking, minutes=2)
    buyer.reload()  # it was loaded when there were thirty hours to go
    expect(buyer.locator("main")).to_contain_text("ssh -p", timeout=60_000)
    words = shlex.split(buyer.locator(".terminal code").first.inner_text())
    account = words[-1].partition("@")[0]
    page = buyer.locator("main").inner_text()
    hosts = known_hosts(server, tmp_path, re.search(r"SHA256:[A-Za-z0-9+/]{43}", page)[0])
    ssh = [words[0], "-F", "none", "-i", str(key), "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={hosts}",
           "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=5", *words[1:]]  # fmt: skip

    # Logged in with it, and everything left lying about that a buyer can leave.
    done = subprocess.run([*ssh, LEAVE], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip().endswith("left"), f"{done.stdout}\n{done.stderr}"
    uid = int(server.run("id", "-u", account).stdout)
    left = server.owned_by(uid)
    for place in (f"/home/{account}/model.bin", "/tmp/left", "/var/tmp/left/more", "/dev/shm/left"):
        assert place in left
    assert any(path.startswith("/var/spool/cron/") for path in left) or not server.path("/usr/bin/crontab").exists()
    assert any(path.endswith("/systemd/user/back.timer") for path in left)
    assert len(server.processes_of(uid)) >= 2
    assert len([one for one in server.ipc_of(uid) if one.startswith(("shm", "msg", "sem"))]) == 3

    # It ends. Within a minute nobody gets in and nothing is there any more.
    end = site.booking(booking)["end_timestamp"].timestamp()
    time.sleep(max(0, end - time.time()))

    def refused() -> bool:
        return subprocess.run([*ssh, "true"], capture_output=True, timeout=60, check=False).returncode == 255

    site.wait("the log-in to be refused", refused, MINUTE_AT_MOST)
    site.wait("the erasure", lambda: site.booking(booking)["wiped_at"], MINUTE_AT_MOST)
    assert time.time() - end < MINUTE_AT_MOST
    assert server.owned_by(uid) == []
    assert server.processes_of(uid) == []
    assert server.ipc_of(uid) == []
    for file in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"):
        path = server.path(f"/etc/{file}")
        assert not path.exists() or account not in path.read_text()

    # The buyer has the certificate, and anyone can check it with the commands that are printed on it.
    expect(buyer.get_by_role("heading", name="How it was erased")).to_be_visible()
    with buyer.expect_download(timeout=60_000) as download:
        buyer.get_by_role("link", name="Certificate of erasure (PDF)").click()
    text = "\n".join(page.extract_text() for page in PdfReader(download.value.path()).pages)
    assert site.booking(booking)["booking_id"].hex[-8:] in text
    anyone = browse()
    (certificate,) = site.sql("SELECT id FROM erasure_certificates WHERE booking_id = %s", booking)
    anyone.goto(f"/erasure/{certificate['id']}/")
    expect(anyone.locator(".verdict")).to_contain_text("Verified")
    commands = anyone.locator(".terminal code").inner_text()
    checked = subprocess.run(["bash", "-e", "-c", commands], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count("Good ") == 2, checked.stdout

    # The machine is free again, and somebody else may have it.
    assert site.booking(booking)["booking_status"] == "completed"
    other = browse(site.next_buyer())
    hold(other, f"/listings/{listing['listing_id']}/", start=1, hours=2)
    assert site.mail(f"{name}@example.com", "Log in")
    assert site.mail(f"{name}@example.com", "Erased")
