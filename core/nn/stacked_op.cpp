// SPDX-License-Identifier: GPL-3.0-or-later
// Operators over one input whose outputs stand side by side: the parts of a fused q, k, v projection, each in a form of its own.
#include "core/base/error.h"
#include "core/nn/linear_op.h"

#include <algorithm>

namespace tamis::nn {

using kernels::ConstRows;
using kernels::Epilogue;
using kernels::Rows;
using tensor::Matrix;

namespace {
class StackedOp final : public LinearOp {
public:
    StackedOp(std::vector<LinearPtr> parts, std::vector<float> bias) : LinearOp(std::move(bias)), m_parts(std::move(parts))
    {
        for (const LinearPtr& part : m_parts)
            m_out += part->outFeatures();
    }
    std::string_view kind() const noexcept override { return "stacked"; }
    std::int64_t inFeatures() const noexcept override { return m_parts[0]->inFeatures(); }
    std::int64_t outFeatures() const noexcept override { return m_out; }
    std::int64_t rank() const noexcept override
    {
        std::int64_t sum = 0;
        for (const LinearPtr& part : m_parts)
            sum += part->rank();
        return std::min({sum, m_out, inFeatures()});
    }
    OperatorCost cost() const noexcept override
    {
        OperatorCost sum;
        for (const LinearPtr& part : m_parts) {
            const OperatorCost each = part->cost();
            sum.parameters += each.parameters;
            sum.bytes += each.bytes;
            sum.macsPerToken += each.macsPerToken;
            sum.packedParameters += each.packedParameters;
            sum.packedBytes += each.packedBytes;
        }
        return sum; // the parts hold the bias
    }
    void apply(ConstRows x, Epilogue epilogue, Rows y, Scratch& scratch) const override
    {
        std::int64_t begin = 0;
        for (const LinearPtr& part : m_parts) {
            const auto columns = [&](auto view) {
                view.data = view.data ? view.data + begin : nullptr;
                view.cols = part->outFeatures();
                return view;
            };
            Epilogue own = epilogue;
            own.factor = columns(epilogue.factor);
            own.base = columns(epilogue.base);
            own.scale = epilogue.scale ? epilogue.scale + begin : nullptr;
            part->apply(x, own, columns(y), scratch);
            begin += part->outFeatures();
        }
    }
    Matrix<float> dense() const override
    {
        Matrix<float> w(m_out, inFeatures());
        std::int64_t row = 0;
        for (const LinearPtr& part : m_parts) {
            const Matrix<float> each = part->dense();
            std::copy(each.values().begin(), each.values().end(), &w(row, 0));
            row += each.rows();
        }
        return w;
    }
    std::vector<NamedTensor> tensors(const std::string& name) const override
    {
        std::vector<NamedTensor> all;
        for (std::size_t i = 0; i < m_parts.size(); ++i)
            for (NamedTensor& tensor : m_parts[i]->tensors(name + ".part" + std::to_string(i)))
                all.push_back(std::move(tensor));
        return all;
    }
    const std::vector<LinearPtr>& parts() const noexcept override { return m_parts; }

private:
    std::vector<LinearPtr> m_parts;
    std::int64_t m_out = 0;
};
} // namespace

const std::vector<LinearPtr>& LinearOp::parts() const noexcept
{
    static const std::vector<LinearPtr> none;
    return none;
}

LinearPtr stackedOp(std::vector<LinearPtr> parts)
{
    if (parts.empty())
        throw Error(ErrorCode::InvalidParameter, "a stacked operator needs a part");
    std::vector<float> bias;
    for (const LinearPtr& part : parts) {
        if (!part || part->inFeatures() != parts[0]->inFeatures())
            throw Error(ErrorCode::InvalidParameter, "the parts of a stacked operator read inputs of different widths");
        if (!part->parts().empty())
            throw Error(ErrorCode::InvalidParameter, "a stacked operator has a part that is stacked itself");
        if (part->bias().empty() != parts[0]->bias().empty())
            throw Error(ErrorCode::InvalidParameter, "some parts of a stacked operator have a bias and some have none");
        bias.insert(bias.end(), part->bias().begin(), part->bias().end());
    }
    return std::make_shared<StackedOp>(std::move(parts), std::move(bias));
}

} // namespace tamis::nn
