// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/method.h"
#include "core/encoder/routed_encoder.h"
#include "core/encoder/router_training.h"

#include <cstdint>
#include <memory>

namespace tamis::encoder {

/// encoder.hierarchical: a balanced tree over the latents with a linear router at each inner node; docs/methods/encoder.hierarchical.md.
Method hierarchicalMethod();

/// A complete tree: every inner node has `branching` children, leaves are `levels` below the root.
struct TreeShape {
    std::int64_t levels = 2, branching = 8;
    std::int64_t leaves() const noexcept; ///< branching^levels
    std::int64_t nodes() const noexcept;  ///< all but the root: branching + ... + branching^levels
    /// Children that a beam search scores: sum over levels of min(beam, nodes of the level above) * branching.
    std::int64_t scored(std::int64_t beam) const noexcept;
};

/// Output i of the map is the logit of node i among its siblings: nodes level after level from the children of the root on, the children of one
/// node side by side. A node's score is log p along its path; the `beam` best of each level are kept, of equal ones the first. Throws
/// Error{InvalidParameter} for a map of another size or a beam outside 1 to the leaves.
std::shared_ptr<const Router> treeRouter(LinearMap map, TreeShape shape, std::int64_t beam);

} // namespace tamis::encoder
