// SPDX-License-Identifier: GPL-3.0-or-later
// Linked into every test: before anything else of it runs, its working directory is the source tree.
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace {
[[gnu::constructor(101)]] void enterSourceDir()
{
    if (chdir(TAMIS_SOURCE_DIR) != 0) {
        std::perror("cannot enter " TAMIS_SOURCE_DIR);
        std::_Exit(1);
    }
}
} // namespace
