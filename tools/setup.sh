#!/bin/sh
# Makes .venv with everything that the project, its tests and its checks need.
#
# What the system lacks for that is installed with apt-get where this user may, else named in one
# line. Does nothing when .venv is as it should be.
set -eu
cd "$(dirname "$0")/.."

stop() {
    echo "filetracker: $1" >&2
    exit 1
}

quietly() {
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        stop "failed: $*"
    fi
}

# A virtual environment does not survive a move, nor its Python.
wanted="$(cat setup.py pyproject.toml tools/setup.sh | cksum) $PWD"
if [ "$(cat .venv/made-for 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

log="$(mktemp)"
trap 'rm -f "$log"' EXIT

python=
for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        python="$candidate"
        break
    fi
done
[ -n "$python" ] || stop "Python 3.10 or later is needed (sudo apt-get install python3)"
version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"

# Berkeley DB's bindings are compiled here; there are no wheels of them.
missing=
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python$version-venv"
"$python" -c 'import os, sysconfig
open(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null ||
    missing="$missing python$version-dev"
if ! echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1; then
    missing="$missing gcc libc6-dev libdb-dev"
elif ! echo '#include <db.h>' | cc -E - >/dev/null 2>&1; then
    missing="$missing libdb-dev"
fi

if [ -n "$missing" ]; then
    root=
    if [ "$(id -u)" != 0 ]; then
        root="sudo -n"
    fi
    if ! command -v apt-get >/dev/null || ! $root true 2>/dev/null; then
        stop "missing here; install it with: sudo apt-get install$missing"
    fi
    echo "Installing with apt-get:$missing"
    quietly $root apt-get update
    quietly $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $missing
fi

echo "Making .venv with Python $version (only the first time)"
quietly "$python" -m venv --clear .venv
quietly .venv/bin/python -m pip install --disable-pip-version-check -e '.[server,tests]'
echo "$wanted" >.venv/made-for
