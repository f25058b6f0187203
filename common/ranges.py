"""Ranges of time in PostgreSQL."""

from django.contrib.postgres.fields import DateTimeRangeField
from django.db.models import Func


class TsTzRange(Func):
    """``tstzrange(start, end, bounds)``: for constraints that keep times of one thing apart."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()
