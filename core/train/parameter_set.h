// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What training changes: named matrices with their gradients. T is float or double.
#include "core/tensor/matrix.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::train {

template <class T> struct Parameter {
    std::string name;
    std::vector<std::int64_t> shape; ///< as in the checkpoint: [128, 3, 4, 4]
    /// [first, the rest] of the shape; a vector is one row. Leading sides of 1 are left out while more than two are left: a
    /// position table [1, 257, 128] is [257, 128].
    tensor::Matrix<T> values;
    tensor::Matrix<T> gradient;      ///< the same size; ParameterSet::zeroGradients() clears it, Tape::backward() adds
    bool decays = true;              ///< false: no weight decay (biases, norms, position tables)
    double rate = 1;                 ///< times the learning rate: groups that learn faster, slower or (0) not at all: then a constant on
                                     ///< the tape, whose gradient is not computed
};

/// Owns its parameters; references to them stay valid as long as the set lives.
template <class T> class ParameterSet {
public:
    /// Throws Error{InvalidParameter} for a name that is there, a shape that is empty or whose product is not
    /// values.size() (no values: zeros).
    Parameter<T>& add(std::string name, std::vector<std::int64_t> shape, std::vector<T> values = {}, bool decays = true);
    Parameter<T>* find(std::string_view name) noexcept;
    Parameter<T>& at(std::string_view name); ///< throws Error{InvalidParameter} for an unknown name
    std::deque<Parameter<T>>& all() noexcept { return m_parameters; } ///< in the order of addition
    const std::deque<Parameter<T>>& all() const noexcept { return m_parameters; }
    std::uint64_t count() const noexcept; ///< numbers
    void zeroGradients() noexcept;

private:
    std::deque<Parameter<T>> m_parameters;
};

extern template class ParameterSet<float>;
extern template class ParameterSet<double>;

} // namespace tamis::train
