// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Traces as text, line by line. Private to io.
#include "core/io/trace_reader.h"

namespace tamis::io {

std::unique_ptr<TraceReader> textTrace(const std::filesystem::path& path, TraceFormat format, const TraceColumns& columns);

} // namespace tamis::io
