#!/usr/bin/env bash
# Makes a Python with tno.mpc.communication 5.0.4 for tests/interop_tno.rs: a virtual environment below target/, made once.
# Prints the path of its interpreter, or `skipped: …` with exit code 1 where that cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
venv=${1:-${CARGO_TARGET_DIR:-target}/tno-venv}
works() { [ -x "$1" ] && "$1" -c 'import tno.mpc.communication, OpenSSL' 2>/dev/null; }

if works "$venv/bin/python"; then
  echo "$venv/bin/python"
  exit 0
fi
for python in python3.12 python3.11 python3.10 python3.9 python3; do
  command -v "$python" >/dev/null || continue
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2 && "$venv/bin/pip" install -q --disable-pip-version-check "tno.mpc.communication[tls]==5.0.4" >&2
  if works "$venv/bin/python"; then
    echo "$venv/bin/python"
    exit 0
  fi
done
echo "skipped: no Python that can have tno.mpc.communication 5.0.4"
exit 1
