// SPDX-License-Identifier: GPL-3.0-or-later
// What the encoder lab does once: opening an autoencoder, comparing, training.
#include "app/bundled/bundled.h"
#include "app/window/encoder_controller.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/pareto_page.h"
#include "views/workspace/workspace_tree.h"

#include <QApplication>
#include <QFileInfo>
#include <QPointer>

#include <algorithm>

namespace tamis::app {
namespace {
const QString kWeights = QStringLiteral("Autoencoders (*.safetensors *.npz *.pt *.pth);;All files (*)");
constexpr const char* kBundled = "sae/vit20.block3.k32/sparsify";
} // namespace

void EncoderController::open(const QString& autoencoder)
{
    openSources({QFileInfo(autoencoder).absoluteFilePath().toStdString(), {}, {}}, true);
}

void EncoderController::openBundled()
{
    try {
        open(QString::fromStdString((bundledDatasets() / kBundled).string()));
    } catch (const std::exception& error) {
        emit failed(QString::fromUtf8(error.what()));
    }
}

void EncoderController::askAndOpen()
{
    if (const QString path = m_with.ask.open(tr("Open a sparse autoencoder: its weight file"), kWeights); !path.isEmpty())
        open(path);
}

void EncoderController::takeSources(const SourcesPointer& sources)
{
    m_lane.cancel();
    m_asked.reset();
    m_picture.reset();
    m_sources = sources;
    auto* panel = m_views.panel;
    panel->setProblem({});
    panel->setReport(nullptr, false, 0);
    panel->setRanking(nullptr);
    m_comparison.reset();
    panel->compare()->setComparison(nullptr);
    showCurrent();
    m_views.tree->setAutoencoder(sources ? QString::fromStdString(sources->paths.autoencoder.string()) : QString(),
                                 sources ? tr("%1 latents").arg(sources->autoencoder->latents()) : QString());
    emit availabilityChanged();
}

QString EncoderController::openDisabledReason() const { return m_sources ? QString() : tr("no autoencoder is open"); }

QString EncoderController::compareDisabledReason() const
{
    if (const QString reason = openDisabledReason(); !reason.isEmpty())
        return reason;
    return m_comparing != 0 ? tr("a comparison runs") : QString();
}

QString EncoderController::trainDisabledReason() const
{
    if (const QString reason = openDisabledReason(); !reason.isEmpty())
        return reason;
    if (!method().trains)
        return tr("this method trains nothing");
    return unavailable(method());
}

void EncoderController::compare()
{
    if (const QString reason = compareDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Encoders cannot be compared: %1.").arg(reason));
        return;
    }
    m_comparison.reset();
    auto* page = m_views.panel->compare();
    page->setComparison(nullptr);
    page->setRunning(true);
    m_with.document.select([](Selection& selection) { selection.encoderPage = "compare"; });
    m_comparing = m_jobs.start(
        tr("Compare encoders"), tr("Comparing"),
        [request = *request(), guard = QPointer<EncoderController>(this)](const RunContext& context) {
            const auto result = compareAll(request, context, [&](const report::EncoderComparison& soFar) {
                auto copy = std::make_shared<const report::EncoderComparison>(soFar);
                QMetaObject::invokeMethod(qApp, [guard, copy, sources = request.sources] {
                    if (guard && guard->m_sources == sources)
                        guard->showComparison(copy);
                }, Qt::QueuedConnection);
            });
            return tr("%1 encoders compared on %2 tokens").arg(result.points.size()).arg(result.tokenCount);
        },
        [this, page](const Job&) {
            m_comparing = 0;
            page->setRunning(false);
            page->setDisabledReason(compareDisabledReason());
            emit availabilityChanged();
        });
    page->setDisabledReason(compareDisabledReason());
    emit availabilityChanged();
}

void EncoderController::showComparison(const std::shared_ptr<const report::EncoderComparison>& comparison)
{
    m_comparison = comparison;
    m_views.panel->compare()->setComparison(comparison);
}

void EncoderController::takePoint(int index)
{
    if (!m_comparison || index < 0 || index >= static_cast<int>(m_comparison->points.size()))
        return;
    const auto& point = m_comparison->points[static_cast<std::size_t>(index)];
    edit(tr("Take %1").arg(QString::fromStdString(point.title)), {}, true, [&](EncoderChoice& choice) {
        choice.method = point.method;
        choice.parameters = point.parameters;
    });
}

void EncoderController::train()
{
    if (const QString reason = trainDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Nothing can be trained: %1.").arg(reason));
        return;
    }
    const QString title = QString::fromStdString(method().declaration.title);
    m_jobs.start(
        tr("Train %1").arg(title), tr("Training"),
        [request = *request(), trained = m_trained, title](const RunContext& context) {
            auto entry = buildEncoder(request, context);
            const QString sentence = tr("%1 trained in %2 s").arg(title).arg(entry.seconds, 0, 'f', 1);
            trained->keep(std::move(entry));
            return sentence;
        },
        [this](const Job& job) {
            if (job.state != JobState::Finished)
                return;
            m_asked.reset();
            ask();
        });
}

} // namespace tamis::app
