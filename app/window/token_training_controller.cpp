// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/token_training_controller.h"

#include "app/window/tokens_controller.h"
#include "views/common/training_view.h"
#include "views/tokens/token_training_page.h"

#include <QFileInfo>

namespace tamis::app {
namespace {
const QString kFiles = QStringLiteral("Trained token methods (*.safetensors)");

QString text(const std::string& s) { return QString::fromStdString(s); }
} // namespace

TokenTrainingController::TokenTrainingController(const TokenTrainingNeighbours& neighbours, views::TokenTrainingPage& page, QObject* parent)
    : QObject(parent), m_with(neighbours), m_page(page), m_run(neighbours.queue, neighbours.jobs, *page.training())
{
    connect(&m_page, &views::TokenTrainingPage::trainRequested, this, &TokenTrainingController::train);
    connect(&m_page, &views::TokenTrainingPage::finishRequested, this, &TokenTrainingController::finish);
    connect(&m_page, &views::TokenTrainingPage::cancelRequested, this, &TokenTrainingController::cancel);
    connect(&m_page, &views::TokenTrainingPage::saveRequested, this, &TokenTrainingController::askAndSave);
    connect(&m_page, &views::TokenTrainingPage::openRequested, this, &TokenTrainingController::askAndOpen);
}

TokenChains::Parts TokenTrainingController::current() const
{
    const auto& sources = m_with.lab.sources();
    return sources ? m_with.chains->trained(sources, m_with.lab.setting()) : nullptr;
}

QString TokenTrainingController::openDisabledReason() const { return m_with.lab.disabledReason(); }

QString TokenTrainingController::trainDisabledReason() const
{
    if (const QString reason = m_with.lab.disabledReason(); !reason.isEmpty())
        return reason;
    return isTraining() ? tr("a method is being trained") : !methodOf(m_with.lab.setting().method).trains() ? tr("this method trains nothing") : QString();
}

QString TokenTrainingController::saveDisabledReason() const
{
    const QString reason = m_with.lab.disabledReason();
    return !reason.isEmpty() ? reason : current() ? QString() : tr("nothing was trained with these settings");
}

void TokenTrainingController::train()
{
    if (const QString reason = trainDisabledReason(); !reason.isEmpty()) {
        emit m_with.lab.failed(tr("Nothing can be trained: %1.").arg(reason));
        return;
    }
    const TokenSetting setting = m_with.lab.setting();
    const QString title = text(methodOf(setting.method).declaration.title);
    m_with.lab.showPage(QStringLiteral("training"));
    const auto warnings = std::make_shared<QStringList>();
    m_run.start(
        {tr("Train %1").arg(title), tr("Training"), tokenSettingTitle(setting)},
        [sources = m_with.lab.sources(), setting, chains = m_with.chains, title, warnings](const RunContext& context, const TrainingRun::Talk& talk) -> TrainingRun::Keep {
            auto parts = TokenChains::train(sources, setting, context, {.seen = talk.seen, .enough = talk.enough});
            return [sources, chains, title, warnings, parts = std::move(parts)] {
                for (const auto& warning : parts->warnings)
                    *warnings << text(warning);
                chains->keep(sources, parts);
                return tr("%1 trained").arg(title);
            };
        },
        [this, warnings](const Job& job) {
            if (job.state == JobState::Finished)
                m_with.lab.refresh();
            showState();
            for (const auto& warning : *warnings)
                emit m_with.lab.failed(warning);
            emit m_with.lab.availabilityChanged();
        });
    m_shown.reset(); // now, for it is set whenever the lab is shown and nothing is trained
    showState();
    emit m_with.lab.availabilityChanged();
}

void TokenTrainingController::askAndSave()
{
    if (const QString reason = saveDisabledReason(); !reason.isEmpty()) {
        emit m_with.lab.failed(tr("Nothing can be saved: %1.").arg(reason));
        return;
    }
    const auto parts = current();
    QString file = m_with.ask.save(tr("Save what was trained"), kFiles, text(parts->method).section(QLatin1Char('.'), 1) + QStringLiteral(".safetensors"));
    if (file.isEmpty())
        return;
    if (QFileInfo(file).suffix().isEmpty())
        file += QStringLiteral(".safetensors");
    m_with.jobs.start(
        tr("Save %1").arg(QFileInfo(file).fileName()), {},
        [parts, path = std::filesystem::path(file.toStdString())](const RunContext& context) {
            tokens::writeTrainedParts(path, *parts, context);
            return tr("Written to %1").arg(text(path.string()));
        },
        [](const Job&) {});
}

void TokenTrainingController::askAndOpen()
{
    if (const QString reason = openDisabledReason(); !reason.isEmpty()) {
        emit m_with.lab.failed(tr("Nothing can be opened: %1.").arg(reason));
        return;
    }
    if (const QString file = m_with.ask.open(tr("Open what was trained"), kFiles); !file.isEmpty())
        open(file);
}

void TokenTrainingController::open(const QString& file)
{
    const auto sources = m_with.lab.sources();
    if (!sources)
        return;
    const auto opened = std::make_shared<TokenSetting>();
    m_with.jobs.start(
        tr("Open %1").arg(QFileInfo(file).fileName()), {},
        [path = std::filesystem::path(file.toStdString()), sources, chains = m_with.chains, opened](const RunContext& context) {
            auto parts = openTrainedTokens(path, sources, context);
            *opened = {parts->method, parts->parameters};
            chains->keep(sources, std::move(parts));
            return tr("%1 opened").arg(text(path.filename().string()));
        },
        [this, opened, sources](const Job& job) {
            if (job.state != JobState::Finished || m_with.lab.sources() != sources)
                return;
            m_with.lab.take(*opened, tr("Take what was trained"));
            m_with.lab.refresh();
            showState();
            emit m_with.lab.availabilityChanged();
        });
}

void TokenTrainingController::showState()
{
    m_page.training()->setTrainReason(trainDisabledReason());
    m_page.setSaveReason(saveDisabledReason());
    m_page.setOpenReason(openDisabledReason());
    if (isTraining())
        return;
    if (const auto parts = current(); m_shown != parts) {
        m_page.training()->setLosses(parts ? parts->losses : std::vector<report::Series>());
        m_shown = parts;
    }
}

} // namespace tamis::app
