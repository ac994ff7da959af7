// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/window/file_questions.h"
#include "app/window/trained_encoders.h"
#include "core/report/encoder_comparison.h"

#include <QObject>

#include <atomic>
#include <map>
#include <memory>
#include <vector>

namespace tamis::views {
class TrainingPage;
} // namespace tamis::views

namespace tamis::app {

class EncoderController;
struct EncoderPicture;

/// What the controller shares with the lab. Not owned, but for the encoders.
struct TrainingNeighbours {
    EncoderController& lab;
    JobQueue& queue;
    JobGroup& jobs;
    const FileQuestions& ask;
    std::shared_ptr<TrainedEncoders> trained;
};

/// Training of encoders, one at a time, and the list of those that there are: a trained one becomes the current one, is written to a file
/// and read back by jobs.
class TrainingController : public QObject
{
    Q_OBJECT
public:
    TrainingController(const TrainingNeighbours& neighbours, views::TrainingPage& page, QObject* parent = nullptr);

    void train();
    void finish(); ///< ends the training that runs, with the best so far
    void cancel(); ///< ends it without a result
    void askAndSave();         ///< the one that is selected in the list, else the current one
    void askAndOpen();
    void open(const QString& file);
    bool isTraining() const noexcept { return m_job != 0; }
    QString trainDisabledReason() const; ///< why nothing can be trained now; empty: it can
    QString saveDisabledReason() const;
    QString finishDisabledReason() const { return isTraining() ? QString() : tr("nothing is trained"); }

    void showState();                                ///< the lab's settings or sources are others
    void showPicture(const EncoderPicture& picture); ///< measured
    /// The trained encoders of the present dictionary that were measured, as points beside a comparison's.
    std::vector<report::EncoderPoint> points() const;

signals:
    void availabilityChanged();

private:
    struct Measured {
        SourcesPointer sources; ///< on whose tokens
        report::EncoderPoint point;
        double macs = 0;        ///< of the exact encoder's
    };
    void save(int number);
    void take(int number);
    void forget(int number);
    void showList();
    int current() const; ///< number of the trained encoder that is chosen; 0: none

    TrainingNeighbours m_with;
    views::TrainingPage& m_page;
    int m_job = 0;                               ///< 0: nothing is trained
    std::shared_ptr<std::atomic<bool>> m_enough; ///< of the training that runs
    std::map<int, Measured> m_measured; ///< by number
};

} // namespace tamis::app
