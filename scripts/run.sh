#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# From a fresh clone to the window: installs what is missing, builds, opens the bundled workspace.
# Without a display it runs the headless demonstration and says where the pictures are.
#   scripts/run.sh [FILE...]     files to open instead of the bundled workspace
set -eu
cd "$(dirname "$0")/.."
scripts/packages.sh build
mkdir -p build
cmake --preset release > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
cmake --build --preset release --target tamis tamis-cli
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    if [ $# -eq 0 ]; then set -- datasets/vit20 datasets/photos; fi
    exec build/release/app/window/tamis "$@"
fi
echo "No display: running the headless demonstration instead."
exec build/release/app/cli/tamis-cli demo --out build/demo
