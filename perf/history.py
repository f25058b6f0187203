"""What history costs a write: the same UPDATE of one row with the triggers off and on.

    .venv/bin/python perf/history.py [--rounds 30]

Needs a migrated database (``DATABASE_URL``), in which it leaves nothing: everything happens in one transaction that is
taken back. docs/decisions/0039-history-by-triggers.md cites it.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import median

sys.path[0] = str(Path(__file__).resolve().parent.parent)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

import django  # noqa: E402

django.setup()

from django.db import connection, transaction  # noqa: E402

from accounts.models import User  # noqa: E402
from common.history.facts import recorded  # noqa: E402
from machines.models import Machine  # noqa: E402

#: Statements a round, each round on a row of its own: in one transaction every version of a row stays, and is passed.
TIMES = 50
#: What a heartbeat writes of a machine, and what a person does.
WRITES = {
    "as a heartbeat: nothing that is kept": "health_indicators = jsonb_build_object('n', %s)",
    "as a person: one kept field": "name = 'm' || %s",
}


def measured(user: User, assignment: str, rounds: int) -> float:
    """Microseconds for one statement: the median of the rounds."""
    took = []
    for _round in range(rounds):
        machine = Machine.objects.create(
            provider=user, name="m", cpu_model="c", cpu_cores=1, ram_gb=1, disk_size_gb=1, network_bandwidth="1", os="o"
        )
        with connection.cursor() as cursor:
            began = time.perf_counter()
            for number in range(TIMES):
                cursor.execute(f"UPDATE machines SET {assignment} WHERE hardware_id = %s", [str(number), machine.pk])
            took.append((time.perf_counter() - began) / TIMES * 1e6)
    return median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with transaction.atomic():
        user = User.objects.create(email="history@perf.example.com")
        for words, assignment in WRITES.items():
            found = {}
            for state in ("DISABLE", "ENABLE"):
                with connection.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                    cursor.execute(f"ALTER TABLE machines {state} TRIGGER USER")
                measured(user, assignment, 3)
                found[state] = measured(user, assignment, rounds)
            with recorded(user=user.pk, address="POST /somewhere/"):
                named = measured(user, assignment, rounds)
            off, on = found["DISABLE"], found["ENABLE"]
            print(f"{words}: {off:.0f} µs without, {on:.0f} µs with history, {named:.0f} µs with who and why")
        transaction.set_rollback(True)


if __name__ == "__main__":
    main()
