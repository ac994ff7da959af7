#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what is missing, builds with warnings as errors, fuzzes every reader, runs every test. Window tests run on a
# virtual display. Ends with ctest's own summary.
#   scripts/test.sh [ctest arguments]
# TAMIS_FUZZ_RUNS (default 30000, 0 to leave out): inputs for each fuzz target, the same ones each time; scripts/fuzz.sh explores further.
set -eu
cd "$(dirname "$0")/.."
scripts/packages.sh test
export LC_ALL=C.UTF-8 QT_LOGGING_RULES='*.debug=false'
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
    XDG_RUNTIME_DIR=$(mktemp -d)
    export XDG_RUNTIME_DIR
fi
mkdir -p build
cmake --preset ci > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
cmake --build --preset ci
if [ "${TAMIS_FUZZ_RUNS:-30000}" -gt 0 ]; then scripts/fuzz.sh --runs "${TAMIS_FUZZ_RUNS:-30000}"; fi
ctest --preset ci -j "$(nproc)" --no-tests=error "$@"
