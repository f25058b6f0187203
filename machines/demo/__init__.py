"""Reading the files of ``data/``: facts in, plain objects out. Knows no user and no booking."""

from pathlib import Path

#: Where the files are. ``data/README.md`` says where they come from and under which licences.
DATA = Path(__file__).resolve().parent.parent.parent / "data"
