// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <string_view>

namespace tamis::plan {

/// resources/python/tamis_model.py: what an export carries so that PyTorch runs it.
std::string_view pythonModule() noexcept;

} // namespace tamis::plan
