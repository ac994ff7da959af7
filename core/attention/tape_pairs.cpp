// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/tape_pairs.h"

#include "core/attention/assignment.h"
#include "core/attention/tape_assignment.h"

namespace tamis::attention {
namespace {
using Variable = train::Variable<float>;
} // namespace

void PairsOnTape::addPair(const tensor::Matrix<float>& first, const tensor::Matrix<float>& second)
{
    const std::string number = std::to_string(pairs());
    m_parameters.add(m_first + "." + number, {first.rows(), first.cols()}, {first.values().begin(), first.values().end()});
    m_parameters.add(m_second + "." + number, {second.rows(), second.cols()}, {second.values().begin(), second.values().end()});
}

Variable PairsOnTape::mix(train::Tape<float>& tape, const train::AttentionRows<float>& rows)
{
    const std::int64_t d = m_spec.headDim, count = pairs(), group = m_spec.heads / count;
    return sideBySide(count, [&](std::int64_t pair) {
        const std::int64_t shared = pair * m_spec.keyValueHeads / count;
        const train::AttentionRows<float> own{rows.x, tape.window(rows.q, pair * group * d, group * d), tape.window(rows.k, shared * d, d), tape.window(rows.v, shared * d, d), rows.sequences};
        const auto at = static_cast<std::size_t>(2 * pair);
        const Variable first = tape.parameter(m_parameters.all()[at]), second = tape.parameter(m_parameters.all()[at + 1]);
        return mixBy(first, second, own);
    });
}

nn::AttentionPtr PairsOnTape::op() const
{
    return headsByRule(m_spec, [this](std::int64_t head) {
        const auto at = static_cast<std::size_t>(2 * (head / (m_spec.heads / pairs())));
        return ruleOf(m_parameters.all()[at].values, m_parameters.all()[at + 1].values);
    });
}

} // namespace tamis::attention
