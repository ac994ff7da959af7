// SPDX-License-Identifier: GPL-3.0-or-later
// What the token lab does once: training, writing kept tokens; and what ends it.
#include "app/samples/photo_source.h"
#include "app/window/photo_work.h"
#include "app/window/tokens_controller.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/tokens/comparison.h"
#include "views/tokens/token_panel.h"
#include "views/tokens/token_pareto_chart.h"
#include "views/tokens/token_pareto_page.h"
#include "views/tokens/token_photo_model.h"
#include "views/tokens/token_picture.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QPointer>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace tamis::app {

void TokensController::stop()
{
    m_jobs.stop();
    m_rest.stop();
    m_folderLane.cancel();
    showRunning();
}

void TokensController::compare()
{
    if (const QString reason = compareDisabledReason(); !reason.isEmpty()) {
        emit failed(tr("Methods cannot be compared: %1.").arg(reason));
        return;
    }
    m_comparison.reset();
    auto* page = m_panel.compare();
    page->setComparison(nullptr);
    page->setRunning(true);
    m_with.document.select([](Selection& selection) { selection.tokenPage = "compare"; });
    m_folderLane.cancel(); // times are measured
    m_rest.stop();
    m_comparing = m_jobs.start(
        tr("Compare token methods"), tr("Comparing"),
        [sources = m_sources, chains = m_chains, guard = QPointer<TokensController>(this)](const RunContext& context) {
            std::shared_ptr<const measure::SampleSource> samples = sources->samples;
            if (const auto labels = labelsOf(sources->folder); !labels.empty())
                samples = openPhotos({.folder = sources->folder, .labels = labels, .squash = false}, sources->modelPath, *sources->model, context);
            const auto publish = [&](report::TokenComparison soFar) {
                soFar.model = sources->modelPath.filename().string();
                QMetaObject::invokeMethod(qApp, [guard, sources, copy = std::make_shared<const report::TokenComparison>(std::move(soFar))] {
                    if (guard && guard->m_sources == sources)
                        guard->showComparison(copy);
                }, Qt::QueuedConnection);
            };
            auto settings = tokens::usualSettings(sources->model->spec());
            for (const auto& parts : chains->allTrained(sources, context))
                std::ranges::move(tokens::trainedSettings(parts, sources->model->spec()), std::back_inserter(settings));
            const auto result = tokens::compareMethods({sources->model, sources->samples, sources->runnable->workspace()->checkpoint, nullptr, {}}, *samples,
                                                       settings, {}, context, publish);
            return tr("%1 reductions compared on %2 photos").arg(result.points.size() - 1).arg(result.photos);
        },
        [this, page](const Job&) {
            m_comparing = 0;
            page->setRunning(false);
            page->setDisabledReason(compareDisabledReason());
            m_rest.start(); // what was put off
            emit availabilityChanged();
        });
    page->setDisabledReason(compareDisabledReason());
    emit availabilityChanged();
}

void TokensController::showComparison(const std::shared_ptr<const report::TokenComparison>& comparison)
{
    m_comparison = comparison;
    m_panel.compare()->setComparison(comparison);
}

void TokensController::takePoint(int index)
{
    if (!m_comparison || index < 1 || index >= static_cast<int>(m_comparison->points.size()))
        return; // the whole model is no method
    const auto& point = m_comparison->points[static_cast<std::size_t>(index)];
    edit(tr("Take %1").arg(QString::fromStdString(point.title)), {}, true, [&](TokenChoice& choice) { choice.setting = {point.method, point.parameters}; });
    m_panel.compare()->chart()->setChosen(index);
}

TokenSetting TokensController::setting() const { return known(m_with.document.state().tokens.setting); }

void TokensController::take(const TokenSetting& setting, const QString& label)
{
    edit(label, {}, true, [&](TokenChoice& choice) { choice.setting = setting; });
}

std::vector<double> TokensController::measuredSchedule() const
{
    std::vector<double> counts;
    double photos = 0;
    const auto add = [&](const views::TokenPicture& picture) {
        if (picture.isEmpty())
            return;
        const auto& layers = picture.overlay()->layers;
        counts.resize(layers.size());
        for (std::size_t block = 0; block < layers.size(); ++block)
            counts[block] += static_cast<double>(layers[block].after);
        photos += 1;
    };
    if (isFolderUpToDate())
        for (int row = 0; row < m_panel.photos().count(); ++row)
            add(m_panel.photos().picture(row));
    else if (isUpToDate())
        add(m_result->reduced);
    for (double& count : counts)
        count /= photos;
    return counts;
}

void TokensController::refresh()
{
    m_asked.reset();
    m_folderShown.reset();
    ask();
}

void TokensController::showPage(const QString& name)
{
    m_with.document.select([&](Selection& selection) { selection.tokenPage = name.toStdString(); });
}

void TokensController::writeJson()
{
    if (!m_result || m_result->reduced.isEmpty()) {
        emit failed(tr("There are no kept tokens to write."));
        return;
    }
    const QString suggested = QFileInfo(QString::fromStdString(m_result->photo)).completeBaseName() + QStringLiteral("-tokens.json");
    const QString path = m_with.ask.save(tr("Save kept tokens"), tr("JSON (*.json)"), suggested);
    if (path.isEmpty())
        return;
    const auto& hands = m_result->request.hands;
    const auto hand = hands.find(m_result->photo);
    const QByteArray json = views::tokensJson(*m_result->reduced.overlay(), hand == hands.end() || !m_result->takesWishes ? std::vector<report::TokenWish>()
                                                                                               : shownWishesOf(hand->second, m_result->sources->sourceTokens()));
    try {
        writeFileAtomically(path.toStdString(), std::string_view(json.constData(), static_cast<std::size_t>(json.size())));
        emit done(tr("Kept tokens written to %1").arg(path));
    } catch (const Error& error) {
        emit failed(QString::fromUtf8(error.what()));
    }
}

void TokensController::showMostChanged()
{
    const auto& photos = m_panel.photos();
    int most = -1;
    const auto shift = [&](int row) { return photos.picture(row).overlay()->embeddingShift; };
    for (int row = 0; row < photos.count(); ++row)
        if (!photos.picture(row).isEmpty() && std::isfinite(shift(row)) && (most < 0 || shift(row) > shift(most)))
            most = row;
    if (most >= 0)
        m_with.document.select([&](Selection& selection) { selection.tokenPhoto = photos.name(most).toStdString(); });
}

} // namespace tamis::app
