// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/jobs/lane.h"
#include "app/session/session_document.h"
#include "app/window/export_controller.h"
#include "app/window/file_questions.h"
#include "app/window/model_controller.h"
#include "app/window/repaint_delay.h"
#include "app/window/token_training_controller.h"
#include "app/window/tokens_work.h"
#include "core/report/token_report.h"

#include <QObject>
#include <QTimer>

#include <functional>
#include <memory>
#include <optional>

namespace tamis::views {
class TokenPanel;
} // namespace tamis::views

namespace tamis::app {

/// What the controller shares with the others. Not owned.
struct TokensNeighbours {
    SessionDocument& document;
    ModelController& model;
    ExportController& exports;
    JobQueue& jobs;
    const FileQuestions& ask;
};

/// Between the session, the open model, its photos and the token lab's tab. Method, parameters and what is asked for by hand are undoable;
/// every edit is a request on a lane that shows one photo, and once edits rest one on a second lane that goes through the folder.
/// Comparisons and training are jobs. Nothing is computed while the tab is out of sight.
class TokensController : public QObject
{
    Q_OBJECT
public:
    TokensController(const TokensNeighbours& neighbours, views::TokenPanel& panel, QObject* parent = nullptr);

    void setWorkspace(const std::shared_ptr<const Workspace>& workspace); ///< after the model controller's; null: nothing is open
    void compare(); ///< every method that trains nothing, and what was trained, at several settings, on the folder
    void stop(); ///< the jobs started here, and the folder
    void clearHands(); ///< of the photo that is seen closely
    void showMostChanged();
    QString disabledReason() const;      ///< why there is nothing to reduce; empty: there is
    QString compareDisabledReason() const;
    TokenTrainingController& training() noexcept { return m_training; }
    const TokenSourcesPointer& sources() const noexcept { return m_sources; } ///< null: none
    TokenSetting setting() const; ///< of the session, with those parameters alone that its method has
    void take(const TokenSetting& setting, const QString& label); ///< one edit
    /// [blocks] mean tokens behind each at the present setting, of the folder's photos where all are done, else of the photo that is seen closely; empty while that is
    /// still of older settings.
    std::vector<double> measuredSchedule() const;
    void refresh(); ///< asks again: what was trained is other
    void showPage(const QString& name);

    const std::shared_ptr<const TokenResult>& result() const noexcept { return m_result; }
    const std::shared_ptr<const report::TokenComparison>& comparison() const noexcept { return m_comparison; }
    const LaneCore& lane() const noexcept { return m_lane; }
    const LaneCore& folderLane() const noexcept { return m_folderLane; }
    bool isBusy() const { return m_lane.isBusy(); }
    bool isUpToDate() const;       ///< the photo is of the present settings
    bool isFolderUpToDate() const; ///< and so are all others

signals:
    void pictureShown(bool complete);
    void availabilityChanged();
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    void connectPanel();
    void connectSettings();
    void connectLanes();
    void edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(TokenChoice&)>& change);
    void setWish(int sourceToken, report::TokenWish wish);
    void pin();
    const tokens::Method& method() const; ///< of the session, or the lab's first
    TokenSetting known(const TokenSetting& setting) const; ///< with those parameters alone that its method has
    bool isVision() const;
    std::optional<TokenRequest> request() const;
    std::string shownPhoto() const; ///< empty: none
    void ask();        ///< the lane, where the panel is in sight; else when it comes
    void askFolder();  ///< the second one, for all photos
    void show(const std::shared_ptr<const TokenResult>& result);
    void showFolder(const std::shared_ptr<const TokenFolderResult>& result, bool complete);
    void takeSources(const TokenSourcesPointer& sources);
    void showState();
    void showMethods();
    void showHands();
    void showWishable();
    void showEmpty();
    void showRunning();
    QString caption() const;
    void writeJson();
    void showComparison(const std::shared_ptr<const report::TokenComparison>& comparison);
    void takePoint(int index);

    TokensNeighbours m_with;
    views::TokenPanel& m_panel;
    JobGroup m_jobs;
    std::shared_ptr<TokenChains> m_chains = std::make_shared<TokenChains>();
    TokenTrainingController m_training;
    TokenSourcesPointer m_sources;         ///< that the strip shows; null: none
    std::shared_ptr<const TokenResult> m_result;
    std::optional<TokenRequest> m_asked;   ///< of the first lane, last
    std::optional<TokenFolderRequest> m_folderAsked, m_folderShown; ///< of the second one; complete
    std::size_t m_taken = 0;               ///< entries of the running folder request that the strip has
    QString m_jobRunning;
    std::shared_ptr<const report::TokenComparison> m_comparison;
    int m_comparing = 0;                   ///< job; 0: none
    QTimer m_rest;                         ///< since the last edit
    bool m_waiting = false;                ///< for the panel to come into sight
    RepaintDelay m_repaints;               ///< of an edit, until its picture
    Lane<TokenRequest, TokenResult> m_lane;
    Lane<TokenFolderRequest, TokenFolderResult> m_folderLane;
};

} // namespace tamis::app
