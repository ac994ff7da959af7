// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Another way through a model than all blocks one after the other on one set of tokens: leaving early, smaller images, patches of several sizes.
#include "core/nn/model.h"
#include "core/tokens/token_set.h"

#include <span>

namespace tamis::tokens {

struct Trace;

/// Immutable, shared between threads. Holds what it was made for: the model that it is run with is the one it was made for.
class Route {
public:
    virtual ~Route() = default;
    /// Output of one checked sample [1, outputWidth]. `wishes` are empty unless takesWishes(). `trace` may be null; else it comes empty and is
    /// left with a layer for every block of the model (blocks that are not run: no token, no multiply-add; every row of the set -1), multiply-adds
    /// filled in by the route, and features. The source tokens of a trace lie on a grid that is the same for every image.
    /// Throws Error{Cancelled}.
    virtual void run(const nn::Sample& sample, std::span<const Wish> wishes, kernels::Rows output, nn::Scratch& scratch, Trace* trace) const = 0;
    /// Whether tokens can be kept and dropped by hand; the source tokens are then those of the model.
    virtual bool takesWishes() const { return false; }
};

} // namespace tamis::tokens
