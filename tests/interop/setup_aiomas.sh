#!/usr/bin/env bash
# Makes a Python with aiomas 2.0.1 for tests/interop_channel.rs: a virtual environment below target/, made once.
# Prints the path of its interpreter, or `skipped: …` with exit code 1 where that cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
venv=${1:-${CARGO_TARGET_DIR:-target}/aiomas-venv}
works() { [ -x "$1" ] && "$1" -c 'import aiomas, msgpack' 2>/dev/null; }

if works "$venv/bin/python"; then
  echo "$venv/bin/python"
  exit 0
fi
# aiomas 2.0.1 needs arguments that Python 3.10 has dropped: 3.9 or 3.8: by name, or where pyenv keeps them.
for version in 3.9 3.8; do
  for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python python3; do
    said=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
    [ "$said" = "$version" ] || continue
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2 && "$venv/bin/pip" install -q --disable-pip-version-check "aiomas[mp]==2.0.1" >&2
    if works "$venv/bin/python"; then
      echo "$venv/bin/python"
      exit 0
    fi
  done
done
echo "skipped: no Python 3.8 or 3.9 that can have aiomas 2.0.1"
exit 1
