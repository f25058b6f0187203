"""The one file that providers get: the same bytes everywhere, for Python 3.9, of the standard library alone."""

import ast
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agent.building import build, sha256

SOURCE = Path(__file__).resolve().parents[2]
FILES = sorted((SOURCE / "agent").rglob("*.py"))


def test_it_is_the_same_bytes_from_another_folder_at_another_time(tmp_path):
    shutil.copytree(SOURCE / "agent", tmp_path / "agent")
    for path in (tmp_path / "agent").rglob("*.py"):
        path.touch(0o600)
    (tmp_path / "agent" / "notes.txt").write_text("not for anyone")
    assert sha256(build(tmp_path)) == sha256(build(SOURCE))


def test_it_holds_the_agent_and_nothing_else():
    data = build(SOURCE)
    assert data.startswith(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert archive.read("agent/cli.py") == (SOURCE / "agent/cli.py").read_bytes()
    assert set(names) == {"__main__.py"} | {path.relative_to(SOURCE).as_posix() for path in FILES}
    assert names == sorted(names)


def test_it_runs(tmp_path):
    path = tmp_path / "rsm-agent.pyz"
    path.write_bytes(build(SOURCE))
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for command in ("enroll", "run", "self-test", "benchmark", "status", "unenroll"):
        assert command in done.stdout


def test_python_3_9_understands_all_of_it():
    vermin = Path(sys.executable).with_name("vermin")
    if not vermin.exists():
        pytest.skip("vermin is not installed")
    # Annotations are never evaluated, thanks to the future import.
    done = subprocess.run(
        [
            vermin,
            "-t=3.9-",
            "--no-tips",
            "--no-eval-annotations",
            "--violations",
            "--no-parse-comments",
            SOURCE / "agent",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_module_parses_for_3_9_and_imports_the_standard_library_alone(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports say where from"
            names = [node.module]
        for name in names:
            first = name.partition(".")[0]
            assert first in sys.stdlib_module_names or first in (
                "agent",
                "torch" if path.name == "gpu_bench.py" else "",
            ), name
    if any(not isinstance(node, ast.Expr) for node in tree.body):
        futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        assert futures, "annotations are not evaluated in 3.9"


def test_it_is_small_enough_to_be_read():
    lines = sum(len(path.read_text().splitlines()) for path in FILES)
    assert lines < 6500
