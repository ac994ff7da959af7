#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Checks the rules of docs/architecture.md on the source tree given as $1: include directions, bans, file lengths.
set -u
cd "$1" || exit 2
failures=0

breach() { # rule, lines that break it
    [ -z "$2" ] && return
    printf 'BREACH: %s\n%s\n' "$1" "$2"
    failures=$((failures + 1))
}

sources() { find "$@" -type f \( -name '*.h' -o -name '*.cpp' \) 2>/dev/null; }
search() { # regex, paths...
    local regex=$1; shift
    sources "$@" | xargs -r grep -nE "$regex"
}

# core's folders, from the bottom up: each may include itself, what is listed for it, and nothing else of core.
declare -A may=(
    [base]="base" [report]="report base" [tensor]="tensor base" [io]="io tensor base"
    [linalg]="linalg io tensor base" [spectrum]="spectrum linalg io tensor report base"
    [kernels]="kernels tensor base" [nn]="nn kernels io tensor base" [inputs]="inputs io tensor base"
    [train]="train nn kernels linalg io tensor report base" [cost]="cost nn kernels linalg io tensor report base"
    [measure]="measure train nn kernels inputs linalg io tensor report base" [encoder]="encoder measure train nn kernels inputs linalg io tensor report base"
    [attention]="attention measure train cost nn kernels inputs linalg io tensor report base"
    [addressing]="addressing measure nn kernels inputs linalg io tensor report base"
    [tokens]="tokens measure train cost nn kernels inputs linalg io tensor report base"
    [cache]="cache linalg io tensor report base"
    [hierarchy]="hierarchy cache measure nn kernels inputs io tensor report base"
    [remote]="remote tensor report base"
    [fleet]="fleet remote cache measure nn kernels inputs io tensor report base"
    [reuse]="reuse measure nn kernels inputs linalg io tensor report base"
    [plan]="plan spectrum cost nn kernels linalg io tensor report base"
    [lowrank]="lowrank plan spectrum measure train cost nn kernels inputs linalg io tensor report base"
    [bench]="bench attention addressing cache reuse tokens encoder lowrank plan spectrum measure train cost nn kernels inputs linalg io tensor report base")
for folder in core/*/; do
    [ -d "$folder" ] || continue
    name=$(basename "$folder")
    [ -n "${may[$name]-}" ] || { breach "core/$name is not in the list of tests/structure/check_structure.sh" "$folder"; continue; }
    allowed=$(echo "${may[$name]}" | tr ' ' '|')
    breach "core/$name may include only: ${may[$name]}" \
        "$(search '#include *"core/' "core/$name" | grep -vE "#include *\"core/($allowed)/")"
done
breach "core does not know views or app" "$(search '#include *"(views|app)/' core)"
breach "no Qt under core" "$(search '#include *<(Q[A-Z]|Qt)|Q_OBJECT' core)"
breach "core links no Qt or VTK" "$(find core -name CMakeLists.txt -print0 2>/dev/null | xargs -0 -r grep -nE 'Qt6::|VTK')"
breach "views do not know app" "$(search '#include *"app/' views)"
breach "views include only core/report and the parameter schema from core" \
    "$(search '#include *"core/' views | grep -vE '#include *"core/(report/|base/parameter_schema\.h)')"
breach "no TBB under views" "$(search '#include *[<"](oneapi/)?tbb/' views)"
breach "views link only tamis::report of core" \
    "$(find views -name CMakeLists.txt -print0 2>/dev/null | xargs -0 -r grep -nE 'tamis::(base|tensor|io|linalg|spectrum|plan|bench|blas|kernels|nn|inputs|train|cost|measure|encoder|attention|addressing|tokens|cache|reuse|hierarchy|remote|fleet|lowrank)\b|TBB::')"
breach "processEvents only in tests" "$(search 'processEvents' core views app)"
breach "no colour literal outside views/common/theme" \
    "$(search 'QColor *[A-Za-z_]* *[({] *[0-9"]|QColor *[A-Za-z_]* *[({] *Qt::|"#[0-9a-fA-F]{6}"|Qt::(red|green|blue|black|white|gray|yellow|cyan|magenta|dark[A-Z][a-z]+|light[A-Z][a-z]+)\b' views app | grep -v '^views/common/theme')"
breach "every source file starts with an SPDX line" \
    "$(sources core views app tests | while read -r f; do head -1 "$f" | grep -q SPDX-License-Identifier || echo "$f"; done)"
breach "every header has #pragma once" "$(sources core views app | grep '\.h$' | xargs -r grep -L '#pragma once')"
breach "no file over 600 lines" "$(sources core views app tests | xargs -r wc -l | awk '$2 != "total" && $1 > 600')"
breach "banned words in file names" \
    "$(sources core views app | grep -iE '(^|[/_])(manager|helper|helpers|util|utils|handler)([_.]|$)')"
breach "banned words in class names" "$(search '(class|struct) +[A-Za-z]*(Manager|Helper|Utils|Handler)\b' core views app)"

if [ "$failures" -gt 0 ]; then
    echo "$failures rule(s) broken"
    exit 1
fi
echo "all structure rules hold"
