// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/run_context.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tamis {

/// Lower-case hexadecimal SHA-256.
std::string sha256(std::span<const std::byte> bytes);
/// Of the files' bytes one after the other. Throws Error{IoFailure} naming the file; stops within 10 ms.
std::string sha256OfFiles(const std::vector<std::filesystem::path>& files, const RunContext& context = {});

} // namespace tamis
