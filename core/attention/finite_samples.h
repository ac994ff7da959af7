// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What fits to samples asks of them. Private to the lab.
#include "core/attention/block_samples.h"
#include "core/attention/row_scan.h"
#include "core/base/error.h"

#include <string>
#include <string_view>

namespace tamis::attention {

/// Throws Error{NonFinite} naming the first query or key with a value that is no finite number: a fit to it would be none. Values are not looked at, no fit reads them.
inline void requireFiniteScores(const BlockSamples& samples, std::string_view method)
{
    for (std::size_t s = 0; s < samples.samples.size(); ++s)
        for (const bool queries : {true, false}) {
            const tensor::Matrix<float>& rows = queries ? samples.samples[s].q : samples.samples[s].k;
            for (std::int64_t i = 0; i < rows.rows(); ++i)
                if (!allNumbers(rows.data() + i * rows.cols(), rows.cols()))
                    throw Error(ErrorCode::NonFinite, std::string("found a ") + (queries ? "query" : "key") + " that is no finite number, token " + std::to_string(i) + " of sample " + std::to_string(s) + ", expected finite ones to fit to",
                                std::string(method));
        }
}

} // namespace tamis::attention
