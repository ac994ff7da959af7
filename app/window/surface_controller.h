// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/lane.h"
#include "app/window/surface_work.h"

#include <QObject>

#include <memory>
#include <optional>

namespace tamis::views {
class SurfacePage;
} // namespace tamis::views

namespace tamis::app {

class EncoderController;

/// The page of the recall surface: computed on a lane while the page is in sight, again when what it is of changes; rank and candidates only
/// move a mark on it. What is chosen on it becomes the lab's choice.
class SurfaceController : public QObject
{
    Q_OBJECT
public:
    SurfaceController(EncoderController& lab, views::SurfacePage& page, QObject* parent = nullptr);

    void showState(); ///< the lab's settings or sources are others
    void stop();      ///< what is on screen stays
    const std::shared_ptr<const SurfacePicture>& picture() const noexcept { return m_picture; }
    const LaneCore& lane() const noexcept { return m_lane; }
    bool isUpToDate() const; ///< what is shown is whole and of the present settings

signals:
    void pictureShown(bool complete);

private:
    std::optional<SurfaceRequest> request() const;
    void ask();
    void showMark();
    void take(std::int64_t rank, std::int64_t candidates);

    EncoderController& m_lab;
    views::SurfacePage& m_page;
    std::shared_ptr<const SurfacePicture> m_picture;
    std::optional<SurfaceRequest> m_asked; ///< of the lane, last
    bool m_stopped = false;                ///< by the user: asked again for other settings, or on request
    Lane<SurfaceRequest, SurfacePicture> m_lane;
};

} // namespace tamis::app
