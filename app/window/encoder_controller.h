// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/jobs/lane.h"
#include "app/session/session_document.h"
#include "app/window/encoder_work.h"
#include "app/window/export_controller.h"
#include "app/window/file_questions.h"
#include "app/window/model_controller.h"
#include "app/window/workspace_controller.h"

#include <QObject>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace tamis::views {
class EncoderPanel;
class WorkspaceTree;
} // namespace tamis::views

namespace tamis::app {

class LossController;
class SurfaceController;
class TrainingController;

/// The views that the encoder lab is shown in. Not owned.
struct EncoderViews {
    views::EncoderPanel* panel = nullptr;
    views::WorkspaceTree* tree = nullptr;
};

/// What the controller shares with the others. Not owned.
struct EncoderNeighbours {
    SessionDocument& document;
    WorkspaceController& workspaces;
    ModelController& model;
    ExportController& exports;
    JobQueue& jobs;
    const FileQuestions& ask;
};

/// Between the session, the lab's methods and its tab. Files are opened by jobs and committed once they are read; every edit of a method is
/// a request on a lane; the cut is read from the places in the report and asks for nothing while it is dragged; comparisons and training are
/// jobs.
class EncoderController : public QObject
{
    Q_OBJECT
public:
    EncoderController(const EncoderNeighbours& neighbours, const EncoderViews& views, QObject* parent = nullptr);
    ~EncoderController() override;

    void setWorkspace(); ///< another model is open, or none; after the model controller's
    void open(const QString& autoencoder); ///< a directory or weight file; what is open stays until it is read
    void openBundled();                    ///< the one that comes with the program
    void askAndOpen();
    void askAndOpenTokens(); ///< another file or folder for where tokens come from
    void askAndOpenRows();   ///< tokens from a file of activations
    void askAndOpenCalibration();
    void openTokens(const QString& file);
    void takeTokensFromModel(); ///< photos or text, as the open model reads
    void takeTokensFrom(TokenOrigin origin); ///< asks for photos where none are open
    void chooseSite(const QString& site);
    void chooseBlock(int block);
    /// What the autoencoder's files leave open: it is read again. An empty value: as stated.
    void assume(const QString& name, const QString& value);
    void fitToHalf(); ///< of the tokens, instead of a file of its own
    void close();
    void compare(); ///< every method that trains nothing at several settings
    void stop() { m_jobs.stop(); }    ///< the jobs started here
    void showWorstToken();
    QString originReason(TokenOrigin origin) const; ///< why tokens cannot come from there now; empty: they can
    QString openDisabledReason() const;    ///< why there is nothing to work on; empty: there is
    QString compareDisabledReason() const;

    const std::shared_ptr<const EncoderPicture>& picture() const noexcept { return m_picture; }
    const std::shared_ptr<const report::EncoderComparison>& comparison() const noexcept { return m_comparison; }
    const LaneCore& lane() const noexcept { return m_lane; }
    bool isBusy() const { return m_lane.isBusy() || m_opening != 0; }
    bool isUpToDate() const; ///< what is shown is whole and of the present settings
    std::int64_t cut() const; ///< in effect

    // For the controllers of single pages.
    void edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(EncoderChoice&)>& change);
    const SourcesPointer& sources() const noexcept { return m_sources; }
    std::optional<EncoderRequest> request() const; ///< of the present settings; nothing: no autoencoder is open
    QString caption() const;                       ///< the settings in words
    void showPage(const std::string& name);        ///< of the tab
    void refresh();                                ///< what the settings stand for has changed
    void fail(const QString& sentence) { emit failed(sentence); }
    void refreshPoints();                          ///< of the comparison: some were trained, or their losses measured
    SurfaceController& surface() noexcept { return *m_surface; }
    LossController& losses() noexcept { return *m_losses; }
    TrainingController& training() noexcept { return *m_training; }

signals:
    void pictureShown(bool complete);
    void opened();  ///< an autoencoder that the user asked for, or alone: its tab is to be shown
    void availabilityChanged();
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    void connectPanel();
    void connectSettings();
    const encoder::Method& method() const; ///< of the session, or the lab's choice
    QString unavailable(const encoder::Method& method) const;
    void openSources(const EncoderPaths& paths, bool byUser);
    void sourcesRead(const EncoderPaths& paths, const SourcesPointer& sources, const Job& job, bool byUser);
    TokenSurroundings surroundings() const;
    bool awaitsModel(const EncoderPaths& paths) const; ///< which the tokens come from, and which is on its way
    QString modelNote() const;                         ///< what became of the model whose tokens these are; empty: it is open
    void connectOrigins();
    void showOrigins();
    void showSwitches();
    QString tokensInWords() const; ///< what is measured and what is fitted to, for the line on top
    void takeSources(const SourcesPointer& sources);
    void setCut(std::int64_t cut, bool finished);
    void showState(const SessionState& state);
    void showSources();
    void showMethods();
    void showCurrent();
    void showNotice();
    void ask();   ///< the lane, where the panel is in sight; else when it comes
    void show(const std::shared_ptr<const EncoderPicture>& picture);
    void showComparison(const std::shared_ptr<const report::EncoderComparison>& comparison);
    void takePoint(int index);

    EncoderNeighbours m_with;
    EncoderViews m_views;
    JobGroup m_jobs;
    SourcesPointer m_sources;           ///< null: none is open
    std::optional<EncoderPaths> m_failed; ///< that could not be opened: not tried again until they change
    EncoderPaths m_openingPaths;
    int m_opening = 0;                  ///< job; 0: none
    std::shared_ptr<TrainedEncoders> m_trained = std::make_shared<TrainedEncoders>();
    std::shared_ptr<const EncoderPicture> m_picture;
    std::optional<EncoderRequest> m_asked; ///< of the lane, last
    std::shared_ptr<const report::EncoderComparison> m_compared;   ///< by the last comparison
    std::shared_ptr<const report::EncoderComparison> m_comparison; ///< the same with trained encoders beside it
    int m_comparing = 0;                ///< job; 0: none
    bool m_waiting = false;             ///< for the panel to come into sight
    bool m_dragging = false;            ///< the cut
    bool m_refused = false;             ///< what was asked for failed: not asked again
    Lane<EncoderRequest, EncoderPicture> m_lane;
    std::unique_ptr<SurfaceController> m_surface;
    std::unique_ptr<TrainingController> m_training;
    std::unique_ptr<LossController> m_losses;
};

} // namespace tamis::app
