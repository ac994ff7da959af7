// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/bench/bench.h"

#include <cstdint>
#include <vector>

namespace tamis::bench {

struct EncoderBenchShape {
    std::int64_t width = 0, latents = 0, k = 0;
    float outlier = 1; ///< three features of every token are so many times as large as the others
};

struct EncoderBenchInputs {
    std::vector<EncoderBenchShape> shapes{{768, 131072, 32, 30}, {2304, 65536, 64, 30}, {4096, 65536, 128, 60}};
    std::int64_t tokens = 32; ///< certified encoders are timed and checked on
    bool peers = true;        ///< PyTorch's topk(relu(F.linear))
};

/// For each shape, on a synthetic dictionary: the dense float32 scan at batch 1 and 64 against PyTorch (in a child process; without it the
/// peer is NaN and its name says why), and the certified encoders (8 bits, 4 bits) at batch 1 against that scan. Bounds are bytes at the memory
/// bandwidth and multiply-adds at the peak that the same run measures, before and after. Some 3 GiB and a minute at full size. Throws
/// Error{InvalidParameter} should a certified 8-bit set or value differ from the dense one, Error{Cancelled}.
std::vector<BenchResult> benchEncoder(const RunContext& context, const EncoderBenchInputs& inputs = {});

} // namespace tamis::bench
