// SPDX-License-Identifier: GPL-3.0-or-later
// What the encoder lab does once: opening an autoencoder, comparing.
#include "app/bundled/bundled.h"
#include "app/window/encoder_controller.h"
#include "app/window/loss_controller.h"
#include "app/window/trained_match.h"
#include "app/window/training_controller.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/pareto_page.h"
#include "views/encoder/sample_page.h"
#include "views/workspace/workspace_tree.h"

#include <QApplication>
#include <QFileInfo>
#include <QPointer>

#include <algorithm>
#include <utility>

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
    m_compared.reset();
    panel->sample()->setLatents(nullptr);
    panel->setPlaces(sources ? sources->places : nullptr, sources ? sources->photos : std::vector<QImage>());
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

void EncoderController::compare()
{
    if (const QString reason = compareDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Encoders cannot be compared: %1.").arg(reason));
        return;
    }
    m_compared.reset();
    auto* page = m_views.panel->compare();
    refreshPoints();
    std::vector<TrainedEncoders::Entry> trained;
    for (auto& entry : m_trained->entries())
        if (sameDictionary(entry.request, *request()))
            trained.push_back(std::move(entry));
    page->setRunning(true);
    m_with.document.select([](Selection& selection) { selection.encoderPage = "compare"; });
    m_comparing = m_jobs.start(
        tr("Compare encoders"), tr("Comparing"),
        [request = *request(), trained = std::move(trained), guard = QPointer<EncoderController>(this)](const RunContext& context) {
            const auto result = compareAll(request, trained, context, [&](const report::EncoderComparison& soFar) {
                auto copy = std::make_shared<const report::EncoderComparison>(soFar);
                QMetaObject::invokeMethod(qApp, [guard, copy, sources = request.sources] { // of another k: kept, and shown with that
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
    m_compared = comparison;
    refreshPoints();
}

/// What was compared with the present k, and encoders trained since, with the losses that were measured.
void EncoderController::refreshPoints()
{
    auto points = m_sources ? m_training->points() : std::vector<report::EncoderPoint>();
    const auto compared = m_compared && m_sources && m_compared->k == kOf(*request()) ? m_compared : nullptr;
    if (!compared && points.empty()) {
        if (std::exchange(m_comparison, nullptr))
            m_views.panel->compare()->setComparison(nullptr);
        m_losses->showState();
        return;
    }
    auto shown = std::make_shared<report::EncoderComparison>();
    if (compared) {
        *shown = *compared;
    } else {
        shown->dictionary = m_sources->paths.autoencoder.string();
        shown->tokens = m_sources->tokens.string();
        shown->width = m_sources->autoencoder->width();
        shown->latents = m_sources->autoencoder->latents();
        shown->k = kOf(*request());
        shown->tokenCount = m_sources->measured.rows();
    }
    const std::size_t before = shown->points.size();
    for (auto& point : points)
        if (std::ranges::none_of(shown->points, [&](const auto& other) { return other.method == point.method && other.parameters == point.parameters; }))
            shown->points.push_back(std::move(point));
    shown->planned += shown->points.size() - before;
    m_losses->apply(*shown);
    m_comparison = shown;
    m_views.panel->compare()->setComparison(shown);
    m_losses->showState();
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

} // namespace tamis::app
