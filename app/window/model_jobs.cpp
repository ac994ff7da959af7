// SPDX-License-Identifier: GPL-3.0-or-later
// The jobs of ModelController: evaluation, capture and measurements.
#include "app/window/model_controller.h"
#include "core/cost/ceilings.h"
#include "core/cost/measure_layers.h"
#include "core/cost/model_cost.h"
#include "core/measure/capture.h"
#include "core/measure/evaluate.h"
#include "views/common/number_format.h"
#include "views/model/evaluation_view.h"
#include "views/model/model_panel.h"
#include "views/model/roofline_view.h"

#include <QFileInfo>

#include <algorithm>

namespace tamis::app {

std::optional<SampleRequest> ModelController::askSamples(const QString& title)
{
    SampleRequest request;
    if (isVision()) {
        const QString folder = !m_folder.empty() && m_with.ask.confirm(title, tr("Use the photos that are open, %1?").arg(photoFolder()))
                                   ? photoFolder()
                                   : m_with.ask.openDirectory(title + tr(": a folder of photos"));
        if (folder.isEmpty())
            return std::nullopt;
        request.images = folder.toStdString();
        request.labels = labelsOf(request.images);
        return request;
    }
    const QString file = m_with.ask.open(title + tr(": a text, or token ids"), tr("Text (*.txt *.md);;Token ids (*.npy *.ids);;All files (*)"));
    if (file.isEmpty())
        return std::nullopt;
    const QString suffix = QFileInfo(file).suffix().toLower();
    (suffix == QLatin1String("npy") || suffix == QLatin1String("ids") ? request.tokens : request.text) = file.toStdString();
    return request;
}

void ModelController::evaluate()
{
    if (const QString reason = disabledReason(); !reason.isEmpty()) {
        emit failed(tr("The model cannot be evaluated: %1.").arg(reason));
        return;
    }
    const auto samples = askSamples(tr("Evaluate"));
    if (!samples)
        return;
    const auto picture = wholePicture();
    const auto settings = settingsLine(m_with.document.state().settings);
    auto result = std::make_shared<report::EvaluationReport>();
    m_views.panel->showPage(m_views.panel->evaluation());
    m_jobs.start(
        tr("Evaluate"), tr("Evaluating"),
        [model = m_model, picture, samples = *samples, settings, result](const RunContext& context) {
            context.setParts(20);
            const std::filesystem::path path = model->workspace()->outline.modelPath;
            const auto dense = model->dense(context.part(1, "model"));
            const auto compressed = model->compressed(picture, context.part(4, "plan"));
            const auto source = openSamples(samples, path, *dense, context.part(1, "samples"));
            *result = measure::evaluate(*dense, compressed.get(), *source, {}, context.part(14, "evaluating"));
            result->model = path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
            result->inputs = source->description();
            result->classNames = classNamesOf(path);
            if (compressed) {
                result->plan = settings;
                const auto latencies = std::pair{result->cost.latencyMs, result->baselineCost.latencyMs};
                result->cost = picture->budget.after;
                result->baselineCost = picture->budget.before;
                std::tie(result->cost.latencyMs, result->baselineCost.latencyMs) = latencies;
            }
            return result->quality.top1.present() ? tr("Top-1 %1 on %2").arg(views::formatPercent(result->quality.top1.mean), QString::fromStdString(result->inputs))
                   : result->quality.perplexity.present()
                       ? tr("Perplexity %1 on %2").arg(views::formatNumber(result->quality.perplexity.mean), QString::fromStdString(result->inputs))
                       : tr("Evaluated on %1").arg(QString::fromStdString(result->inputs));
        },
        [this, result, picture, model = m_model](const Job& job) {
            if (job.state != JobState::Finished)
                return;
            if (model != m_model)
                return; // another model was opened meanwhile
            m_evaluation = result;
            m_evaluated = picture;
            m_views.panel->setEvaluation(m_evaluation);
            m_views.panel->setStale(m_evaluated != wholePicture());
            emit evaluated();
        });
}

void ModelController::capture()
{
    if (const QString reason = disabledReason(); !reason.isEmpty()) {
        emit failed(tr("Nothing can be captured: %1.").arg(reason));
        return;
    }
    const auto samples = askSamples(tr("Capture"));
    if (!samples)
        return;
    QString out = m_with.ask.save(tr("Save the calibration set"), tr("Calibration set (*.h5)"), QStringLiteral("calibration.h5"));
    if (out.isEmpty())
        return;
    if (QFileInfo(out).suffix().isEmpty())
        out += QStringLiteral(".h5");
    m_jobs.start(
        tr("Capture %1").arg(QFileInfo(out).fileName()), tr("Capturing"),
        [model = m_model, samples = *samples, file = out.toStdString()](const RunContext& context) {
            context.setParts(20);
            const auto dense = model->dense(context.part(1, "model"));
            measure::CaptureOptions options;
            options.out = file;
            options.modelSha256 = model->workspace()->checkpoint->sha256(context.part(1, "hash"));
            const auto source = openSamples(samples, model->workspace()->outline.modelPath, *dense, context.part(1, "samples"));
            const auto report = measure::captureCalibration(*dense, *source, options, context.part(17, "capturing"));
            return tr("%1 sites from %2 samples in %3").arg(report.sites.size()).arg(report.samples + report.heldOutSamples).arg(QString::fromStdString(file));
        },
        [this, out, model = m_model](const Job& job) {
            if (job.state != JobState::Finished)
                return;
            if (model == m_model)
                m_with.workspaces.open(out); // for the model that is open
        });
}

void ModelController::measureLayers()
{
    if (const QString reason = disabledReason(); !reason.isEmpty()) {
        emit failed(tr("Nothing can be measured: %1.").arg(reason));
        return;
    }
    const auto request = costRequest();
    auto result = std::make_shared<report::ModelCostReport>();
    m_jobs.start(
        tr("Measure latencies"), tr("Measuring"),
        [model = m_model, request, result](const RunContext& context) {
            context.setParts(10);
            const auto dense = model->dense(context.part(1, "model"));
            const auto compressed = model->compressed(request.picture, context.part(2, "plan"));
            const auto& measured = compressed ? *compressed : *dense;
            cost::CostOptions options;
            options.tokens = request.tokens;
            options.batch = request.batch;
            *result = cost::modelCost(measured, options);
            cost::measureLayers(*result, measured, {}, context.part(7, "measuring"));
            return tr("%1 for a batch of %2").arg(views::formatMilliseconds(result->measuredMs)).arg(request.batch);
        },
        [this, result, request](const Job& job) {
            if (job.state != JobState::Finished)
                return;
            m_measured = Measurement{result, request};
            requestCosts();
        });
}

void ModelController::measureMachine()
{
    auto result = std::make_shared<report::Ceilings>();
    m_views.panel->roofline()->setMeasuring(true);
    m_jobs.start(
        tr("Measure this machine"), {},
        [result](const RunContext& context) {
            *result = cost::measureCeilings(context);
            return tr("%1 GFLOP/s, %2 GB/s").arg(views::formatNumber(result->gflops, 3), views::formatNumber(result->gigabytesPerSecond, 3));
        },
        [this, result](const Job& job) {
            m_views.panel->roofline()->setMeasuring(false);
            if (job.state == JobState::Finished)
                rememberMachine(*result);
        });
}

} // namespace tamis::app
