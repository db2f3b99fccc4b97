#!/usr/bin/env bash
# Makes a Python with hio 0.6.10 for tests/interop_hio.rs: a virtual environment below target/, made once.
# Prints the path of its interpreter, or `skipped: …` with exit code 1 where that cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
venv=${1:-${CARGO_TARGET_DIR:-target}/interop-venv}
works() { [ -x "$1" ] && "$1" -c 'import hio.core.tcp' 2>/dev/null; }

if works "$venv/bin/python"; then
  echo "$venv/bin/python"
  exit 0
fi
# hio 0.6.10 runs on Python 3.11 and 3.12: by name, or where pyenv keeps them.
for version in 3.12 3.11; do
  for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python python3; do
    said=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
    [ "$said" = "$version" ] || continue
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2 && "$venv/bin/pip" install -q --disable-pip-version-check hio==0.6.10 >&2
    if works "$venv/bin/python"; then
      echo "$venv/bin/python"
      exit 0
    fi
  done
done
echo "skipped: no Python 3.11 or 3.12 that can have hio 0.6.10"
exit 1
