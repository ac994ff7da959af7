// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Operators on the tape that train two matrices of each head: projections along the tokens, planes of scores.
#include "core/attention/head_rule.h"
#include "core/attention/tape_operator.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <string>

namespace tamis::attention {

/// One pair for each head, or for each key head: parameters "<first>.<i>" and "<second>.<i>". Query heads that share a pair are mixed together.
class PairsOnTape : public TapeOperator {
public:
    train::ParameterSet<float>* parameters() noexcept final { return &m_parameters; }
    train::Variable<float> mix(train::Tape<float>& tape, const train::AttentionRows<float>& rows) final;
    nn::AttentionPtr op() const final;

protected:
    PairsOnTape(const nn::AttentionSpec& spec, std::string first, std::string second) : m_spec(spec), m_first(std::move(first)), m_second(std::move(second)) {}
    /// As many as heads or key heads in all, in their order.
    void addPair(const tensor::Matrix<float>& first, const tensor::Matrix<float>& second);
    const nn::AttentionSpec& spec() const noexcept { return m_spec; }

private:
    /// `rows`: of the heads of one pair, and their one key head.
    virtual train::Variable<float> mixBy(train::Variable<float> first, train::Variable<float> second, const train::AttentionRows<float>& rows) const = 0;
    /// What one head is mixed by with these values.
    virtual HeadRulePtr ruleOf(const tensor::Matrix<float>& first, const tensor::Matrix<float>& second) const = 0;
    std::int64_t pairs() const noexcept { return static_cast<std::int64_t>(m_parameters.all().size()) / 2; }

    nn::AttentionSpec m_spec;
    std::string m_first, m_second;
    train::ParameterSet<float> m_parameters; ///< first and second of each pair, in turn
};

} // namespace tamis::attention
