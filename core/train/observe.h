// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/train/tape.h"

#include <functional>
#include <string>

namespace tamis::train {

/// What an observer of a forward pass is told: the output of every linear layer, before activation and residual, which are
/// then nodes of their own, so that tape.keepGradient(output) keeps the gradient at the layer's output side.
template <class T> using ObserveLinear = std::function<void(const std::string& name, Variable<T> output)>;

} // namespace tamis::train
