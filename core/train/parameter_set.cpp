// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/parameter_set.h"

#include "core/base/error.h"

#include <algorithm>
#include <limits>

namespace tamis::train {
namespace {
std::int64_t elements(const std::vector<std::int64_t>& shape, const std::string& name)
{
    std::int64_t product = 1;
    for (const std::int64_t side : shape) {
        if (side <= 0 || product > std::numeric_limits<std::int64_t>::max() / side)
            throw Error(ErrorCode::InvalidParameter, "a side of its shape is " + std::to_string(side) +
                            ", expected positive sides with a product below 2^63",
                        name);
        product *= side;
    }
    return product;
}
} // namespace

template <class T>
Parameter<T>& ParameterSet<T>::add(std::string name, std::vector<std::int64_t> shape, std::vector<T> values, bool decays)
{
    if (find(name))
        throw Error(ErrorCode::InvalidParameter, "the parameter is already in the set", name);
    if (shape.empty())
        throw Error(ErrorCode::InvalidParameter, "the parameter has no shape, expected one side at least", name);
    const std::int64_t size = elements(shape, name);
    if (!values.empty() && values.size() != static_cast<std::size_t>(size))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(values.size()) + " values, expected " + std::to_string(size), name);
    std::size_t first = 0;
    while (shape.size() - first > 2 && shape[first] == 1)
        ++first;
    const std::int64_t rows = shape.size() == 1 ? 1 : shape[first];
    tensor::Matrix<T> matrix(rows, size / rows);
    std::ranges::copy(values, matrix.data());
    m_parameters.push_back({std::move(name), std::move(shape), std::move(matrix), tensor::Matrix<T>(rows, size / rows), decays, 1.0});
    return m_parameters.back();
}

template <class T> Parameter<T>* ParameterSet<T>::find(std::string_view name) noexcept
{
    const auto found = std::ranges::find(m_parameters, name, &Parameter<T>::name);
    return found == m_parameters.end() ? nullptr : &*found;
}

template <class T> Parameter<T>& ParameterSet<T>::at(std::string_view name)
{
    if (Parameter<T>* parameter = find(name))
        return *parameter;
    throw Error(ErrorCode::InvalidParameter, "there is no such parameter", std::string(name));
}

template <class T> std::uint64_t ParameterSet<T>::count() const noexcept
{
    std::uint64_t sum = 0;
    for (const auto& parameter : m_parameters)
        sum += parameter.values.size();
    return sum;
}

template <class T> void ParameterSet<T>::zeroGradients() noexcept
{
    for (auto& parameter : m_parameters)
        std::ranges::fill(parameter.gradient.values(), T{0});
}

template class ParameterSet<float>;
template class ParameterSet<double>;

} // namespace tamis::train
