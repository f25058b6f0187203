"""A worker dies by SIGKILL in the middle of a refund. The buyer gets the money back once: not twice, not never."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from django.utils import timezone
from redis import Redis

from accounts.models import OutgoingMail
from billing.models import Refund, RefundStatus
from bookings.services.cancel import cancel_booking
from tests.racing import until
from tests.stripe_standin import pay_by_card

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


def with_path(url: str, path: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{path}"))


class Workers:
    """Celery workers on the tests' database, with a queue of their own. ``base`` is where they find the processor."""

    def __init__(self, var: Path, processor: dict[str, str], base: str) -> None:
        self.queue = with_path(settings.REDIS_URL, "9")
        Redis.from_url(self.queue).flushdb()
        self.app = Celery(broker=self.queue)
        self.log = var / "worker.log"
        database = connection.settings_dict["NAME"]
        self.env = {
            **os.environ,
            **processor,
            "STRIPE_API_BASE": base,
            "DATABASE_URL": with_path(os.environ["DATABASE_URL"], database),
            "REDIS_URL": self.queue,
            "MARKETPLACE_VAR": str(var),
            "DJANGO_SETTINGS_MODULE": "marketplace.settings",
        }
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """A worker with one child, both in a process group of their own."""
        command = [sys.executable, "-m", "celery", "--app", "marketplace", "--quiet", "worker"]
        command += ["--pool", "prefork", "--concurrency", "1", "--without-gossip", "--without-mingle"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.started.append(process)
        return process

    def sweep(self) -> None:
        """What beat does every few seconds."""
        self.app.send_task("billing.tasks.make_refunds", retry=False)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """At once and whole: the worker and its child."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def close(self) -> None:
        for process in self.started:
            self.kill(process)
        self.app.close()
        Redis.from_url(self.queue).flushdb()


@pytest.fixture
def workers(wire, stripe, tmp_path) -> Iterator[Workers]:
    workers = Workers(tmp_path, stripe.settings, wire.base)
    yield workers
    workers.close()


@pytest.fixture
def refund(stripe, held, now) -> Refund:
    """Owed: the buyer paid, and canceled in time."""
    pay_by_card(stripe, held, now=now)
    cancel_booking(booking_id=held.pk, by=held.buyer, now=now)
    return Refund.objects.get()


@pytest.mark.parametrize(
    ("moment", "done_already"),
    [
        pytest.param("hold_request", 0, id="before-the-processor-heard-of-it"),
        pytest.param("hold_answer", 1, id="after-the-processor-did-it"),
    ],
)
def test_a_worker_killed_in_the_middle_of_a_refund_costs_nobody_anything(
    stripe, wire, workers, refund, moment, done_already
):
    booking = refund.payment.booking
    wire.on("POST", "/v1/refunds", moment)
    first = workers.start()
    workers.sweep()
    assert wire.held.wait(60), workers.log.read_text()

    workers.kill(first)

    wire.clear()
    refund.refresh_from_db()
    assert refund.status == RefundStatus.REQUESTED, "nobody lived to write down what came of it"
    assert len(stripe.refunded(booking)) == done_already
    assert refund.next_attempt_at > timezone.now(), "the dead worker's lease"

    # A sweep that comes while the lease lasts leaves the refund alone; the one after it makes or finds it.
    workers.start()
    workers.sweep()
    until(lambda: Redis.from_url(workers.queue).llen("celery") == 0, "the worker takes the sweep", seconds=60)
    refund.refresh_from_db()
    assert (refund.status, refund.attempts) == (RefundStatus.REQUESTED, 1)
    Refund.objects.filter(pk=refund.pk).update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    workers.sweep()

    def made() -> bool:
        refund.refresh_from_db()
        return refund.status == RefundStatus.MADE

    until(made, f"the refund is made. The workers' log: {workers.log.read_text()}", seconds=60)
    assert stripe.refunded(booking) == [int(booking.price_total * 100)]
    (at_processor,) = stripe.get("refunds", payment_intent=refund.payment.stripe_payment_intent)["data"]
    assert refund.stripe_refund == at_processor["id"]
    assert refund.attempts == 2
    assert OutgoingMail.objects.filter(key=f"refund-made:{refund.pk}").count() == 1
    assert booking.events.filter(what__endswith=" refunded").count() == 1
