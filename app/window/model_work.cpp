// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/model_work.h"

#include "core/cost/activation_statistics.h"
#include "core/cost/checkpoint_cost.h"
#include "core/plan/apply_plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

namespace tamis::app {
namespace {
constexpr std::int64_t kMostFeaturesForRank = 1024; ///< an eigenproblem beyond this takes seconds

bool sameShape(const CostRequest& a, const CostRequest& b)
{
    return a.workspace == b.workspace && a.tokens == b.tokens && a.batch == b.batch;
}

bool sameCeilings(const report::Ceilings& a, const report::Ceilings& b)
{
    return a.name == b.name && a.gflops == b.gflops && a.gigabytesPerSecond == b.gigabytesPerSecond;
}

std::uint64_t scaled(std::uint64_t value, double factor) { return static_cast<std::uint64_t>(std::llround(static_cast<double>(value) * factor)); }
} // namespace

plan::Plan planOf(const SpectrumPicture& picture, const RunContext& context)
{
    const spectrum::Inputs inputs{picture.request.checkpoint, picture.request.calibration, {}};
    return plan::makePlan(inputs, *picture.spectra, picture.budget, picture.request.budget, context);
}

bool replacesOperators(const SpectrumPicture& picture)
{
    return std::any_of(picture.budget.matrices.begin(), picture.budget.matrices.end(), [](const auto& matrix) { return !matrix.dense; });
}

std::unique_lock<std::timed_mutex> RunnableModel::lock(const RunContext& context)
{
    std::unique_lock lock(m_mutex, std::defer_lock);
    while (!lock.try_lock_for(std::chrono::milliseconds(20)))
        context.throwIfStopped();
    return lock;
}

std::shared_ptr<const nn::Model> RunnableModel::loaded(const RunContext& context)
{
    if (!m_dense)
        m_dense = nn::Model::load(*m_workspace->checkpoint, context);
    return m_dense;
}

std::shared_ptr<const nn::Model> RunnableModel::dense(const RunContext& context)
{
    const auto held = lock(context);
    return loaded(context);
}

std::shared_ptr<const nn::Model> RunnableModel::compressed(const PicturePointer& picture, const RunContext& context)
{
    if (!picture || !replacesOperators(*picture))
        return nullptr;
    const auto held = lock(context);
    if (m_picture != picture) {
        context.setParts(10);
        const auto model = loaded(context.part(2, "model"));
        const auto plan = planOf(*picture, context.part(1, "plan"));
        m_compressed = plan::applyPlan(*model, picture->request.checkpoint, picture->request.calibration, plan, context.part(7, "operators"));
        m_picture = picture;
    }
    return m_compressed;
}

bool CostRequest::operator==(const CostRequest& other) const
{
    return sameShape(*this, other) && sameCeilings(ceilings, other.ceilings) && picture == other.picture;
}

void applyBudget(report::ModelCostReport& report, const SpectrumPicture& picture)
{
    std::map<std::string, report::LayerCost*> byName;
    for (auto& layer : report.layers)
        byName[layer.name] = &layer;
    const auto& budgets = picture.budget.matrices;
    for (std::size_t i = 0; i < budgets.size() && i < picture.spectra->matrices.size(); ++i) {
        const auto& chosen = budgets[i];
        const auto& matrix = picture.spectra->matrices[i];
        const auto found = byName.find(chosen.name);
        if (chosen.dense || found == byName.end() || found->second->parameters == 0)
            continue;
        auto& layer = *found->second;
        const auto before = layer;
        const auto dense = static_cast<std::uint64_t>(matrix.rows) * static_cast<std::uint64_t>(matrix.cols);
        const std::uint64_t biases = before.parameters > dense ? before.parameters - dense : 0;
        layer.form = picture.budget.accounting;
        layer.rank = chosen.rank;
        layer.parameters = chosen.cost.parameters + biases;
        const double share = static_cast<double>(layer.parameters) / static_cast<double>(before.parameters);
        layer.weightBytes = scaled(before.weightBytes, share);
        layer.weightReadBytes = scaled(before.weightReadBytes, share);
        layer.macs = scaled(before.macs, static_cast<double>(chosen.cost.macs) / static_cast<double>(dense));
        report.parameters += layer.parameters - before.parameters; // unsigned: wraps back
        report.weightBytes += layer.weightBytes - before.weightBytes;
        report.macs += layer.macs - before.macs;
        report.linearMacs += layer.macs - before.macs;
    }
}

CostWork::Picture CostWork::picture(const CostRequest& request) const
{
    auto cost = std::make_shared<report::ModelCostReport>(*m_dense);
    if (request.picture)
        applyBudget(*cost, *request.picture);
    cost::predictLatency(*cost, request.ceilings);
    cost->ceilings = request.ceilings;
    auto made = std::make_shared<CostPicture>();
    made->request = request;
    made->cost = std::move(cost);
    if (m_calibration == request.workspace->calibration)
        made->activations = m_activations;
    return made;
}

CostWork::Picture CostWork::coarse(const CostRequest& request)
{
    return m_dense && sameShape(m_of, request) ? picture(request) : nullptr;
}

CostWork::Picture CostWork::refine(const CostRequest& request, const RunContext& context, const std::function<void(Picture)>& publish)
{
    if (!m_dense || !sameShape(m_of, request)) {
        cost::CostOptions options;
        options.tokens = request.tokens;
        options.batch = request.batch;
        m_dense = std::make_shared<const report::ModelCostReport>(cost::modelCost(*request.workspace->checkpoint, options));
        m_of = request;
        m_of.picture.reset();
    }
    const auto& calibration = request.workspace->calibration;
    if (m_calibration != calibration) {
        m_calibration.reset();
        m_activations.clear();
        if (publish)
            publish(picture(request));
        std::vector<report::ActivationStatistics> all;
        const auto names = calibration ? calibration->siteNames() : std::vector<std::string>{};
        context.setParts(static_cast<double>(std::max<std::size_t>(names.size(), 1)));
        for (const auto& name : names) {
            const auto part = context.part(1, name);
            part.throwIfStopped();
            const auto site = calibration->read(name);
            auto statistics = cost::activationStatistics(site, calibration->features(name).value_or(0) <= kMostFeaturesForRank, part);
            if (const auto layer = std::find_if(m_dense->layers.begin(), m_dense->layers.end(), [&](const auto& l) { return l.name == name; });
                layer != m_dense->layers.end())
                statistics.block = layer->block;
            all.push_back(std::move(statistics));
        }
        m_activations = std::move(all);
        m_calibration = calibration;
    }
    return picture(request);
}

} // namespace tamis::app
