// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A navigable small-world graph over rows (Malkov and Yashunin 2018), by hnswlib where Tamis was built with it.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::encoder {

struct GraphSettings {
    bool euclidean = false;             ///< distance |x - w|^2, else 1 - x . w
    std::int64_t neighbours = 16;       ///< of a row in the upper layers; twice as many in the lowest
    std::int64_t constructionList = 200;
    std::int64_t searchList = 256;      ///< at least as many as are asked for
    std::uint64_t seed = 0;
};

/// Immutable once built; searches from several threads.
class GraphIndex {
public:
    virtual ~GraphIndex() = default;
    virtual std::vector<std::int32_t> nearest(const float* query, std::size_t count) const = 0; ///< at most `count` rows, in ascending order
    virtual std::uint64_t bytes() const noexcept = 0;
    /// Distances that searches on this thread computed so far, of all indexes.
    virtual std::uint64_t distances() const noexcept = 0;
};

bool hasGraphIndex() noexcept; ///< built with hnswlib
/// Rows go in one after the other: the same graph for the same seed. Throws Error{UnsupportedFeature} without hnswlib, Error{Cancelled}.
std::shared_ptr<const GraphIndex> graphIndex(tensor::MatrixView<const float> rows, const GraphSettings& settings, const RunContext& context = {});

} // namespace tamis::encoder
