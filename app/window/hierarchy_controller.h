// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/lane.h"
#include "app/session/session_document.h"
#include "app/window/file_questions.h"
#include "app/window/hierarchy_work.h"

#include <QObject>

#include <functional>
#include <optional>

namespace tamis::views {
class LevelsPage;
class LevelsSettings;
} // namespace tamis::views

namespace tamis::app {

class ExportController;
class ModelController;

/// What the controller shares with the others. Not owned.
struct HierarchyNeighbours {
    SessionDocument& document;
    ModelController& model;
    ExportController& exports;
    const FileQuestions& ask;
};

/// The page of levels of caches: computed on a lane while it or its brief is in sight, at once from the first requests, then from all. Every setting is undoable.
class HierarchyController : public QObject
{
    Q_OBJECT
public:
    HierarchyController(const HierarchyNeighbours& neighbours, views::LevelsPage& page, views::LevelsSettings& settings, QObject* parent = nullptr);

    void askFrames();                        ///< asks for a folder
    void setFrames(const QString& folder);   ///< empty: the trace of the tab
    void sourcesChanged();                   ///< another model is open, or none
    void setCursor(quint64 size, bool bytes); ///< of the cache lab's curves, in bytes or objects; 0: there is none
    void setSeenElsewhere(bool seen);        ///< brief() is: levels are computed though their page is out of sight
    QString brief() const;                   ///< hits of the levels and the average access, in a line; empty: nothing is known, or the cursor sets no level
    void setCursorLevel(const QString& level); ///< whose capacity that is: "l1" to "l3", or "none"
    Parameters parameters() const;           ///< of the present settings, with the cursor's
    QString disabledReason() const;          ///< why nothing is simulated; empty: it can be
    bool isUpToDate() const;                 ///< what is shown is whole and of the present settings
    const std::shared_ptr<const report::HierarchyReport>& report() const noexcept { return m_report; }
    const LaneCore& lane() const noexcept { return m_lane; }

signals:
    void availabilityChanged();
    void briefChanged();
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    std::optional<HierarchyRequest> request() const;
    void connectViews();
    void showState();
    void ask();
    void show(const HierarchyWork::Picture& picture, bool whole);
    QString caption() const;

    HierarchyNeighbours m_with;
    views::LevelsPage& m_page;
    views::LevelsSettings& m_settings;
    std::optional<HierarchyRequest> m_asked, m_shownOf;
    std::shared_ptr<const report::HierarchyReport> m_report;
    bool m_whole = false; ///< what is shown is of all requests
    quint64 m_cursor = 0;
    bool m_cursorIsBytes = false;
    bool m_seenElsewhere = false;
    Lane<HierarchyRequest, HierarchyPicture> m_lane;
};

} // namespace tamis::app
