#!/usr/bin/env bash
# Installs MLServer, which the tests of the back end open_inference talk to, into .venv/mlserver: an environment
# of its own, since its versions are not ours. Where it cannot be had, this says so and these tests are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

WANTED=tests/data/mlserver-requirements.txt PLACE=.venv/mlserver
stamp="$(cksum <$WANTED) $PWD"
if [ "$(cat $PLACE/stamp 2>/dev/null)" = "$stamp" ]; then exit 0; fi
rm -rf $PLACE
echo "Installing MLServer for the tests into $PLACE" >&2
if .venv/bin/python -m venv $PLACE &&
    $PLACE/bin/python -m pip install -qq --disable-pip-version-check --no-deps --requirement $WANTED >&2
then echo "$stamp" >$PLACE/stamp
else echo "mlserver.sh: pip could not install MLServer; the tests that need it will be skipped." >&2; fi
