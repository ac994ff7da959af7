// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/encoder_latency.h"

#include "core/base/error.h"
#include "core/encoder/encoder_quality.h"

#include <chrono>
#include <string>

namespace tamis::encoder {
namespace {
using Clock = std::chrono::steady_clock;
constexpr int kWarmUp = 2, kLeast = 20, kMost = 20'000;
} // namespace

report::EncoderLatency measureLatency(const TopKEncoder& encoder, const TopKEncoder& exact, tensor::MatrixView<const float> prepared, std::int64_t batch,
                                      double seconds, const RunContext& context)
{
    if (batch < 1 || prepared.rows < 1)
        throw Error(ErrorCode::InvalidParameter,
                    "found a batch of " + std::to_string(batch) + " of " + std::to_string(prepared.rows) + " tokens, expected at least one", "latency");
    tensor::Matrix<float> tokens(batch, prepared.cols);
    std::int64_t next = 0;
    const auto timed = [&](const TopKEncoder& each) {
        const auto start = Clock::now();
        const SparseCodes codes = each.encode(tokens.view(), context);
        return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    };
    std::vector<double> ours, dense;
    const auto begin = Clock::now();
    for (int run = -kWarmUp; run < kMost; ++run) {
        context.throwIfStopped();
        for (std::int64_t t = 0; t < batch; ++t, next = (next + 1) % prepared.rows)
            std::ranges::copy(prepared.row(next), tokens.view().row(t).begin());
        const bool oursFirst = run % 2 == 0; // the second finds the tokens, and perhaps rows, in the caches: each has that as often
        const double first = timed(oursFirst ? encoder : exact), second = timed(oursFirst ? exact : encoder);
        if (run < 0)
            continue;
        ours.push_back(oursFirst ? first : second);
        dense.push_back(oursFirst ? second : first);
        const double spent = std::chrono::duration<double>(Clock::now() - begin).count();
        if (run + 1 >= kLeast && spent > seconds)
            break;
    }
    context.finish();
    return {batch, nearestRank(ours, 50), nearestRank(ours, 99), nearestRank(dense, 50)};
}

} // namespace tamis::encoder
