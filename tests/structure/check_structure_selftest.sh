#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The structure check must fail on each kind of breach: plants one at a time in an empty tree.
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

expect_breach() { # file, line that breaks a rule
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/$(dirname "$1")"
    printf '// SPDX-License-Identifier: GPL-3.0-or-later\n#pragma once\n%s\n' "$2" > "$tree/$1"
    if bash "$here/check_structure.sh" "$tree" > /dev/null; then
        echo "not caught: $1: $2"
        failed=1
    fi
}

expect_breach core/io/x.h '#include <QString>'
expect_breach core/io/x.h '#include "core/linalg/gemm.h"'
expect_breach core/tensor/x.h '#include "views/common/theme.h"'
expect_breach core/unheard/x.h 'int x;'
expect_breach core/io/CMakeLists.txt 'target_link_libraries(tamis_io Qt6::Core)'
expect_breach views/plan/x.h '#include "core/plan/plan.h"'
expect_breach views/plan/x.h '#include "app/jobs/lane.h"'
expect_breach views/plan/x.h '#include <tbb/parallel_for.h>'
expect_breach views/plan/CMakeLists.txt 'target_link_libraries(x tamis::plan)'
expect_breach views/plan/x.h 'const QColor c(255, 0, 0);'
expect_breach app/window/x.cpp 'const char* c = "#ff0000";'
expect_breach app/window/x.cpp 'QCoreApplication::processEvents();'
expect_breach app/window/file_utils.h 'int x;'
expect_breach app/window/x.h 'class PlanManager {};'
expect_breach core/io/x.h "$(yes 'int x;' | head -700)"
rm -rf "${tree:?}"/*; mkdir -p "$tree/core/io"
printf '// SPDX-License-Identifier: GPL-3.0-or-later\n#pragma once\n#include "core/base/error.h"\n' > "$tree/core/io/x.h"
bash "$here/check_structure.sh" "$tree" > /dev/null || { echo "a clean tree was refused"; failed=1; }
[ "$failed" -eq 0 ] && echo "every planted breach was caught"
exit "$failed"
