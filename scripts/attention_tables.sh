#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The quality tables of docs/attention-lab.md: every attention method at three settings on tinylm (perplexity of its held-out tokens) and vit20 (top-1 on labelled
# photos), and those that can be trained around behind a training of so many steps. Writes tinylm.csv and vit20.csv, and with steps tinylm.trained.csv and
# vit20.trained.csv.
#   scripts/attention_tables.sh OUT TINY_IMAGENET [STEPS [TAMIS_CLI]]
# TINY_IMAGENET holds classes.tsv, val.tsv, val.tar and train.tar. PHOTOS, TRAINING_PHOTOS and WINDOWS (how many) may be set in the environment.
set -eu
out=${1:?where to write}; photos=${2:?the folder with classes.tsv, val.tsv, val.tar and train.tar}; steps=${3:-0}; cli=${4:-build/dev/app/cli/tamis-cli}
cd "$(dirname "$0")/.."
mkdir -p "$out/photos/val" "$out/photos/train"

# The model's classes are the first 20 of classes.tsv; labels are file<TAB>class.
if [ ! -f "$out/photos/val.labels.tsv" ]; then
    head -20 "$photos/classes.tsv" | cut -f1 > "$out/photos/classes"
    awk -F'\t' 'NR == FNR { class[$1] = NR - 1; next } $2 in class { print $1 "\t" class[$2] }' "$out/photos/classes" "$photos/val.tsv" > "$out/photos/val.labels.tsv"
    cut -f1 "$out/photos/val.labels.tsv" | sed 's|^|val/|' | tar -xf "$photos/val.tar" -C "$out/photos/val" --strip-components=1 -T -
    while read -r class; do # every tenth photo of a class
        tar -tf "$photos/train.tar" "train/$class/images/" | awk '/JPEG$/ && ++n % 10 == 0'
    done < "$out/photos/classes" > "$out/photos/train.list"
    tar -xf "$photos/train.tar" -C "$out/photos/train" --transform 's|.*/||' -T "$out/photos/train.list"
    awk -F/ 'NR == FNR { class[$1] = NR - 1; next } { print $4 "\t" class[$2] }' "$out/photos/classes" "$out/photos/train.list" > "$out/photos/train.labels.tsv"
fi

each() { # METHOD SETTING... : --method METHOD:SETTING ...
    local method=$1; shift
    for setting in "$@"; do printf -- '--method\nattention.%s:%s\n' "$method" "$setting"; done
}
sparse=selected-block=16:compressed-block=16:stride=8
trainable() {
    each native-sparse "selected=4:window=16:$sparse" "selected=4:window=32:$sparse" "selected=6:window=64:$sparse"
    each performer features=32 features=64 features=128
    each linear map=elu+1 map=relu map=squared-relu
}
settings() {
    each tiled query-tile=32:key-tile=32
    each quantised score-bits=8:value-bits=8 score-bits=8 score-bits=4
    each band reach=16 reach=32 reach=64
    each linformer rows=32 rows=96 rows=128
    each moba block=16:selected=4 block=16:selected=8 block=16:selected=12
    each quest page=16:selected=4 page=16:selected=8 page=16:selected=12
    each indexer tokens=32 tokens=64 tokens=128
    each nystrom landmarks=16 landmarks=32 landmarks=64
    for method in window chosen-windows block-sparse fitted-linformer joint-qk; do printf -- '--method\nattention.%s\n' "$method"; done # at their usual settings
    trainable
}
compare() { # NAME SAMPLES... : the table of one model
    local name=$1; shift
    "$cli" compare "datasets/$name" --no-latency "$@"
}
vit20=(--images "$out/photos/val" --labels "$out/photos/val.labels.tsv" --samples "${PHOTOS:-1000}")
tinylm=(--tokens datasets/tinylm/heldout.npy --context 256 --samples "${WINDOWS:-64}")
mapfile -t all < <(settings)
mapfile -t trained < <(trainable)
compare tinylm "${tinylm[@]}" "${all[@]}" --csv "$out/tinylm.csv"
compare vit20 "${vit20[@]}" "${all[@]}" --csv "$out/vit20.csv"
[ "$steps" -gt 0 ] || exit 0
compare tinylm "${tinylm[@]}" "${trained[@]}" --tune "$steps" --tune-set labels=1 --tune-set batch=4 --train-tokens datasets/tinylm/calibration.npy --csv "$out/tinylm.trained.csv"
compare vit20 "${vit20[@]}" "${trained[@]}" --tune "$steps" --tune-set labels=1 --tune-set batch=4 --train-images "$out/photos/train" --train-labels "$out/photos/train.labels.tsv" --csv "$out/vit20.trained.csv"
