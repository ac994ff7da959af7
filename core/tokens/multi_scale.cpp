// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/multi_scale.h"

#include "core/base/error.h"

#include <algorithm>
#include <numeric>

namespace tamis::tokens {
namespace {
class MultiScaleRoute final : public Route {
public:
    MultiScaleRoute(std::shared_ptr<const nn::Model> model, std::vector<ScaledModel> models, Fuse fuse) : m_model(std::move(model)), m_models(std::move(models)), m_fuse(fuse)
    {
        const auto weightOf = [fuse](const ScaledModel& scaled) { return fuse == Fuse::Weighted ? scaled.scale() : 1; };
        double sum = 0;
        for (const ScaledModel& scaled : m_models)
            sum += weightOf(scaled);
        for (const ScaledModel& scaled : m_models)
            m_weights.push_back(static_cast<float>(weightOf(scaled) / sum));
    }
    void run(const nn::Sample& sample, std::span<const Wish>, kernels::Rows output, nn::Scratch& scratch, Trace* trace) const override
    {
        std::vector<float> fused, features;
        double resizingMs = 0;
        for (std::size_t i = 0; i < m_models.size(); ++i) {
            resizingMs += m_models[i].run(sample.image, output, scratch, &features);
            if (m_models.size() == 1)
                fused = std::move(features);
            else
                add(i, features, fused);
        }
        const nn::ModelSpec& spec = m_model->spec();
        if (m_models.size() > 1) {
            const std::int64_t rows = spec.distillationHead ? 2 : 1, cols = static_cast<std::int64_t>(fused.size()) / rows;
            m_model->runHead({fused.data(), rows, cols, cols}, output, scratch);
        }
        if (!trace)
            return;
        std::vector<std::size_t> all(m_models.size());
        std::iota(all.rbegin(), all.rend(), std::size_t{0}); // the finest last: the picture shows its patches
        tracePasses(spec, m_models, all, *trace);
        if (m_models.size() > 1)
            trace->macs += headMacs(spec);
        trace->features = std::move(fused);
        trace->reductionMs = resizingMs;
        for (const ScaledModel& model : m_models)
            trace->remark += (trace->remark.empty() ? "" : " and ") + model.sizeText();
    }

private:
    void add(std::size_t index, const std::vector<float>& features, std::vector<float>& fused) const
    {
        if (index == 0) {
            fused = features;
            if (m_fuse != Fuse::Max)
                std::ranges::for_each(fused, [weight = m_weights[0]](float& value) { value *= weight; });
            return;
        }
        for (std::size_t j = 0; j < fused.size(); ++j)
            fused[j] = m_fuse == Fuse::Max ? std::max(fused[j], features[j]) : fused[j] + m_weights[index] * features[j];
    }
    std::shared_ptr<const nn::Model> m_model;
    std::vector<ScaledModel> m_models; ///< finest first
    std::vector<float> m_weights;      ///< they sum to 1
    Fuse m_fuse;
};

Chain multiScaleChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = multiScaleMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    const std::string& fuse = parameters.text("fuse");
    Chain chain;
    chain.route = multiScaleRoute(inputs.model, scaledModels(inputs.model, parameters.text("scales"), "scales"),
                                  fuse == "mean" ? Fuse::Mean : fuse == "max" ? Fuse::Max : Fuse::Weighted);
    return chain;
}
} // namespace

std::shared_ptr<const Route> multiScaleRoute(std::shared_ptr<const nn::Model> model, std::vector<ScaledModel> models, Fuse fuse)
{
    return std::make_shared<MultiScaleRoute>(std::move(model), std::move(models), fuse);
}

Method multiScaleMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.multi-scale",
        .lab = "tokens",
        .title = "Several image sizes",
        .reference = "Features of one model at several sizes of its image, fused before the head (multi-scale testing: Simonyan and Zisserman 2015, section 3.2); one size alone: "
                     "uniform down-scaling",
        .schema = ParameterSchema({
            {.name = "scales", .title = "Scales", .type = ParameterType::Text, .defaultValue = std::string("0.75,0.5"),
             .help = "Sides of the image as parts of the model's, as 1,0.5; each is rounded to whole patches"},
            {.name = "fuse", .title = "Fuse features by", .type = ParameterType::Choice, .defaultValue = std::string("mean"),
             .help = "mean; weighted: the mean weighted by scale; max: the largest of each feature", .choices = {"mean", "weighted", "max"}},
        })};
    method.spread = [](const nn::ModelSpec&) { return settingsOver("scales", {std::string("0.75,0.5"), std::string("0.75,0.25"), std::string("0.5,0.25")}); };
    method.chain = multiScaleChain;
    return method;
}

} // namespace tamis::tokens
