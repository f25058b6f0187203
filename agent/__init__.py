"""The program on a provider's server: lets buyers in, measures, erases, and proves it.

Standard library only, Python 3.9 or newer; it imports nothing of the marketplace. What it says to the marketplace is
``docs/agent-protocol.md``. To read it, begin with ``cli.py``, then ``loop.py`` and ``worker.py``.
"""

from __future__ import annotations

VERSION = "1.0.0"
