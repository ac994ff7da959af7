// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/text_quality.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"
#include "core/measure/logit_metrics.h"

#include <atomic>
#include <cmath>
#include <optional>

namespace tamis::addressing {
namespace {
struct Sums {
    double nll = 0;
    std::uint64_t tokens = 0;
};

Sums score(const nn::Model& model, const measure::LoadedSample& sample, const ScalesOf& scales, nn::Scratch& scratch, const RunContext& context)
{
    std::optional<TokenScales> rows;
    std::optional<ScaleScope> scope;
    if (scales)
        scope.emplace(rows.emplace(scales(sample.tokens)));
    measure::StoppingObserver observer(context);
    measure::ModelOutput output(model, sample, scratch, observer);
    Sums sums;
    for (std::int64_t first = 0; first < output.rows(); first += output.sliceRows()) {
        const auto logits = output.slice(first, std::min(output.sliceRows(), output.rows() - first));
        for (std::int64_t i = 0; i < logits.rows; ++i) {
            const auto next = static_cast<std::size_t>(first + i + 1); // the token that the row predicts
            if (next < sample.firstScored || next >= sample.tokens.size())
                continue;
            sums.nll += measure::scoreLabel(logits.row(i), sample.tokens[next]).negativeLogLikelihood;
            ++sums.tokens;
        }
    }
    return sums;
}
} // namespace

TextQuality textQuality(const nn::Model& model, const measure::SampleSource& source, const ScalesOf& scales, const RunContext& context)
{
    if (model.spec().task != nn::Task::CausalLanguage)
        throw Error(ErrorCode::UnsupportedFeature, "predicts no tokens, expected a causal language model", model.spec().architecture);
    if (source.count() == 0)
        throw Error(ErrorCode::InvalidParameter, "holds no sample, expected at least one", source.description());
    const bool apart = source.count() >= static_cast<std::size_t>(threadCount());
    measure::ScratchPool pool(!apart, context);
    std::vector<Sums> all(source.count());
    std::atomic<std::size_t> done = 0;
    const auto one = [&](std::size_t index) {
        measure::LoadedSample sample;
        measure::loadChecked(source, index, model, sample);
        const measure::ScratchPool::Lease scratch(pool);
        all[index] = score(model, sample, scales, *scratch, context);
        context.setFraction(static_cast<double>(++done) / static_cast<double>(all.size()));
    };
    if (apart)
        parallelFor(context, all.size(), one);
    else
        for (std::size_t index = 0; index < all.size(); ++index)
            one(index);
    TextQuality quality;
    for (const Sums& sums : all) {
        quality.nll += sums.nll;
        quality.tokens += sums.tokens;
    }
    if (quality.tokens == 0)
        throw Error(ErrorCode::InvalidParameter, "holds no token to predict, expected samples of two tokens at least", source.description());
    quality.nll /= static_cast<double>(quality.tokens);
    quality.perplexity = std::exp(quality.nll);
    return quality;
}

} // namespace tamis::addressing
