// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/surface_controller.h"

#include "app/window/encoder_controller.h"
#include "views/encoder/surface_page.h"

namespace tamis::app {
namespace {
constexpr const char* kTwoStage = "encoder.two-stage";

/// What the settings say of it; nothing where the method has no such number.
std::optional<std::int64_t> whole(const EncoderRequest& request, const char* name)
{
    const auto* spec = methodOf(request).declaration.schema.find(name);
    if (!spec)
        return {};
    const auto& value = request.parameters.contains(name) ? request.parameters.value(name) : spec->defaultValue;
    const auto* number = std::get_if<std::int64_t>(&value);
    return number ? std::optional<std::int64_t>(*number) : std::nullopt;
}
} // namespace

SurfaceController::SurfaceController(EncoderController& lab, views::SurfacePage& page, QObject* parent)
    : QObject(parent), m_lab(lab), m_page(page),
      m_lane(
          [work = std::make_shared<SurfaceWork>()](const SurfaceRequest& request, Level level, const RunContext& context, const auto& publish) {
              return level == Level::Coarse ? work->coarse(request) : work->refine(request, context, publish);
          },
          [this](const auto& picture, const SurfaceRequest&, Level, bool) {
              if (!picture || picture->request.sources != m_lab.sources())
                  return;
              m_picture = picture;
              m_page.setProblem({});
              m_page.setSurface(picture->surface, picture->complete);
              m_page.setStale(request() != picture->request);
              emit pictureShown(picture->complete);
          })
{
    connect(&m_page, &views::SurfacePage::shown, this, &SurfaceController::ask);
    connect(&m_page, &views::SurfacePage::stopRequested, this, &SurfaceController::stop);
    connect(&m_page, &views::SurfacePage::goOnRequested, this, [this] {
        m_stopped = false;
        m_asked.reset();
        ask();
    });
    connect(&m_page, &views::SurfacePage::pointChosen, this, [this](qlonglong rank, qlonglong candidates) { take(rank, candidates); });
    connect(&m_lane, &LaneCore::progressed, this, [this](double fraction, const QString&) { m_page.setProgress(fraction); });
    connect(&m_lane, &LaneCore::busyChanged, this, [this](bool busy) {
        if (!busy)
            m_page.setProgress({});
        m_page.setStopped(!busy && m_stopped);
    });
    connect(&m_lane, &LaneCore::failed, this, [this](const QString& sentence) { m_page.setProblem(sentence); });
}

std::optional<SurfaceRequest> SurfaceController::request() const
{
    const auto encoder = m_lab.request();
    return encoder ? std::optional<SurfaceRequest>(surfaceBeside(*encoder)) : std::nullopt;
}

bool SurfaceController::isUpToDate() const { return m_picture && m_picture->complete && request() == m_picture->request; }

void SurfaceController::showState()
{
    if (m_picture && m_picture->request.sources != m_lab.sources()) {
        m_lane.cancel();
        m_picture.reset();
        m_asked.reset();
        m_page.setSurface(nullptr, false);
        m_page.setProgress({});
    }
    m_page.setCaption(m_lab.caption());
    m_page.setStale(m_picture && request() != m_picture->request);
    showMark();
    ask();
}

void SurfaceController::showMark()
{
    const auto now = m_lab.request();
    const auto rank = now ? whole(*now, "rank") : std::nullopt;
    m_page.setCurrent(rank ? std::optional(std::pair(*rank, m_lab.cut())) : std::nullopt);
}

void SurfaceController::ask()
{
    const auto now = request();
    if (!now || !m_page.isVisible() || m_asked == now)
        return;
    m_asked = now;
    m_stopped = false;
    m_page.setStopped(false);
    m_lane.request(*now);
}

void SurfaceController::stop()
{
    m_stopped = m_lane.isBusy() || m_stopped;
    m_lane.cancel();
    m_page.setProgress({});
    m_page.setStopped(m_stopped);
}

void SurfaceController::take(std::int64_t rank, std::int64_t candidates)
{
    const auto surface = request();
    if (!surface)
        return;
    m_lab.edit(tr("Take rank %1 and %2 candidates").arg(rank).arg(candidates), {}, true, [&](EncoderChoice& choice) {
        if (choice.method != kTwoStage) {
            choice.method = kTwoStage;
            choice.parameters = surface->parameters; // weighed as the surface is
        }
        choice.parameters.set("coarse", surface->coarse);
        choice.parameters.set("rank", rank);
        choice.parameters.set("candidates", candidates);
    });
}

} // namespace tamis::app
