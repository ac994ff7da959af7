// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/window/attention_lab_controller.h"
#include "core/report/addressing_report.h"

#include <QObject>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tamis::views {
class AddressingBench;
} // namespace tamis::views

namespace tamis::app {

/// What the controller shares with the others. Not owned.
struct AddressingNeighbours {
    SessionDocument& document;
    AttentionLabController& lab; ///< whose model and text are read from
    JobQueue& jobs;
    const FileQuestions& ask;
};

/// The attention tab's page of sparse addressing: a method, its parameters, what it is fitted to, and a job that measures its reads on the text of
/// the tab. What is chosen is in the session, and undoable. Nothing is measured unless it is asked for.
class AddressingController : public QObject
{
    Q_OBJECT
public:
    AddressingController(const AddressingNeighbours& neighbours, views::AddressingBench& bench, QObject* parent = nullptr);

    void measure();
    void stop();
    void askCalibration();
    void setCalibration(const std::filesystem::path& file); ///< tokens (.npy, .ids) or UTF-8 text
    void setMethod(const std::string& id);                  ///< one that there is
    QString disabledReason() const; ///< why nothing can be measured now; empty: it can
    const std::shared_ptr<const report::AddressingReport>& report() const noexcept { return m_report; } ///< null: none
    bool isUpToDate() const; ///< the report is of the present settings

signals:
    void availabilityChanged();
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    /// What a report is of.
    struct Asked {
        std::shared_ptr<const AttentionLabSources> sources;
        std::string method;
        Parameters parameters;
        std::filesystem::path calibration;
        bool readers = true;
        bool operator==(const Asked&) const = default;
    };
    void connectBench();
    Asked asked() const;
    void edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(AddressingChoice&)>& change);
    std::string method() const;               ///< one that there is
    std::filesystem::path calibration() const; ///< empty: none
    void takeSources();
    void showSettings();
    void showState();
    void show(const Asked& of, const std::shared_ptr<const report::AddressingReport>& report);
    QString caption() const;

    AddressingNeighbours m_with;
    views::AddressingBench& m_bench;
    JobGroup m_jobs;
    std::shared_ptr<const AttentionLabSources> m_sources; ///< null: none
    std::optional<Asked> m_shownOf;
    std::shared_ptr<const report::AddressingReport> m_report;
    int m_job = 0;                                        ///< that measures; 0: none
};

} // namespace tamis::app
