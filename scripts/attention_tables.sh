#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The quality tables of docs/attention-lab.md: every attention method at three settings on tinylm (perplexity of its held-out tokens) and vit20 (top-1 on labelled
# photos), and with STEPS those that can be trained around behind a training of so many steps, beside exact attention trained as long.
#   scripts/attention_tables.sh OUT TINY_IMAGENET [STEPS [TAMIS_CLI]]
# TINY_IMAGENET holds classes.tsv, val.tsv, val.tar and train.tar. PHOTOS, WINDOWS (how many are scored), MODELS and METHODS (which) may be set in the environment.
# Each method's table is a file OUT/MODEL/METHOD[.trained-STEPS].csv; those that are there are not made again, so that a stopped run goes on where it was. All of
# a model together: OUT/MODEL.csv, OUT/MODEL.trained.csv, and beside them the same as Markdown.
set -eu
out=${1:?where to write}; photos=${2:?the folder with classes.tsv, val.tsv, val.tar and train.tar}; steps=${3:-0}; cli=${4:-build/dev/app/cli/tamis-cli}
cd "$(dirname "$0")/.."
mkdir -p "$out/photos/val" "$out/photos/train" "$out/photos/fit"

# The model's classes are the first 20 of classes.tsv; labels are file<TAB>class.
if [ ! -f "$out/photos/train.labels.tsv" ]; then
    head -20 "$photos/classes.tsv" | cut -f1 > "$out/photos/classes"
    awk -F'\t' 'NR == FNR { class[$1] = NR - 1; next } $2 in class { print $1 "\t" class[$2] }' "$out/photos/classes" "$photos/val.tsv" > "$out/photos/val.labels.tsv"
    cut -f1 "$out/photos/val.labels.tsv" | sed 's|^|val/|' | tar -xf "$photos/val.tar" -C "$out/photos/val" --strip-components=1 -T -
    tar -tf "$photos/train.tar" | awk -F/ 'NR == FNR { class[$1]; next } /JPEG$/ && $2 in class && ++n[$2] % 10 == 0' "$out/photos/classes" - > "$out/photos/train.list" # every tenth photo of a class
    tar -xf "$photos/train.tar" -C "$out/photos/train" --transform 's|.*/||' -T "$out/photos/train.list"
    # What operators are fitted to: the first photo of every class, for the first eight by name are taken.
    awk -F/ '!seen[$2]++ { print $4 }' "$out/photos/train.list" | while read -r photo; do cp "$out/photos/train/$photo" "$out/photos/fit/"; done
    awk -F/ 'NR == FNR { class[$1] = NR - 1; next } { print $4 "\t" class[$2] }' "$out/photos/classes" "$out/photos/train.list" > "$out/photos/train.labels.tsv"
fi

all_methods="tiled quantised band window chosen-windows block-sparse linformer fitted-linformer native-sparse moba quest indexer nystrom joint-qk performer trigonometric linear"
not_causal=" linformer fitted-linformer nystrom " # refused on tinylm
not_trained=" tiled quantised moba quest indexer " # these are exact, or choose by what has no gradient
settings() { # MODEL METHOD: one setting a line
    local sparse=selected-block=16:compressed-block=16:stride=8
    case $1:$2 in
        *:tiled) printf '%s\n' query-tile=32:key-tile=32 query-tile=64:key-tile=64 query-tile=128:key-tile=32 ;;
        *:quantised) printf '%s\n' score-bits=8:value-bits=8 score-bits=8 score-bits=4 ;;
        *:band) printf '%s\n' reach=16 reach=32 reach=64 ;;
        tinylm:window) printf '%s\n' window=16 window=32 window=64 ;;
        *:window) printf '%s\n' window=4 window=8 window=12 ;;
        tinylm:chosen-windows) printf '%s\n' window=16:windows=2 window=16:windows=4 window=16:windows=8 ;;
        *:chosen-windows) printf '%s\n' window=4:windows=2 window=4:windows=4 window=4:windows=8 ;;
        *:block-sparse) printf '%s\n' pattern=local:1,global:1 pattern=local:1,global:1,random:2 pattern=local:2,global:1,random:4 ;;
        *:linformer) printf '%s\n' rows=32 rows=96 rows=128 ;;
        *:fitted-linformer) printf '%s\n' rows=32:ridge=0.3 rows=96:ridge=0.3 rows=128:ridge=0.3 ;; # eight photos are few: without a ridge the fit is worse than means
        *:native-sparse) printf '%s\n' "selected=4:window=16:$sparse" "selected=4:window=32:$sparse" "selected=6:window=64:$sparse" ;;
        *:moba) printf '%s\n' block=16:selected=4 block=16:selected=8 block=16:selected=12 ;;
        *:quest) printf '%s\n' page=16:selected=4 page=16:selected=8 page=16:selected=12 ;;
        *:indexer) printf '%s\n' tokens=32 tokens=64 tokens=128 ;;
        *:nystrom) printf '%s\n' landmarks=16 landmarks=32 landmarks=64 ;;
        *:joint-qk) printf '%s\n' rank=8 rank=16 rank=24 ;;
        *:performer) printf '%s\n' features=32 features=64 features=128 ;;
        *:trigonometric) printf '%s\n' map=trigonometric:features=32 map=trigonometric:features=64 map=trigonometric:features=128 ;;
        *:linear) printf '%s\n' map=elu+1 map=relu map=squared-relu ;;
        *) echo "attention_tables.sh: no settings of $2" >&2; exit 2 ;;
    esac
}
vit20=(--images "$out/photos/val" --labels "$out/photos/val.labels.tsv" --samples "${PHOTOS:-1000}")
vit20_fit=(--fit-images "$out/photos/fit")
vit20_train=(--train-images "$out/photos/train" --train-labels "$out/photos/train.labels.tsv")
tinylm=(--tokens datasets/tinylm/heldout.npy --context 256 --samples "${WINDOWS:-64}")
tinylm_fit=(--fit-tokens datasets/tinylm/calibration.npy)
tinylm_train=(--train-tokens datasets/tinylm/calibration.npy)

