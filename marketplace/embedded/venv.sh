# Sourced by bin/serve and bin/test. Makes .venv and installs a requirements file, only when it changed.
#
#   ready_venv requirements.txt

ready_venv() {
    local wanted=$1 python candidate stamp sum
    mkdir -p .venv
    # Two commands started together must not install into each other's feet.
    if command -v flock >/dev/null; then
        exec 9>.venv/.lock
        flock 9
    fi

    if ! .venv/bin/python -c 'import sys, pip; assert sys.version_info >= (3, 11)' 2>/dev/null; then
        python=
        for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
            if "$candidate" -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null; then
                python=$candidate
                break
            fi
        done
        if [ -z "$python" ]; then
            echo "Python 3.11 or newer is needed (set PYTHON to where it is)." >&2
            exit 1
        fi
        echo "Making .venv with $("$python" --version)"
        if ! "$python" -m venv .venv; then
            echo "The venv module is needed. On Debian: apt-get install python3-venv" >&2
            exit 1
        fi
    fi

    # requirements-dev.txt includes requirements.txt, so its stamp covers both.
    sum=$(cat requirements.txt "$wanted" .venv/pyvenv.cfg | cksum)
    stamp=.venv/.installed-$wanted
    if [ "$(cat "$stamp" 2>/dev/null)" != "$sum" ]; then
        echo "Installing $wanted into .venv"
        .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input -r "$wanted"
        echo "$sum" >"$stamp"
        if [ "$wanted" != requirements.txt ]; then
            cat requirements.txt requirements.txt .venv/pyvenv.cfg | cksum >.venv/.installed-requirements.txt
        fi
    fi
    exec 9>&-
}
