// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/mean_value.h"

#include <algorithm>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

constexpr std::int64_t kRowsBetweenStops = 64;

class MeanValue final : public HeadRule {
public:
    std::string_view kind() const noexcept override { return "mean-value"; }
    std::uint64_t macs(const HeadShape&, std::int64_t, std::int64_t) const noexcept override { return 0; } // additions alone
    std::uint64_t liveFloats(const HeadShape&, std::int64_t, std::int64_t width) const noexcept override { return static_cast<std::uint64_t>(width); }
    void mix(const HeadShape& shape, ConstRows, ConstRows, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        nn::Scratch::Frame frame(scratch);
        const Rows sum = frame.take(1, v.cols);
        std::fill_n(sum.data, v.cols, 0.0F);
        std::int64_t added = 0;
        for (std::int64_t i = 0; i < out.rows; ++i) {
            if (i % kRowsBetweenStops == 0)
                scratch.context().throwIfStopped();
            const std::int64_t seen = shape.causal ? i + 1 : v.rows, first = shape.slidingWindow > 0 ? std::max<std::int64_t>(0, seen - shape.slidingWindow) : 0;
            if (first > 0) { // anew: subtraction leaves its rounding, and what is no number for good
                added = first;
                std::fill_n(sum.data, v.cols, 0.0F);
            }
            for (; added < seen; ++added)
                for (std::int64_t j = 0; j < v.cols; ++j)
                    sum.data[j] += v.data[added * v.stride + j];
            for (std::int64_t j = 0; j < v.cols; ++j)
                out.data[i * out.stride + j] = sum.data[j] / static_cast<float>(seen - first);
        }
    }
};

class Zero final : public HeadRule {
public:
    std::string_view kind() const noexcept override { return "zero"; }
    std::uint64_t macs(const HeadShape&, std::int64_t, std::int64_t) const noexcept override { return 0; }
    std::uint64_t liveFloats(const HeadShape&, std::int64_t, std::int64_t) const noexcept override { return 0; }
    void mix(const HeadShape&, ConstRows, ConstRows, ConstRows, Rows out, nn::Scratch&) const override
    {
        for (std::int64_t i = 0; i < out.rows; ++i)
            std::fill_n(out.data + i * out.stride, out.cols, 0.0F);
    }
};

Method baselineMethod(const char* id, const char* title, const char* reference, HeadRulePtr (*rule)())
{
    Method method;
    method.declaration = {.id = id, .lab = "attention", .title = title, .reference = reference, .schema = ParameterSchema(std::vector<ParameterSpec>{})};
    method.baseline = true;
    method.op = [rule](const Inputs& inputs, const Parameters&) { return headwise(inputs.spec, rule()); };
    return method;
}
} // namespace

HeadRulePtr meanValueRule() { return std::make_shared<MeanValue>(); }
HeadRulePtr zeroRule() { return std::make_shared<Zero>(); }

Method meanValueMethod() { return baselineMethod("attention.mean-value", "Mean of the values", "Trivial: what attention is worth beyond an average", meanValueRule); }
Method zeroMethod() { return baselineMethod("attention.zero", "Nothing", "Trivial: what the heads are worth at all", zeroRule); }

} // namespace tamis::attention