measure() { # MODEL METHOD FILE FLAGS... : one method's table, unless it is there
    local model=$1 method=$2 file=$3; shift 3
    [ ! -f "$file" ] || return 0
    [[ $model != tinylm || $not_causal != *" $method "* ]] || return 0
    local id=$method flags=(); [ "$method" != trigonometric ] || id=performer
    while read -r setting; do flags+=(--method "attention.$id:$setting"); done < <(settings "$model" "$method")
    local -n scored=$model fitted=${model}_fit
    echo "$model $method" "$@"
    "$cli" compare "datasets/$model" --no-latency "${scored[@]}" "${fitted[@]}" "${flags[@]}" "$@" --csv "$file.part" --quiet > /dev/null
    mv "$file.part" "$file"
}
together() { # TABLE FILE... : rows of all files, each once, and as Markdown
    local table=$1; shift
    awk '!seen[$0]++' "$@" > "$table.csv"
    awk -F'"' 'BEGIN { print "| method | settings | trained | map error | output error | GMAC | top-1 | perplexity | agreement | KL |"; print "|---|---|---|---|---|---|---|---|---|---|" }
        function short(x, digits) { return x == "" ? "" : sprintf("%." digits "g", x) }
        function share(x) { return x == "" ? "" : sprintf("%.1f %%", 100 * x) }
        FNR > 1 { split($7, c, ","); sub("attention.", "", $2)
            print "| `" $2 "`" (c[2] ? " (trivial)" : "") " | " $6 " | " (c[3] ? "yes" : "") " | " ($8 != "" ? $8 : short(c[4], 3) " | " short(c[5], 3) " | " short(c[6] / 1e9, 4) " | " share(c[8]) " | " short(c[9], 4) " | " share(c[10]) " | " short(c[11], 3)) " |" }' "$table.csv" > "$table.md"
}
for model in ${MODELS:-tinylm vit20}; do
    mkdir -p "$out/$model"
    for method in ${METHODS:-$all_methods}; do measure "$model" "$method" "$out/$model/$method.csv"; done
    together "$out/$model" $(for method in $all_methods; do ls "$out/$model/$method.csv" 2> /dev/null || true; done)
done
[ "$steps" -gt 0 ] || exit 0
for model in ${MODELS:-tinylm vit20}; do
    declare -n train=${model}_train
    for method in ${METHODS:-$all_methods}; do
        [[ $not_trained != *" $method "* ]] || continue
        measure "$model" "$method" "$out/$model/$method.trained-$steps.csv" --tune "$steps" --tune-set labels=1 --tune-set batch=4 "${train[@]}"
    done
    together "$out/$model.trained" $(for method in $all_methods; do ls "$out/$model/$method.trained-$steps.csv" 2> /dev/null || true; done)
done
