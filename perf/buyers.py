"""What each of the clients of ``perf/paying.py`` does, over and over: buy an hour as a browser does, or only what of
that the processor does.

A plain socket here too (:mod:`perf.clients`): whatever a client needs is taken from those that it asks.
"""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from perf.clients import Answer, Outcome, read
from perf.requests import CARD, book, local, post, submit
