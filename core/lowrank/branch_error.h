// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a compressed attention writes into the residual stream, against the dense one, on the dense model's hidden states: once with the
// dense model's attention weights, once with its own.
#include "core/lowrank/method.h"

#include <cstddef>
#include <vector>

namespace tamis::lowrank {

struct BranchError {
    int layer = -1;
    double energy = 0; ///< of the dense attention's output about its mean over all tokens
    double values = 0; ///< |o(p, V' O') - o(p, V O)|^2: exact attention weights
    double total = 0;  ///< |o(p', V' O') - o(p, V O)|^2
};

/// Summed over the tokens of `count` samples of inputs.samples, evenly spread. Throws what running the models throws.
std::vector<BranchError> branchErrors(const Inputs& inputs, std::shared_ptr<const nn::Model> compressed, const std::vector<int>& layers, std::size_t count,
                                      const RunContext& context = {});

/// `count` of `available`, evenly spread.
std::vector<std::size_t> evenlySpread(std::size_t available, std::size_t count);

} // namespace tamis::lowrank
