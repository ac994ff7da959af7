#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Measures what docs/results.md reports, on the bundled models. Prints the tables; the numbers also as JSON in build/results.
#   scripts/results.sh [DIR LABELS]    labelled photos of vit20's classes for its top-1 (docs/results.md says which were used)
set -eu
cd "$(dirname "$0")/.."
program=build/release/app/cli/tamis-cli
if [ ! -x "$program" ]; then
    mkdir -p build
    cmake --preset release > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
    cmake --build --preset release --target tamis-cli
fi
out=build/results
mkdir -p "$out"

local=lowrank.local
methods=(--method "$local:preconditioner=identity" --method "$local:preconditioner=abs-mean" --method "$local:preconditioner=output-pca"
    --method "$local:allocate=log-loss" --method "$local:allocate=effective-rank" --method "$local:allocate=greedy"
    --method "$local:allocate=depth-weighted" --method "$local:allocate=sensitivity" --method "$local:allocate=loss-aware" --method "$local:allocate=measured-greedy"
    --method "$local:accounting=block-identity" --method "$local:accounting=block-identity:allocate=measured-greedy"
    --method lowrank.saes --method lowrank.anchored --method lowrank.joint-qk --method lowrank.joint-vo --method lowrank.joint-ud --method lowrank.latent)
dobi=lowrank.dobi:update=whitened
trained=(--method lowrank.dobi --method "$dobi" --method "$dobi:accounting=block-identity" --method "$dobi:scores=joint-planes" --method lowrank.trained --method lowrank.distilled)

echo "== tinylm: perplexity on datasets/tinylm/heldout.npy"
"$program" capture datasets/tinylm --tokens datasets/tinylm/calibration.npy --context 256 --out "$out/tinylm.h5" --quiet
tinylm=(compare datasets/tinylm --calibration "$out/tinylm.h5" --tokens datasets/tinylm/calibration.npy --context 256
    --held-out datasets/tinylm/heldout.npy --keep 0.8,0.6,0.4)
"$program" "${tinylm[@]}" "${methods[@]}" --json "$out/tinylm.json"
echo "== tinylm: methods that train"
"$program" "${tinylm[@]}" "${trained[@]}" --json "$out/tinylm-trained.json"

vit20=(compare datasets/vit20 --calibration datasets/vit20/calibration.h5 --images datasets/photos --resize squash --keep 0.8,0.6,0.4)
if [ $# -eq 2 ]; then
    echo "== vit20: top-1 and fidelity on $1"
    held=(--held-out "$1" --held-out-labels "$2")
else
    echo "== vit20: fidelity on datasets/photos"
    held=(--held-out datasets/photos)
fi
"$program" "${vit20[@]}" "${held[@]}" "${methods[@]}" --json "$out/vit20.json"
