// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/lane.h"
#include "app/session/session_document.h"
#include "app/session/workspace.h"
#include "app/window/spectrum_work.h"

#include <QObject>

#include <memory>

namespace tamis::views {
class CostHeader;
class OperatingPoints;
class ParameterEditor;
class SpectrumPanel;
class WorkspaceTree;
} // namespace tamis::views

class QComboBox;

namespace tamis::app {

/// The views that the spectrum lab is shown in. Not owned.
struct SpectrumViews {
    views::SpectrumPanel* panel = nullptr;
    views::CostHeader* header = nullptr;
    views::OperatingPoints* points = nullptr;
    views::ParameterEditor* parameters = nullptr;
    views::WorkspaceTree* tree = nullptr;
    QComboBox* method = nullptr;
};

/// Between the session, the spectrum lane and the views: an edit in a view becomes a change of the session, a change of the
/// session a request, a result new values in the views.
class SpectrumController : public QObject
{
    Q_OBJECT
public:
    using WorkspacePointer = std::shared_ptr<const Workspace>;
    SpectrumController(SessionDocument& document, const SpectrumViews& views, QObject* parent = nullptr);

    void setWorkspace(WorkspacePointer workspace); ///< null: nothing is open
    const WorkspacePointer& workspace() const noexcept { return m_workspace; }
    /// Newest picture; null before the first.
    const std::shared_ptr<const SpectrumPicture>& picture() const noexcept { return m_picture; }
    bool isUpToDate() const; ///< the picture is whole and of the present settings
    LaneCore& lane() noexcept { return m_lane; }

    void keepBaseline();  ///< adds the trivial way to the same keep: uniform ranks, plain SVD
    void keepPoint();     ///< adds the configuration on screen to the operating points
    void lockCurrent(bool locked);
    void clearOverrides();
    void setCaptions();

signals:
    void upToDateChanged(bool upToDate);
    void pictureShown(); ///< the views have new values
    void failed(const QString& sentence);

private:
    using SpectrumLane = Lane<SpectrumRequest, SpectrumPicture>;
    SpectrumRequest requestFor(const SessionState& state) const;
    void connectViews();
    void connectPointViews();
    void stateChanged(const SessionState& before, const SessionState& after);
    void showState(const SessionState& state);
    void showMethod(const SessionState& state);
    void show(const std::shared_ptr<const SpectrumPicture>& picture);
    void request();
    void setRank(const QString& name, qlonglong rank, const QString& mergeKey);
    void selectMatrices(const QStringList& names);
    std::optional<KeptPoint> presentPoint() const;

    SessionDocument& m_document;
    SpectrumViews m_views;
    WorkspacePointer m_workspace;
    std::shared_ptr<const SpectrumPicture> m_picture;
    std::string m_shownMethod;
    bool m_upToDate = true;
    std::shared_ptr<SpectrumWork> m_work;
    SpectrumLane m_lane;
};

} // namespace tamis::app
