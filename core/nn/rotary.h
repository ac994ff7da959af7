// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rotary position embedding (Su et al. 2021) as the LLaMA family uses it: feature i turns with feature i + dimensions / 2.
#include "core/kernels/packed_matrix.h"
#include "core/nn/model_spec.h"

#include <memory>
#include <mutex>
#include <vector>

namespace tamis::nn {

/// Angles a position of each pair, [dimensions / 2], for a sequence of `tokens` (dynamic scaling depends on it), and the
/// factor on cosine and sine (yarn). Formulas: docs/models.md.
struct RotaryFrequencies {
    std::vector<double> frequencies;
    double amplitude = 1;
};
RotaryFrequencies rotaryFrequencies(const RopeSpec& spec, std::int64_t tokens);

/// Cosines and sines of a sequence, computed once a length and shared. Safe to share between threads.
class RotaryTable {
public:
    explicit RotaryTable(const RopeSpec& spec) : m_spec(spec) {}
    struct Values {
        std::int64_t tokens = 0;
        std::vector<float> cosine, sine; ///< [tokens, dimensions / 2]
    };
    std::shared_ptr<const Values> values(std::int64_t tokens) const;
    /// Turns every head of x [tokens, heads * headDim] in place; row i is position i.
    void apply(kernels::Rows x, std::int64_t heads, std::int64_t headDim) const;

private:
    RopeSpec m_spec;
    mutable std::mutex m_mutex;
    mutable std::shared_ptr<const Values> m_values;
};

} // namespace tamis::nn
