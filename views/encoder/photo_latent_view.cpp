// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/photo_latent_view.h"

#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr double kBesideCell = 30, kBesideGap = 14;
constexpr float kOpaque = 0.82F, kDimmed = 0.5F; ///< of the colours over the photo, of the veil where nothing fires
} // namespace

PhotoLatentView::PhotoLatentView(QWidget* parent) : LatentSampleView(parent)
{
    setObjectName(QStringLiteral("photoLatents"));
    setAccessibleName(tr("Where a latent fires on the photo"));
}

void PhotoLatentView::setPhoto(const QImage& photo)
{
    m_photo = photo;
    update();
}

double PhotoLatentView::besideWidth() const
{
    if (prefix() == 0)
        return 0;
    const QFontMetricsF metrics(Theme::smallFont(font()));
    double widest = kBesideCell;
    for (const auto& name : places()->prefix)
        widest = std::max(widest, metrics.horizontalAdvance(QString::fromStdString(name)));
    return widest + kBesideGap;
}

QRectF PhotoLatentView::photoRect() const
{
    const QRectF area = room();
    const double beside = besideWidth();
    const double cell = std::max(std::min((area.width() - beside) / std::max(across(), 1), area.height() / std::max(down(), 1)), 1.0);
    const QSizeF size(cell * across(), cell * down());
    const double spare = std::max(area.width() - beside - size.width(), 0.0) / 2;
    return {area.left() + beside + spare, area.top(), size.width(), size.height()};
}

QRectF PhotoLatentView::tokenRect(int at) const
{
    if (at < 0 || at >= tokens())
        return {};
    const QRectF photo = photoRect();
    if (at < prefix()) {
        const QFontMetricsF metrics(Theme::smallFont(font()));
        return {photo.left() - besideWidth(), photo.top() + 1 + at * (kBesideCell + metrics.height() + 10), kBesideCell, kBesideCell};
    }
    const int patch = at - prefix();
    const double w = photo.width() / across(), h = photo.height() / down();
    return {photo.left() + patch % across() * w, photo.top() + patch / across() * h, w, h};
}

QString PhotoLatentView::tokenTitle(int at) const { return QString::fromStdString(report::placeName(*places(), sample()->first + at)); }

void PhotoLatentView::drawGround(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    const QRectF place = photoRect();
    painter.save();
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    if (m_photo.isNull())
        painter.fillRect(place, theme.color(Ink::Grid));
    else
        painter.drawImage(place, m_photo);
    painter.restore();
}

void PhotoLatentView::drawToken(QPainter& painter, int at) const
{
    const auto& theme = Theme::instance();
    const QRectF area = tokenRect(at);
    QColor color = tokenColor(at);
    if (at < prefix()) {
        painter.fillRect(area, color.isValid() ? color : theme.color(Ink::Window));
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Outline), 1));
        painter.drawRect(area);
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(area.left(), area.bottom() + 2, besideWidth(), QFontMetricsF(painter.font()).height()), Qt::AlignLeft | Qt::AlignTop,
                         QString::fromStdString(places()->prefix[static_cast<std::size_t>(at)]));
        return;
    }
    if (color.isValid()) {
        color.setAlphaF(kOpaque);
        painter.fillRect(area, color);
    } else if (!map().exact.empty()) {
        QColor veil = theme.color(Ink::Panel);
        veil.setAlphaF(kDimmed);
        painter.fillRect(area, veil);
    }
    if (area.width() < 6)
        return;
    QColor line = theme.color(Ink::Panel);
    line.setAlphaF(0.35F);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(line, 1));
    painter.drawRect(area);
}

int PhotoLatentView::step(int at, int key) const
{
    const int ahead = prefix(), patch = at - ahead, width = across(), last = tokens() - 1;
    if (width <= 0)
        return -1;
    if (patch < 0) // in the column beside the grid
        switch (key) {
        case Qt::Key_Up: return std::max(at - 1, 0);
        case Qt::Key_Down: return std::min(at + 1, ahead - 1);
        case Qt::Key_Left: return at;
        case Qt::Key_Right: return ahead;
        default: break;
        }
    switch (key) {
    case Qt::Key_Left: return patch % width > 0 ? at - 1 : ahead > 0 ? ahead - 1 : at;
    case Qt::Key_Right: return patch % width < width - 1 ? at + 1 : at;
    case Qt::Key_Up: return patch >= width ? at - width : at;
    case Qt::Key_Down: return patch + width < width * down() ? at + width : at;
    case Qt::Key_Home: return 0;
    case Qt::Key_End: return last;
    default: return -1;
    }
}

} // namespace tamis::views
