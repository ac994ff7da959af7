#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the libFuzzer targets and runs each on its corpus:
#   scripts/fuzz.sh [seconds, 20] [target...]     explores for that long, from a new seed each time
#   scripts/fuzz.sh --runs N [target...]          N inputs from a fixed seed: the same inputs each time, for tests
# Exit status: 0 nothing found (or no clang: a reason is printed), 1 a finding; the input is kept in build/fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = --runs ]; then
  extent=(-seed=1 "-runs=${2:?scripts/fuzz.sh --runs N}")
  shift 2
else
  extent=("-max_total_time=${1:-20}")
  shift || true
fi
if ! command -v clang++ > /dev/null; then
  echo "fuzz.sh: skipped, clang++ is not installed (apt-get install clang)"
  exit 0
fi
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer - -o /dev/null 2> /dev/null; then
  echo "fuzz.sh: skipped, this clang++ has no libFuzzer (apt-get install libclang-rt-14-dev)"
  exit 0
fi
rm -rf build/fuzz/fuzz-targets
cmake --preset fuzz > /dev/null
if [ $# -gt 0 ]; then targets=("$@"); else mapfile -t targets < <(ls build/fuzz/fuzz-targets); fi
cmake --build --preset fuzz --target "${targets[@]}"
mkdir -p build/fuzz/findings

# One target: a line if nothing was found, else the end of its log and status 1.
explore() {
  local target=$1 program corpus maximum work log status=0
  shift
  { read -r program; read -r corpus; read -r maximum; } < "build/fuzz/fuzz-targets/$target"
  work=$(mktemp -d) # new inputs go here, the corpus stays as it is
  log=build/fuzz/$target.log
  if "$program" "$@" -max_len="$maximum" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/findings/$target-" "$work" "$corpus" > "$log" 2>&1; then
    echo "fuzz.sh: $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing found"
  else
    status=1
    echo "fuzz.sh: $target: FINDING, see $log and build/fuzz/findings"
    tail -n 30 "$log"
  fi
  rm -rf "$work"
  return $status
}
export -f explore
printf '%s\0' "${targets[@]}" | xargs -0 -P "$(nproc)" -I TARGET bash -c 'explore "$@"' explore TARGET "${extent[@]}"
