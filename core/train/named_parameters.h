// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Tensors of a checkpoint as parameters. Private to train.
#include "core/kernels/activation.h"
#include "core/nn/tensor_source.h"
#include "core/train/observe.h"
#include "core/train/parameter_set.h"
#include "core/train/tape.h"

#include <cstdint>
#include <string>

namespace tamis::train {

/// Adds `tensor` to the set with its stored shape. Throws Error{MalformedFile} when it is missing or is not [rows, cols] in the
/// sense of Parameter::values.
template <class T>
void readParameter(ParameterSet<T>& set, const nn::TensorSource& source, const std::string& tensor, std::int64_t rows, std::int64_t cols, bool decays);
/// name.weight [out, in] (a convolution's may have more sides) and name.bias [out], where it is there.
template <class T> void readLinear(ParameterSet<T>& set, const nn::TensorSource& source, const std::string& name, std::int64_t out, std::int64_t in);
/// name.weight [width] and name.bias [width], where it is there.
template <class T> void readNorm(ParameterSet<T>& set, const nn::TensorSource& source, const std::string& name, std::int64_t width);

/// The parameter of that name as a leaf; an empty variable when there is none.
template <class T> Variable<T> leafNamed(Tape<T>& tape, ParameterSet<T>& set, const std::string& name);
/// activation(x W^T + b), or base + x W^T + b. Observed or replaced, the product is a node of its own.
template <class T>
Variable<T> linearNamed(Tape<T>& tape, ParameterSet<T>& set, const std::string& name, Variable<T> x, const ForwardHooks<T>& hooks,
                        Variable<T> base = {}, kernels::Activation activation = kernels::Activation::None);

} // namespace tamis::train
