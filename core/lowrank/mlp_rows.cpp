// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/mlp_rows.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
constexpr std::size_t kMostSamples = 1024;

/// Rows of one sample, by operator.
class RowPicker : public measure::StoppingObserver {
public:
    RowPicker(const std::map<std::string, std::size_t>& wanted, std::int64_t rows, const RunContext& context) : StoppingObserver(context), m_wanted(wanted), m_rows(rows), picked(wanted.size()) {}
    void linearInput(std::size_t sample, const nn::LinearSlot& slot, kernels::ConstRows x) override
    {
        StoppingObserver::linearInput(sample, slot, x);
        const auto found = m_wanted.find(slot.name);
        if (found == m_wanted.end())
            return;
        const std::int64_t count = std::min(m_rows, x.rows);
        tensor::Matrix<float>& into = picked[found->second];
        into = tensor::Matrix<float>(count, x.cols);
        for (std::int64_t i = 0; i < count; ++i)
            std::ranges::copy(x.row((2 * i + 1) * x.rows / (2 * count)), into.view().row(i).begin()); // the middle of each of `count` parts
    }

private:
    const std::map<std::string, std::size_t>& m_wanted;
    std::int64_t m_rows;

public:
    std::vector<tensor::Matrix<float>> picked;
};

tensor::Matrix<float> joined(const std::vector<std::vector<tensor::Matrix<float>>>& samples, std::size_t site, bool check)
{
    const bool parted = samples.size() >= 5;
    std::vector<const tensor::Matrix<float>*> parts;
    std::int64_t rows = 0, cols = 0;
    for (std::size_t s = 0; s < samples.size(); ++s)
        if ((parted && s % 5 == 4) == check && !samples[s][site].empty()) {
            parts.push_back(&samples[s][site]);
            rows += parts.back()->rows();
            cols = parts.back()->cols();
        }
    tensor::Matrix<float> all(rows, cols);
    float* to = all.data();
    for (const auto* part : parts)
        to = std::ranges::copy(part->values(), to).out;
    return all;
}
} // namespace

std::map<std::string, MlpRows> collectRows(const Inputs& inputs, const std::vector<std::string>& names, std::int64_t rows, const RunContext& context)
{
    const std::size_t available = inputs.samples ? inputs.samples->count() : 0;
    if (!inputs.model || available == 0)
        throw Error(ErrorCode::InvalidParameter, "needs a model and samples to collect inputs from", "rows");
    std::map<std::string, std::size_t> places;
    for (const std::string& name : names)
        places.emplace(name, places.size());
    const std::size_t count = std::min({available, kMostSamples, static_cast<std::size_t>(rows)});
    const std::int64_t each = (rows + static_cast<std::int64_t>(count) - 1) / static_cast<std::int64_t>(count);
    std::vector<std::vector<tensor::Matrix<float>>> samples(count);
    measure::ScratchPool pool(count == 1, context);
    parallelFor(context, count, [&](std::size_t i) {
        measure::LoadedSample sample;
        measure::loadChecked(*inputs.samples, i * available / count, *inputs.model, sample);
        RowPicker picker(places, each, context);
        const measure::ScratchPool::Lease scratch(pool);
        measure::observe(*inputs.model, sample, *scratch, picker);
        samples[i] = std::move(picker.picked);
    });
    std::map<std::string, MlpRows> result;
    for (const auto& [name, place] : places)
        result[name] = {joined(samples, place, false), joined(samples, place, true)};
    context.finish();
    return result;
}

} // namespace tamis::lowrank
