// SPDX-License-Identifier: GPL-3.0-or-later
// The build without a window.
#include "app/cli/token_overlays.h"
#include "app/cli/usage_error.h"

namespace tamis::cli {

std::vector<std::filesystem::path> overlayFiles(const RunOptions&, const nn::Model&, const measure::SampleSource&)
{
    throw UsageError("--out: this program was built without pictures (TAMIS_GUI), expected a build with them for overlays");
}

void writeOverlays(const RunOptions&, const OverlayRequest&, const std::vector<std::filesystem::path>&, const RunContext&) {}

} // namespace tamis::cli
