// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/window/attention_lab_controller.h"
#include "app/window/training_run.h"
#include "core/attention/fine_tuning.h"

#include <QObject>

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace tamis::views {
class AttentionTrainingPage;
} // namespace tamis::views

namespace tamis::app {

/// What the controller shares with the others. Not owned.
struct AttentionTrainingNeighbours {
    SessionDocument& document;
    AttentionLabController& lab; ///< whose model, samples and choices are trained around
    JobQueue& jobs;
    const FileQuestions& ask;
};

/// A model that was trained around its attention, and what that is worth on the samples that are looked at.
struct TrainedAttention {
    std::shared_ptr<const AttentionLabSources> sources;
    attention::Tuned tuned;
    std::shared_ptr<const attention::TunedModel> model; ///< made of it
    report::AttentionComparison worth; ///< exact, around the operators, and trained
};

/// Training of the open model around the attention that stands in it: by a job, to the samples chosen here; losses are shown while it runs, and it may be ended with the best so
/// far. What is trained is measured, drawn beside the compared methods, and written to a file or read back from one.
class AttentionTrainingController : public QObject
{
    Q_OBJECT
public:
    AttentionTrainingController(const AttentionTrainingNeighbours& neighbours, views::AttentionTrainingPage& page, QObject* parent = nullptr);

    void train();
    void finish() { m_run.finish(); } ///< ends the training that runs, with the best so far
    void cancel(); ///< ends it without a result
    void askSamples();
    void setSamples(const std::filesystem::path& path); ///< photos (a folder), tokens or text
    void askAndSave();
    void askAndOpen();
    void open(const QString& file);
    bool isTraining() const noexcept { return m_run.isRunning(); }
    QString trainDisabledReason() const; ///< why nothing can be trained now; empty: it can
    QString saveDisabledReason() const;
    QString openDisabledReason() const;
    const std::shared_ptr<const TrainedAttention>& trained() const noexcept { return m_trained; } ///< null: none

signals:
    void availabilityChanged();
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    void connectPage();
    void edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(AttentionTraining&)>& change);
    std::filesystem::path samples() const; ///< empty: none
    std::vector<attention::HeadChoice> choices() const;
    void showState();
    void take(const std::shared_ptr<const TrainedAttention>& trained); ///< null: none
    using Result = std::shared_ptr<std::shared_ptr<const TrainedAttention>>; ///< of a job: null until it is over
    void ended(const Job& job, const Result& result);

    AttentionTrainingNeighbours m_with;
    views::AttentionTrainingPage& m_page;
    JobGroup m_jobs;
    std::shared_ptr<const AttentionLabSources> m_sources; ///< null: none
    std::shared_ptr<const TrainedAttention> m_trained;
    TrainingRun m_run;
    int m_opening = 0;                                    ///< job that opens a file; 0: none
};

} // namespace tamis::app
