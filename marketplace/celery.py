"""The Celery application: a worker runs the tasks, beat asks the sweeps what is due."""

import os
from typing import Any

from celery import Celery, Task

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")


class RecordedTask(Task):  # type: ignore[type-arg]
    """What a task changes bears its name in history."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from common.history.facts import recorded

        with recorded(task=self.name):
            return super().__call__(*args, **kwargs)


app = Celery("marketplace", task_cls=RecordedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
