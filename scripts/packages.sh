#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the Debian 12 packages that Tamis needs and that are missing. What each is for: README.md, "Dependencies".
#   scripts/packages.sh build|test
set -eu
build="cmake ninja-build g++ pkg-config ccache mold
  libtbb-dev libeigen3-dev libhdf5-dev libopenblas-pthread-dev liblapacke-dev nlohmann-json3-dev libcli11-dev libssl-dev zlib1g-dev liblzma-dev libzstd-dev libhnswlib-dev libfaiss-dev libhiredis-dev
  qt6-base-dev libqt6opengl6-dev qt6-charts-dev qt6-svg-dev libqt6svg6 libvtk9-dev libgl1-mesa-dri fonts-dejavu-core"
testing="xvfb xauth clang libclang-rt-14-dev redis-server"
case "${1:-build}" in
build) wanted=$build ;;
test) wanted="$build $testing" ;;
*) echo "usage: scripts/packages.sh build|test" >&2; exit 2 ;;
esac
missing=""
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
run=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "scripts/packages.sh: please install as root:$missing" >&2; exit 1; }
    run=sudo
fi
echo "Installing:$missing"
$run env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
