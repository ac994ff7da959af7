// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/run_context.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace tamis::inputs {

/// Turns one piece of text, as the pre-tokeniser cut it, into ids. Immutable, safe to share between threads.
class TokenModel {
public:
    virtual ~TokenModel() = default;
    /// `piece`: valid UTF-8, not empty. Appends. Throws Error{Cancelled}, and Error{LimitExceeded} for a piece too long.
    virtual void tokenize(std::string_view piece, std::vector<std::int32_t>& ids, const RunContext& context) const = 0;
};

} // namespace tamis::inputs
