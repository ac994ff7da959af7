// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Records of a fixed size. Private to io.
#include "core/io/trace_reader.h"

namespace tamis::io {

std::unique_ptr<TraceReader> binaryTrace(const std::filesystem::path& path, TraceFormat format);

} // namespace tamis::io
