#!/usr/bin/env bash
# Makes a Python with aiohttp, httpx and h11 for tests/interop_http.rs: a virtual environment below target/, made once.
# Prints the path of its interpreter, or `skipped: …` with exit code 1 where that cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
venv=${1:-${CARGO_TARGET_DIR:-target}/http-venv}
works() { [ -x "$1" ] && "$1" -c 'import aiohttp, httpx, h11' 2>/dev/null; }

if works "$venv/bin/python"; then
  echo "$venv/bin/python"
  exit 0
fi
rm -rf "$venv"
if python3 -m venv "$venv" >&2 && "$venv/bin/pip" install -q --disable-pip-version-check aiohttp httpx h11 >&2; then
  if works "$venv/bin/python"; then
    echo "$venv/bin/python"
    exit 0
  fi
fi
echo "skipped: no Python 3 that can have aiohttp, httpx and h11"
exit 1
