// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/window/file_questions.h"
#include "app/window/token_chains.h"
#include "app/window/training_run.h"

#include <QObject>

#include <memory>
#include <optional>

namespace tamis::views {
class TokenTrainingPage;
} // namespace tamis::views

namespace tamis::app {

class TokensController;

/// What the controller shares with the lab. Not owned, but for the chains.
struct TokenTrainingNeighbours {
    TokensController& lab;
    JobQueue& queue;
    JobGroup& jobs;
    const FileQuestions& ask;
    std::shared_ptr<TokenChains> chains;
};

/// Training of token methods, one at a time: what is trained serves at once, is written to a file and read back by jobs.
class TokenTrainingController : public QObject
{
    Q_OBJECT
public:
    TokenTrainingController(const TokenTrainingNeighbours& neighbours, views::TokenTrainingPage& page, QObject* parent = nullptr);

    void train();
    void finish() { m_run.finish(); } ///< ends the training that runs, with the best so far
    void cancel() { m_run.cancel(); } ///< ends it without a result
    void askAndSave();
    void askAndOpen();
    void open(const QString& file);
    bool isTraining() const noexcept { return m_run.isRunning(); }
    QString trainDisabledReason() const; ///< why nothing can be trained now; empty: it can
    QString saveDisabledReason() const;
    QString openDisabledReason() const;
    QString finishDisabledReason() const { return isTraining() ? QString() : tr("nothing is trained"); }
    void showState(); ///< the lab's settings or sources are others

private:
    TokenChains::Parts current() const; ///< null: none, or the method trains nothing

    TokenTrainingNeighbours m_with;
    views::TokenTrainingPage& m_page;
    TrainingRun m_run;
    std::optional<TokenChains::Parts> m_shown; ///< whose losses the page has; nullopt: those of a training
};

} // namespace tamis::app
