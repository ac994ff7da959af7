// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/export_controller.h"

#include "core/base/error.h"
#include "core/plan/plan.h"
#include "views/common/figure_export.h"
#include "views/common/number_format.h"

#include <QFileInfo>

namespace tamis::app {
namespace {
spectrum::Inputs inputsOf(const SpectrumPicture& picture) { return {picture.request.checkpoint, picture.request.calibration, {}}; }

using Tokens = std::optional<plan::PlannedTokens>;

plan::Plan planOf(const SpectrumPicture& picture, const Tokens& tokens, const RunContext& context)
{
    auto plan = plan::makePlan(inputsOf(picture), *picture.spectra, picture.budget, picture.request.budget, context);
    plan.tokens = tokens;
    return plan;
}
} // namespace

ExportController::ExportController(SessionDocument& document, SpectrumController& spectrum, JobQueue& jobs, const FileQuestions& ask, QObject* parent)
    : QObject(parent), m_document(document), m_spectrum(spectrum), m_jobs(jobs), m_ask(ask)
{
}

QString ExportController::disabledReason() const
{
    if (!m_spectrum.workspace())
        return tr("nothing is open");
    if (!m_spectrum.picture() || !m_spectrum.isUpToDate())
        return tr("the spectra are still being computed");
    return {};
}

QString ExportController::planDisabledReason() const { return !m_spectrum.workspace() && m_document.state().plannedCache ? QString() : disabledReason(); }

void ExportController::savePlan()
{
    QString file = m_ask.save(tr("Save plan"), tr("Plan (*.json)"), QStringLiteral("plan.json"));
    if (file.isEmpty())
        return;
    if (QFileInfo(file).suffix().isEmpty())
        file += QStringLiteral(".json");
    m_jobs.add(
        tr("Save %1").arg(QFileInfo(file).fileName()),
        [picture = m_spectrum.workspace() ? m_spectrum.picture() : nullptr, tokens = m_document.state().plannedTokens, cache = m_document.state().plannedCache, reuse = m_document.state().plannedReuse, path = file.toStdString(), attention = m_attention ? m_attention() : std::vector<plan::PlannedAttention>(), seed = m_document.state().attention.seed](const RunContext& context) {
            plan::Plan plan;
            plan.budget.keep = 1; // of no model: all operators as they are
            if (picture)
                plan = planOf(*picture, tokens, context);
            plan.attention = attention;
            plan.cache = cache;
            plan.attentionSeed = attention.empty() ? 0 : seed;
            plan.reuse = reuse;
            plan::writePlan(path, plan);
            return tr("Plan written to %1").arg(QString::fromStdString(path));
        },
        [this](const Job& job) { job.state == JobState::Finished ? emit done(job.message) : emit failed(job.message); });
}

void ExportController::exportModel(const plan::ExportOptions& options)
{
    const QString directory = m_ask.newDirectory(tr("Export to a new directory"), QStringLiteral("export"));
    if (directory.isEmpty())
        return;
    m_jobs.add(
        tr("Export to %1").arg(QFileInfo(directory).fileName()),
        [picture = m_spectrum.picture(), tokens = m_document.state().plannedTokens, options, path = directory.toStdString()](const RunContext& context) {
            context.setParts(10);
            const auto plan = planOf(*picture, tokens, context.part(1, "plan"));
            const auto result = plan::exportPlan(plan, picture->request.checkpoint, picture->request.calibration, path, options,
                                                 context.part(9, "export"));
            return tr("%1 files in %2, %3 matrices verified, %4 parameters instead of %5")
                .arg(result.files.size())
                .arg(QString::fromStdString(path))
                .arg(result.verified.size())
                .arg(views::formatCount(static_cast<double>(result.cost.parameters)),
                     views::formatCount(static_cast<double>(plan.baseline.parameters)));
        },
        [this](const Job& job) {
            if (job.state == JobState::Finished)
                emit done(job.message);
            else if (job.state == JobState::Failed)
                emit failed(job.message);
        });
}

void ExportController::exportFigure(const views::Figure& figure, views::FigureFormat format, const QString& suggestedName)
{
    const QString suffix = views::figureSuffix(format);
    const QString path = m_ask.save(tr("Export"), views::figureFilter(format), suggestedName + QLatin1Char('.') + suffix);
    if (path.isEmpty())
        return;
    if (const auto problem = views::writeFigure(figure, format, path))
        emit failed(*problem);
    else
        emit done(tr("Written to %1").arg(path));
}

void ExportController::exportWidgetPicture(QWidget& widget, const QString& caption, const QString& suggestedName)
{
    const QString path = m_ask.save(tr("Export"), views::figureFilter(views::FigureFormat::Png), suggestedName + QStringLiteral(".png"));
    if (path.isEmpty())
        return;
    if (const auto problem = views::writeWidgetPicture(widget, caption, views::FigureFormat::Png, path))
        emit failed(*problem);
    else
        emit done(tr("Written to %1").arg(path));
}

} // namespace tamis::app
