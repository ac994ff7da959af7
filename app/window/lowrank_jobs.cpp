// SPDX-License-Identifier: GPL-3.0-or-later
// The jobs of LowRankController: comparisons, trained methods, storing.
#include "app/window/lowrank_controller.h"
#include "views/lowrank/compare_page.h"
#include "views/lowrank/compare_settings.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/lowrank/sensitivity_page.h"

#include <QApplication>
#include <QPointer>

#include <algorithm>

namespace tamis::app {
namespace {
const std::vector<double> kCurveKeeps{0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3};
} // namespace

QString LowRankController::compareDisabledReason() const
{
    if (!m_workspace)
        return tr("nothing is open");
    if (!m_with.model.report())
        return tr("this checkpoint cannot be run");
    if (m_comparing != 0)
        return tr("a comparison runs");
    return {};
}

LowRankController::Compared LowRankController::comparedNow() const
{
    return {m_with.document.state().lowRank, heldOut().string(), training().string()};
}

void LowRankController::compare() { startComparison(m_with.document.state().lowRank.keeps); }
void LowRankController::compareCurves() { startComparison(kCurveKeeps); }

void LowRankController::startComparison(const std::vector<double>& keeps)
{
    QString reason = compareDisabledReason();
    if (reason.isEmpty() && comparedConfigurations().empty())
        reason = tr("no method is checked that can run");
    if (!reason.isEmpty()) {
        emit failed(tr("Nothing can be compared: %1.").arg(reason));
        return;
    }
    if (heldOut().empty())
        chooseSamples(true);
    if (heldOut().empty())
        return; // not chosen
    const auto& lab = m_with.document.state().lowRank;
    CompareRequest request;
    request.inputs = {m_with.model.runnable(), training(), {}};
    request.heldOut = heldOut();
    request.samples = static_cast<std::size_t>(lab.samples);
    request.entries = entriesOf(comparedConfigurations(), keeps, lab.comparedAllocation, lab.comparedAccounting);
    request.latency = lab.latency;
    m_comparison.reset();
    m_compared = comparedNow();
    m_compare->setComparison(nullptr);
    m_compare->setRunning(true);
    m_views.panel->showPage(QStringLiteral("compare"));
    m_comparing = m_jobs.start(
        tr("Compare %n configurations", nullptr, static_cast<int>(request.entries.size()) + 1), tr("Comparing"),
        [request, guard = QPointer<LowRankController>(this)](const RunContext& context) {
            const auto result = app::compare(request, context, [&](const report::MethodComparison& soFar) {
                auto copy = std::make_shared<const report::MethodComparison>(soFar);
                QMetaObject::invokeMethod(qApp, [guard, copy] {
                    if (guard)
                        guard->showComparison(copy);
                }, Qt::QueuedConnection);
            });
            return tr("%n configurations compared", nullptr, static_cast<int>(result.rows.size()));
        },
        [this](const Job&) {
            m_comparing = 0;
            emit availabilityChanged();
            m_compare->setRunning(false);
            showState(m_with.document.state());
            // What was handed over last may still be on its way to this thread.
            QMetaObject::invokeMethod(this, [this] { emit compared(); }, Qt::QueuedConnection);
        });
    emit availabilityChanged();
    showState(m_with.document.state());
}

QString LowRankController::sensitivityDisabledReason() const
{
    if (!m_workspace)
        return tr("nothing is open");
    if (!m_with.model.report())
        return tr("this checkpoint cannot be run");
    return m_measuring ? tr("sensitivities are being measured") : QString();
}

void LowRankController::measureSensitivity()
{
    if (const QString reason = sensitivityDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Sensitivities cannot be measured: %1.").arg(reason));
        return;
    }
    const auto source = [this] { return training().empty() ? heldOut() : training(); };
    if (source().empty())
        chooseSamples(false);
    if (source().empty())
        return; // not chosen
    m_measuring = true;
    m_sensitivity->setReport(nullptr);
    m_sensitivity->setRunning(true);
    m_views.panel->showPage(QStringLiteral("sensitivity"));
    const LabInputs inputs{m_with.model.runnable(), source(), {}};
    m_jobs.start(
        tr("Measure sensitivities"), tr("Measuring"),
        [inputs, guard = QPointer<LowRankController>(this)](const RunContext& context) {
            const auto show = [&](const report::SensitivityReport& soFar) {
                auto copy = std::make_shared<const report::SensitivityReport>(soFar);
                QMetaObject::invokeMethod(qApp, [guard, copy, model = inputs.model] {
                    if (guard && guard->m_with.model.runnable() == model)
                        guard->m_sensitivity->setReport(copy);
                }, Qt::QueuedConnection);
            };
            const auto result = app::measureSensitivity(inputs, context, show);
            show(result);
            return tr("%n matrices measured", nullptr, static_cast<int>(result.matrices.size()));
        },
        [this](const Job&) {
            m_measuring = false;
            m_sensitivity->setRunning(false);
            showState(m_with.document.state());
            emit availabilityChanged();
            QMetaObject::invokeMethod(this, [this] { emit sensitivityMeasured(); }, Qt::QueuedConnection);
        });
    emit availabilityChanged();
}

void LowRankController::showComparison(const std::shared_ptr<const report::MethodComparison>& comparison)
{
    if (!m_workspace || comparison->model != m_workspace->checkpoint->path().string())
        return; // another model was opened meanwhile
    m_comparison = comparison;
    m_compare->setComparison(comparison);
}

} // namespace tamis::app
