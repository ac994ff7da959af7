// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Factors in the place of linear operators on the tape: y = (x A^T) B^T + b, with B and A (and b) trained. Private to the lab.
#include "core/tensor/matrix.h"
#include "core/train/observe.h"
#include "core/train/parameter_set.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::lowrank {

/// W ~ B A of one operator, and its bias.
struct OperatorFactors {
    std::string name;           ///< as the model knows it
    tensor::Matrix<double> b, a; ///< [m, r], [r, n]
    std::vector<float> bias;    ///< [m] or empty
};

/// The same product with |column k of B| = |row k of A| for every k, so that one step size suits both: AdamW moves every
/// element by about the learning rate. Components of which a side is zero are left as they are.
void balance(OperatorFactors& factors);

template <class T> class FactorsOnTape {
public:
    /// `trainBiases`: biases, where operators have them, are trained too. Names must differ (Error{InvalidParameter}).
    FactorsOnTape(const std::vector<OperatorFactors>& start, bool trainBiases);

    train::ParameterSet<T>& parameters() noexcept { return m_parameters; } ///< "<name>.b", "<name>.a", "<name>.bias"
    /// For the hooks of a forward pass on `tape`, which must live as long as the pass; this must outlive the tape's step.
    train::ReplaceLinear<T> replacement(train::Tape<T>& tape);
    /// What the parameters hold now, in the order of the start.
    std::vector<OperatorFactors> factors() const;

private:
    struct Place {
        std::string name;
        train::Parameter<T>*b = nullptr, *a = nullptr, *bias = nullptr;
    };
    train::ParameterSet<T> m_parameters;
    std::vector<Place> m_places;
    std::map<std::string, std::size_t, std::less<>> m_byName;
};

extern template class FactorsOnTape<float>;
extern template class FactorsOnTape<double>;

} // namespace tamis::lowrank
