// SPDX-License-Identifier: GPL-3.0-or-later
// The build without Qt Charts.
#include "app/cli/demo_pictures.h"

namespace tamis::cli {

bool canDrawPictures() noexcept { return false; }

std::vector<std::filesystem::path> drawPictures(const std::vector<DemoChart>&, const std::filesystem::path&, const RunContext&)
{
    return {};
}

} // namespace tamis::cli
