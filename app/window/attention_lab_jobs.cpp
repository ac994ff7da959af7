// SPDX-License-Identifier: GPL-3.0-or-later
// What the attention lab does once: effects of single heads, the search for suited methods, comparisons, cost against length; and what ends it.
#include "app/window/attention_lab_controller.h"
#include "app/window/photo_work.h"
#include "core/attention/comparison.h"
#include "core/attention/cost_curve.h"
#include "core/attention/head_effects.h"
#include "core/cost/ceilings.h"
#include "views/attention/attention_compare_page.h"
#include "views/attention/attention_lab_panel.h"
#include "views/attention/head_comparison_model.h"
#include "views/attention/heads_page.h"
#include "views/attention/length_page.h"

#include <QCoreApplication>
#include <QPointer>

#include <algorithm>
#include <chrono>
#include <limits>

namespace tamis::app {
namespace {
constexpr std::size_t kSamples = 4; ///< that effects and suited methods are measured on
constexpr std::size_t kCompared = 32; ///< samples of a comparison at most, evenly spread
constexpr int kLatencyRuns = 3;
constexpr auto kPublishEvery = std::chrono::milliseconds(150);
} // namespace

void AttentionLabController::stop() { m_jobs.stop(); }

std::vector<plan::PlannedAttention> AttentionLabController::planned() const
{
    AttentionChoice choice = m_with.document.state().attention;
    choice.seed = 0; // alone it chooses nothing, and neither does what is fitted to
    choice.fitted.clear();
    if (choice == AttentionChoice{} || !m_with.model.report())
        return {}; // nobody chose anything
    std::vector<std::int64_t> heads;
    if (m_sources)
        heads = headsOf(m_sources->model->spec());
    else // not opened in the lab yet: blocks are known from the model's layers, heads are not
        for (const auto& layer : m_with.model.report()->layers)
            heads.resize(std::max(heads.size(), static_cast<std::size_t>(layer.block + 1)), std::numeric_limits<std::int64_t>::max());
    std::vector<plan::PlannedAttention> made;
    for (const auto& each : headChoices(choice, heads))
        made.push_back({each.block, each.head, each.method, each.parameters});
    return made;
}

QString AttentionLabController::lengthsDisabledReason() const
{
    const QString reason = disabledReason();
    return !reason.isEmpty() ? reason : m_measuringLengths != 0 ? tr("lengths are being measured") : QString();
}

QString AttentionLabController::compareDisabledReason() const
{
    const QString reason = disabledReason();
    return !reason.isEmpty() ? reason : m_comparing != 0 ? tr("a comparison runs") : QString();
}

QString AttentionLabController::effectsDisabledReason() const
{
    const QString reason = disabledReason();
    if (!reason.isEmpty())
        return reason;
    if (m_measuringEffects != 0)
        return tr("effects are being measured");
    return headChoices(m_with.document.state().attention, headsOf(m_sources->model->spec())).empty() ? tr("all heads are exact") : QString();
}

QString AttentionLabController::suitedDisabledReason() const
{
    const QString reason = disabledReason();
    return !reason.isEmpty() ? reason : m_searching != 0 ? tr("suited methods are being searched") : QString();
}

QString AttentionLabController::takeDisabledReason() const
{
    const QString reason = disabledReason();
    return !reason.isEmpty() ? reason : !m_candidates ? tr("suited methods have not been searched") : QString();
}

QString AttentionLabController::forgetDisabledReason() const
{
    return m_with.document.state().attention.places.empty() ? tr("no head or block has a choice of its own") : QString();
}

void AttentionLabController::ended(int& job)
{
    job = 0;
    showMethods();
    emit availabilityChanged();
}

void AttentionLabController::startStudied(const QString& title, const QString& running, int& job, StudiedWork work, const std::vector<attention::HeadChoice>& tried)
{
    const auto now = request();
    if (!now || !m_sources)
        return;
    Studied studied;
    studied.sources = m_sources;
    studied.request = {.choices = headChoices(now->choice, headsOf(m_sources->model->spec())), .sample = now->sample, .layer = now->layer, .head = now->head, .average = kSamples, .seed = static_cast<std::uint64_t>(now->choice.seed)};
    const auto tuned = now->tuned;
    job = m_jobs.start(
        title, running,
        [studied = std::move(studied), work = std::move(work), tried, tuned](const RunContext& context) mutable {
            context.setParts(10);
            attention::AttentionStudy study(studied.sources->model, studied.sources->samples->source, studied.sources->fitting, tuned);
            studied.model = study.model();
            const RunContext runs = context.part(1, "samples");
            std::vector<attention::HeadChoice> made = studied.request.choices;
            if (studied.sources->fitting || study.samples().count() > 1 || attention::needsSamples(made)) // of one sample, what is fitted is not tried
                made.insert(made.end(), tried.begin(), tried.end());
            for (const std::size_t sample : attention::spreadSamples(studied.request.sample, kSamples, study.samples().count(), study.firstScored(studied.request, made)))
                studied.samples.push_back(study.capture(sample, RunContext(runs.stopToken())));
            studied.with = study.assignmentInputs(studied.request, made, RunContext(runs.stopToken()));
            if (tuned)
                studied.made = study.operators(studied.request, RunContext(runs.stopToken()));
            runs.finish();
            return work(studied, context.part(9, "heads"));
        },
        [this, &job](const Job&) { ended(job); });
    showMethods();
    emit availabilityChanged();
}

void AttentionLabController::measureEffects()
{
    if (const QString reason = effectsDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Effects cannot be measured: %1.").arg(reason));
        return;
    }
    m_effects.clear();
    m_effectsOf = m_with.document.state().attention;
    startStudied(tr("Effects of heads"), tr("Measuring effects"), m_measuringEffects,
                 [guard = QPointer<AttentionLabController>(this), choice = m_effectsOf, looked = m_looked](const Studied& studied, const RunContext& context) {
                     std::map<HeadKey, double> found;
                     auto published = std::chrono::steady_clock::now();
                     const auto tell = [&] {
                         QMetaObject::invokeMethod(qApp, [guard, sources = studied.sources, choice, looked, found] {
                             if (!guard || guard->m_sources != sources || guard->m_looked != looked || guard->m_with.document.state().attention != choice)
                                 return;
                             guard->m_effects = found;
                             guard->showReport();
                         }, Qt::QueuedConnection);
                         published = std::chrono::steady_clock::now();
                     };
                     const auto result = attention::logitEffects(studied.model, studied.request.choices, studied.with, studied.samples, context, [&](const attention::HeadEffect& each) {
                         found[{each.layer, each.head}] = each.logits;
                         if (std::chrono::steady_clock::now() - published > kPublishEvery)
                             tell();
                     }, studied.made);
                     tell();
                     return tr("Effects of %1 heads on %2 samples").arg(result.size()).arg(studied.samples.size());
                 });
}

void AttentionLabController::findSuited()
{
    if (const QString reason = suitedDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Suited methods cannot be searched: %1.").arg(reason));
        return;
    }
    std::vector<attention::ComparedSetting> settings;
    std::vector<attention::HeadChoice> tried;
    const std::int64_t tokens = m_picture ? m_picture->report->view.tokens : 0;
    for (const auto& each : attention::usualSettings(tokens)) {
        const auto* method = attention::findMethod(each.method);
        if (!method || method->baseline)
            continue; // trivial operators suit nobody
        settings.push_back(each);
        tried.push_back({0, attention::kAllHeads, each.method, each.parameters});
    }
    startStudied(tr("Suited attention methods"), tr("Searching suited methods"), m_searching,
                 [guard = QPointer<AttentionLabController>(this), looked = m_looked, settings](const Studied& studied, const RunContext& context) {
                     auto found = std::make_shared<attention::HeadCandidates>(attention::measureCandidates(*studied.model, settings, studied.with, studied.samples, context));
                     for (const auto& refused : found->refused)
                         context.log(LogLevel::Information, refused);
                     const auto count = found->settings.size();
                     QMetaObject::invokeMethod(qApp, [guard, sources = studied.sources, looked, found] {
                         if (!guard || guard->m_sources != sources || guard->m_looked != looked)
                             return;
                         guard->m_candidates = std::move(*found);
                         guard->showReport();
                         emit guard->availabilityChanged();
                     }, Qt::QueuedConnection);
                     return tr("%1 settings tried on every head").arg(count);
                 },
                 tried);
}

void AttentionLabController::takeSuited(const views::HeadPlace& place)
{
    if (!m_candidates)
        return;
    const auto& model = m_panel.heads()->heads();
    const auto* head = model.head(model.rowOf(place.layer, place.head));
    const auto of = std::ranges::find_if(m_candidates->heads, [&](const auto& each) { return each.layer == place.layer && each.head == place.head; });
    if (!head || head->suited.empty() || of == m_candidates->heads.end())
        return;
    const auto at = std::ranges::find_if(of->candidates, [&](const auto& each) { return m_candidates->settings[each.setting].method == head->suited && each.output == head->suitedOutput; });
    if (at == of->candidates.end())
        return;
    const auto& setting = m_candidates->settings[at->setting];
    edit(tr("Take what suits head %1 of block %2").arg(place.head).arg(place.layer), {}, true,
         [&](AttentionChoice& choice) { setPlace(choice, {place.layer, place.head, setting.method, setting.parameters}); });
}

void AttentionLabController::takeAllSuited()
{
    if (const QString reason = takeDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Suited methods cannot be taken: %1.").arg(reason));
        return;
    }
    const auto chosen = attention::suitedChoices(*m_candidates, m_panel.heads()->share());
    edit(tr("Take suited methods"), {}, true, [&](AttentionChoice& choice) {
        choice.method = kExactAttention;
        choice.parameters = {};
        choice.blocks.reset();
        choice.places.clear();
        for (const auto& each : chosen)
            setPlace(choice, {each.block, each.head, each.method, each.parameters});
    });
}

void AttentionLabController::compare()
{
    if (const QString reason = compareDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Methods cannot be compared: %1.").arg(reason));
        return;
    }
    showComparison(nullptr);
    auto* page = m_panel.compare();
    page->setRunning(true);
    m_with.document.select([](Selection& selection) { selection.attentionPage = "compare"; });
    const auto& choice = m_with.document.state().attention;
    m_comparing = m_jobs.start(
        tr("Compare attention methods"), tr("Comparing"),
        [sources = m_sources, tuned = m_looked, blocks = choice.blocks.value_or(std::vector<int>()), seed = static_cast<std::uint64_t>(choice.seed), guard = QPointer<AttentionLabController>(this)](const RunContext& context) {
            context.setParts(20);
            const auto& path = sources->runnable->workspace()->outline.modelPath;
            SampleRequest asked = lookedRequest(sources->samples->path, *sources->model);
            asked.limit = kCompared;
            if (sources->samples->photos)
                asked.labels = labelsOf(sources->samples->path);
            const auto samples = openSamples(asked, path, *sources->model, context.part(1, "samples"));
            const auto publish = [&](report::AttentionComparison soFar) {
                soFar.model = std::filesystem::path(path).filename().string() + (tuned ? tr(", trained weights").toStdString() : std::string());
                QMetaObject::invokeMethod(qApp, [guard, sources, tuned, copy = std::make_shared<const report::AttentionComparison>(std::move(soFar))] {
                    if (guard && guard->m_sources == sources && guard->m_looked == tuned)
                        guard->showComparison(copy);
                }, Qt::QueuedConnection);
            };
            measure::LoadedSample first;
            samples->load(0, first);
            const auto settings = attention::usualSettings(sources->model->embeddedTokens(first.view()));
            const auto result = attention::compareMethods(tuned ? tuned->exact : sources->model, *samples, settings, {.blocks = blocks, .fitting = sources->fitting, .tuned = tuned, .seed = seed, .latencyRuns = kLatencyRuns}, context.part(19, "methods"), publish);
            return tr("%1 operators compared on %2 samples").arg(result.points.size() - 1).arg(samples->count());
        },
        [this, page](const Job&) {
            page->setRunning(false);
            ended(m_comparing);
        });
    showMethods();
    emit availabilityChanged();
}

void AttentionLabController::showComparison(const std::shared_ptr<const report::AttentionComparison>& comparison)
{
    m_comparison = comparison;
    m_panel.compare()->setComparison(comparison);
}

void AttentionLabController::showWorth(const report::AttentionComparison& worth)
{
    if (m_comparing != 0)
        return; // what is being compared is drawn alone
    const bool beside = m_comparison && m_comparison->samples == worth.samples && m_comparison->model == worth.model; // not those around trained weights
    auto made = std::make_shared<report::AttentionComparison>(beside ? *m_comparison : worth);
    if (beside)
        for (const auto& point : worth.points) {
            const auto same = [&](const report::AttentionPoint& each) { return each.method == point.method && each.title == point.title && each.settings == point.settings && each.tuned == point.tuned; };
            if (point.tuned) // the last training counts
                std::erase_if(made->points, same);
            if (std::ranges::none_of(made->points, same))
                made->points.push_back(point);
        }
    made->planned = made->points.size();
    showComparison(made);
}

void AttentionLabController::takePoint(int index)
{
    if (!m_comparison || index < 0 || index >= static_cast<int>(m_comparison->points.size()))
        return;
    const auto& point = m_comparison->points[static_cast<std::size_t>(index)];
    const std::string method = point.method.empty() ? kExactAttention : point.method;
    edit(tr("Take %1").arg(attentionTitle(method, point.parameters)), {}, true, [&](AttentionChoice& choice) {
        choice.method = method;
        choice.parameters = knownParameters(method, point.parameters);
    });
}

void AttentionLabController::measureLengths()
{
    if (const QString reason = lengthsDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Lengths cannot be measured: %1.").arg(reason));
        return;
    }
    const int layer = m_picture ? m_picture->report->view.layer : 0;
    std::vector<attention::CurveChoice> curves; // each operator of the block once
    for (const auto& each : headChoices(m_with.document.state().attention, headsOf(m_sources->model->spec())))
        if (each.block == layer && !each.method.empty() &&
            std::ranges::none_of(curves, [&](const auto& other) { return other.method == each.method && other.parameters == each.parameters; }))
            curves.push_back({each.method, each.parameters});
    auto* page = m_panel.length();
    page->setCurves(nullptr);
    page->setRunning(true);
    m_with.document.select([](Selection& selection) { selection.attentionPage = "length"; });
    m_measuringLengths = m_jobs.start(
        tr("Attention against length"), tr("Measuring lengths"),
        [sources = m_sources, curves, layer, seed = static_cast<std::uint64_t>(m_with.document.state().attention.seed), guard = QPointer<AttentionLabController>(this)](const RunContext& context) {
            context.setParts(20);
            attention::CostCurveSettings settings;
            settings.ceilings = cost::machineCeilings(context.part(1, "this machine"));
            auto made = std::make_shared<const std::vector<report::AttentionCostCurve>>(
                attention::costCurves(attention::inputsFor(*sources->model, layer, attention::kAllHeads, {.seed = seed, .samples = {}}), curves, settings, context.part(19, "lengths")));
            QMetaObject::invokeMethod(qApp, [guard, sources, made] {
                if (guard && guard->m_sources == sources)
                    guard->m_panel.length()->setCurves(made);
            }, Qt::QueuedConnection);
            return tr("%1 operators of block %2 at %3 lengths").arg(made->size()).arg(layer).arg(settings.tokens.size());
        },
        [this, page](const Job&) {
            page->setRunning(false);
            ended(m_measuringLengths);
        });
    showMethods();
    emit availabilityChanged();
}

} // namespace tamis::app
