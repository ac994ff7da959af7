// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/factors_on_tape.h"

#include "core/train/linear_ops.h"

#include <cmath>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;

template <class T> std::vector<T> valuesOf(const Matrix<double>& matrix) { return {matrix.values().begin(), matrix.values().end()}; }

template <class T> Matrix<double> exact(const Matrix<T>& values)
{
    Matrix<double> result(values.rows(), values.cols());
    for (std::size_t i = 0; i < result.size(); ++i)
        result.values()[i] = static_cast<double>(values.values()[i]);
    return result;
}
} // namespace

void balance(OperatorFactors& factors)
{
    Matrix<double>&b = factors.b, &a = factors.a;
    for (std::int64_t k = 0; k < b.cols(); ++k) {
        double left = 0, right = 0;
        for (std::int64_t i = 0; i < b.rows(); ++i)
            left += b(i, k) * b(i, k);
        for (std::int64_t j = 0; j < a.cols(); ++j)
            right += a(k, j) * a(k, j);
        if (!(left > 0) || !(right > 0))
            continue;
        const double scale = std::sqrt(std::sqrt(right / left));
        for (std::int64_t i = 0; i < b.rows(); ++i)
            b(i, k) *= scale;
        for (std::int64_t j = 0; j < a.cols(); ++j)
            a(k, j) /= scale;
    }
}

template <class T> FactorsOnTape<T>::FactorsOnTape(const std::vector<OperatorFactors>& start, bool trainBiases)
{
    for (const OperatorFactors& each : start) {
        Place place{each.name};
        place.b = &m_parameters.add(each.name + ".b", {each.b.rows(), each.b.cols()}, valuesOf<T>(each.b));
        place.a = &m_parameters.add(each.name + ".a", {each.a.rows(), each.a.cols()}, valuesOf<T>(each.a));
        if (!each.bias.empty()) {
            place.bias = &m_parameters.add(each.name + ".bias", {static_cast<std::int64_t>(each.bias.size())}, {each.bias.begin(), each.bias.end()}, false);
            place.bias->rate = trainBiases ? 1 : 0;
        }
        m_byName[each.name] = m_places.size();
        m_places.push_back(std::move(place));
    }
}

template <class T> train::ReplaceLinear<T> FactorsOnTape<T>::replacement(train::Tape<T>& tape)
{
    return [this, &tape](const std::string& name, train::Variable<T> x, train::Variable<T>) {
        const auto found = m_byName.find(name);
        if (found == m_byName.end())
            return train::Variable<T>{};
        const Place& place = m_places[found->second];
        return train::lowRankLinear(x, tape.parameter(*place.b), tape.parameter(*place.a), place.bias ? tape.parameter(*place.bias) : train::Variable<T>{});
    };
}

template <class T> std::vector<OperatorFactors> FactorsOnTape<T>::factors() const
{
    std::vector<OperatorFactors> result;
    for (const Place& place : m_places) {
        OperatorFactors each{place.name, exact(place.b->values), exact(place.a->values), {}};
        if (place.bias)
            each.bias.assign(place.bias->values.values().begin(), place.bias->values.values().end());
        result.push_back(std::move(each));
    }
    return result;
}

template class FactorsOnTape<float>;
template class FactorsOnTape<double>;

} // namespace tamis::lowrank
