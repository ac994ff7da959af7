// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The k best of z = W x + b over many rows, scored and selected in one pass over W: scores live in registers and the first-level
// cache only, and one comparison of 16 with the running k-th best lets few of them out.
//
// The score of a row is the sum over the inputs from the first to the last, one fused multiply-add each from 0, in float; then one
// rounded addition of the bias (Int8: a fused multiply-add by the row's scale). It is so for every batch size, instruction set and
// number of threads, and in scoreListed(): the same row and input give the same bits everywhere.
#include "core/base/run_context.h"
#include "core/kernels/scan_rows.h"
#include "core/kernels/top_scores.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::kernels {

/// For each of `inputs` [tokens, D] its at most k best rows with z > 0, in the order of before(). Scores that are no number are
/// never among them. Spread over the threads of the current arena. Throws Error{InvalidParameter} for another width or k < 1,
/// Error{Cancelled} within 20 ms of work.
std::vector<std::vector<Scored>> scanTopScores(const ScanRows& rows, tensor::MatrixView<const float> inputs, std::int64_t k, const RunContext& context = {});

/// scores[i] = z of row listed[i] for input x [D], from rows [M, D] as they lie. Single-threaded.
void scoreListed(tensor::MatrixView<const float> rows, std::span<const float> bias, std::span<const float> x, std::span<const std::int32_t> listed, float* scores);

} // namespace tamis::kernels
