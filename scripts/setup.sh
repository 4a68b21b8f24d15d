#!/usr/bin/env bash
# Makes .venv with SegInt in it, pinned by constraints.txt. Never asks; quick when nothing has changed.
# Usage: bash scripts/setup.sh [--bench] [--dev] [--gpu]      PYTHON=/path/to/python3 chooses the interpreter.
#   --bench  what the benchmark's plots need, too      --dev  and what tests and lint need, MLServer included
#   --gpu    torch from the ordinary package index, with CUDA
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CPU_INDEX=https://download.pytorch.org/whl/cpu
extras=pytorch,client gpu=no
for option in "$@"; do
    case $option in
        --bench) extras=${extras/%client/client,bench} ;;  # --dev has it already
        --dev) extras=pytorch,client,bench,dev ;;
        --gpu) gpu=yes ;;
        *) echo "setup.sh: unknown option $option; it knows --bench, --dev and --gpu" >&2; exit 2 ;;
    esac
done

finish() { case $extras in *dev) exec bash scripts/mlserver.sh ;; *) exit 0 ;; esac; }

refuse() { printf 'setup.sh: %s\nType this, then run it again:\n  %s\n' "$1" "$2" >&2; exit 2; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

install_command() {  # the command that installs what Debian calls $1 and Fedora calls $2
    if command -v apt-get >/dev/null; then echo "sudo apt-get update && sudo apt-get install -y $1"
    elif command -v dnf >/dev/null; then echo "sudo dnf install -y $2"
    else echo "(install $1 with your system's package manager)"; fi
}

python_packages() {  # Debian 12 has 3.11 alone, Ubuntu 24.04 has 3.12, Debian 13 has 3.13
    for version in python3.12 python3.13 python3.11; do
        if apt-cache show "$version-venv" >/dev/null 2>&1; then echo "$version $version-venv"; return; fi
    done
    echo "python3 python3-venv"
}

find_python() {
    if [ -n "${PYTHON:-}" ] && ! new_enough "$PYTHON"; then
        refuse "PYTHON is set to $PYTHON, which is no Python 3.11 or newer." "unset PYTHON"
    fi
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python3.14; do
        if [ -n "$candidate" ] && new_enough "$candidate"; then command -v "$candidate"; return; fi
    done
    refuse "Python 3.11 or newer is needed, and none is installed." \
        "$(install_command "$(python_packages)" python3.12)"
}

stamp() { cat setup.cfg pyproject.toml constraints.txt scripts/setup.sh segint_grpc/__init__.py | cksum; }

done_with="$(stamp) $PWD gpu=$gpu"
enough=no
for level in pytorch,client pytorch,client,bench pytorch,client,bench,dev; do  # each serves those before it
    if [ "$level" = "$extras" ]; then enough=yes; fi
    if [ $enough = yes ] && [ -x .venv/bin/segint ] && [ "$(cat ".venv/setup-$level" 2>/dev/null)" = "$done_with" ]; then finish; fi
done

if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python; }; then
    python=$(find_python)
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        refuse "$version lacks its module venv." "$(install_command "$version-venv" "$version")"
    rm -rf .venv
    echo "Making .venv with $version" >&2
    "$python" -m venv .venv
fi

options=(-qq --disable-pip-version-check --constraint constraints.txt)
if [ "$gpu" = no ] && .venv/bin/python - "$CPU_INDEX" 2>/dev/null <<'PYTHON'
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/torch/", method="HEAD"), timeout=5).close()
PYTHON
then options+=(--extra-index-url "$CPU_INDEX"); fi

rm -f .venv/setup-*
echo "Installing SegInt and what it needs into .venv (the first time takes some minutes)" >&2
.venv/bin/python -m pip install "${options[@]}" --editable ".[$extras]" ||
    refuse "pip could not install everything; it says why above. Behind a proxy, it needs its address:" \
        "export HTTPS_PROXY=http://PROXY:PORT"
echo "$done_with" >".venv/setup-$extras"
finish
