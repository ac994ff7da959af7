// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/suited_methods.h"

#include "core/attention/head_errors.h"
#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <cmath>
#include <mutex>

namespace tamis::attention {
namespace {
using tensor::Matrix;

/// The samples' rows of one head.
BlockSamples samplesOfHead(std::span<const std::shared_ptr<const AttentionCapture>> samples, const nn::AttentionSpec& spec, int block, std::int64_t head)
{
    BlockSamples all;
    for (const auto& sample : samples) {
        const AttentionSample& own = sample->attention[static_cast<std::size_t>(block)];
        BlockSamples one;
        one.samples.push_back(own);
        all.samples.push_back(std::move(one.ofHead(spec, head).samples.front()));
    }
    return all;
}

/// Points of one head from exact to cheapest, on the lower convex hull of (macs, output). `candidate` -1: exact.
struct Step {
    int candidate = -1;
    std::uint64_t macs = 0;
    double output = 0;
};

/// Whether b lies on or above the line from a to c, which is on its cheaper side.
bool isAbove(const Step& a, const Step& b, const Step& c)
{
    const double across = static_cast<double>(a.macs) - static_cast<double>(c.macs), part = static_cast<double>(a.macs) - static_cast<double>(b.macs);
    return (b.output - a.output) * across >= (c.output - a.output) * part;
}

std::vector<Step> hullOf(const CandidatesOfHead& head)
{
    std::vector<Step> points{{-1, head.exactMacs, 0}};
    for (std::size_t i = 0; i < head.candidates.size(); ++i)
        if (head.candidates[i].macs < head.exactMacs && std::isfinite(head.candidates[i].output))
            points.push_back({static_cast<int>(i), head.candidates[i].macs, head.candidates[i].output});
    std::ranges::stable_sort(points, [](const Step& a, const Step& b) { return a.macs != b.macs ? a.macs > b.macs : a.output < b.output; });
    std::vector<Step> hull;
    for (const Step& point : points) {
        if (!hull.empty() && hull.back().macs == point.macs)
            continue; // a better one of the same cost stands there
        while (hull.size() > 1 && (hull.back().output >= point.output || isAbove(hull[hull.size() - 2], hull.back(), point)))
            hull.pop_back();
        hull.push_back(point);
    }
    return hull;
}
} // namespace

HeadCandidates measureCandidates(const nn::Model& model, const std::vector<ComparedSetting>& settings, const AssignmentInputs& with,
                                 std::span<const std::shared_ptr<const AttentionCapture>> samples, const RunContext& context)
{
    if (samples.empty())
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected one at least", "methods that suit heads");
    HeadCandidates all{settings, {}, {}};
    for (std::size_t block = 0; block < model.blocks().size(); ++block)
        for (std::int64_t head = 0; head < model.spec().blocks[block].attention.heads; ++head)
            all.heads.push_back({static_cast<int>(block), head, 0, {}});
    std::vector<std::vector<std::string>> refusals(all.heads.size(), std::vector<std::string>(settings.size()));
    std::mutex mutex;
    std::size_t done = 0;
    parallelFor(RunContext(context.stopToken()), all.heads.size(), [&](std::size_t i) {
        CandidatesOfHead& own = all.heads[i];
        const BlockSamples rows = samplesOfHead(samples, model.spec().blocks[static_cast<std::size_t>(own.layer)].attention, own.layer, own.head);
        Inputs inputs = inputsFor(model, own.layer, own.head, with);
        inputs.context = RunContext(context.stopToken());
        const nn::AttentionPtr exact = nn::exactAttention(inputs.spec);
        const std::int64_t tokens = rows.samples.front().q.rows();
        own.exactMacs = exact->cost(tokens).macs;
        std::vector<Matrix<float>> references;
        for (const AttentionSample& sample : rows.samples)
            references.push_back(mixedValues(*exact, sample.view(), false, context));
        for (std::size_t s = 0; s < settings.size(); ++s) {
            context.throwIfStopped();
            try {
                const Method* method = findMethod(settings[s].method);
                if (!method)
                    throw Error(ErrorCode::InvalidParameter, "found a method that is not there, expected one of the attention lab", settings[s].method);
                const nn::AttentionPtr op = method->op(inputs, method->declaration.schema.complete(settings[s].parameters));
                HeadErrorSum sum;
                for (std::size_t j = 0; j < references.size(); ++j)
                    sum.addOutputs(references[j].view(), mixedValues(*op, rows.samples[j].view(), false, context).view());
                own.candidates.push_back({s, op->cost(tokens).macs, sum.outputError()});
            } catch (const Error& error) {
                if (error.code() == ErrorCode::Cancelled)
                    throw;
                refusals[i][s] = error.what();
            }
        }
        const std::lock_guard lock(mutex);
        context.setFraction(static_cast<double>(++done) / static_cast<double>(all.heads.size()));
    });
    for (std::size_t s = 0; s < settings.size(); ++s)
        if (std::ranges::none_of(refusals, [s](const auto& head) { return head[s].empty(); }))
            all.refused.push_back(refusals.front()[s]);
    return all;
}

void fillSuited(std::vector<report::HeadComparison>& heads, const HeadCandidates& candidates, double keep)
{
    for (report::HeadComparison& head : heads) {
        const auto own = std::ranges::find_if(candidates.heads, [&](const CandidatesOfHead& each) { return each.layer == head.layer && each.head == head.head; });
        if (own == candidates.heads.end())
            continue;
        const MeasuredCandidate* best = nullptr;
        for (const MeasuredCandidate& each : own->candidates) {
            if (!std::isfinite(each.output) || static_cast<double>(each.macs) > keep * static_cast<double>(own->exactMacs))
                continue;
            if (!best || each.output < best->output || (each.output == best->output && each.macs < best->macs))
                best = &each;
        }
        head.suited.clear();
        head.suitedSettings.clear();
        head.suitedOutput = report::kNotMeasured;
        if (!best)
            continue;
        const ComparedSetting& setting = candidates.settings[best->setting];
        head.suited = setting.method;
        head.suitedSettings = shownSettings(setting);
        head.suitedOutput = best->output;
    }
}

std::vector<HeadChoice> suitedChoices(const HeadCandidates& candidates, double keep)
{
    std::vector<std::vector<Step>> hulls;
    double exact = 0, macs = 0;
    for (const CandidatesOfHead& head : candidates.heads) {
        hulls.push_back(hullOf(head));
        exact += static_cast<double>(head.exactMacs);
    }
    macs = exact;
    std::vector<std::size_t> at(hulls.size(), 0);
    while (macs > keep * exact) {
        std::size_t next = hulls.size();
        double least = 0;
        for (std::size_t i = 0; i < hulls.size(); ++i) {
            if (at[i] + 1 >= hulls[i].size())
                continue;
            const Step &from = hulls[i][at[i]], &to = hulls[i][at[i] + 1];
            const double price = (to.output - from.output) / static_cast<double>(from.macs - to.macs);
            if (next == hulls.size() || price < least) {
                next = i;
                least = price;
            }
        }
        if (next == hulls.size())
            break;
        macs -= static_cast<double>(hulls[next][at[next]].macs - hulls[next][at[next] + 1].macs);
        ++at[next];
    }
    std::vector<HeadChoice> choices;
    for (std::size_t i = 0; i < hulls.size(); ++i)
        if (const int candidate = hulls[i][at[i]].candidate; candidate >= 0) {
            const CandidatesOfHead& head = candidates.heads[i];
            const ComparedSetting& setting = candidates.settings[head.candidates[static_cast<std::size_t>(candidate)].setting];
            choices.push_back({head.layer, head.head, setting.method, setting.parameters});
        }
    return choices;
}

} // namespace tamis::attention
