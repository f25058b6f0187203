"""Where settings come from: the environment and, while ``bin/serve`` runs, the file that it writes."""

from pathlib import Path

from environs import Env

BASE_DIR = Path(__file__).resolve().parents[2]

env = Env()
VAR_DIR = Path(env.str("MARKETPLACE_VAR", str(BASE_DIR / "var"))).resolve()
env.read_env(VAR_DIR / "run" / "env", recurse=False)
