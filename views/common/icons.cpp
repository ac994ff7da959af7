// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/icons.h"

#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPixmap>
#include <QPixmapCache>
#include <QSvgRenderer>

static void registerTamisResources() { Q_INIT_RESOURCE(tamis); } // outside any namespace, as Qt asks; a static library needs it

namespace tamis::views {
namespace {
/// Draws one SVG of the resources with `currentColor` replaced.
class ThemedIconEngine : public QIconEngine {
public:
    ThemedIconEngine(QString iconName, QByteArray svg, Ink ink) : m_name(std::move(iconName)), m_svg(std::move(svg)), m_ink(ink) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override
    {
        QByteArray coloured = m_svg;
        coloured.replace("currentColor", colourOf(mode).name().toLatin1());
        QSvgRenderer renderer(coloured);
        const int side = std::min(rect.width(), rect.height());
        QRectF square(0, 0, side, side);
        square.moveCenter(QRectF(rect).center());
        renderer.render(painter, square);
    }

    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override
    {
        const QString key = QStringLiteral("tamis/%1/%2/%3x%4").arg(m_name, colourOf(mode).name()).arg(size.width()).arg(size.height());
        QPixmap picture;
        if (QPixmapCache::find(key, &picture))
            return picture;
        picture = QPixmap(size);
        picture.fill(Qt::transparent);
        QPainter painter(&picture);
        paint(&painter, QRect(QPoint(0, 0), size), mode, state);
        painter.end();
        QPixmapCache::insert(key, picture);
        return picture;
    }

    QIconEngine* clone() const override { return new ThemedIconEngine(*this); }
    QString iconName() override { return m_name; }
    bool isNull() override { return m_svg.isEmpty(); }

private:
    QColor colourOf(QIcon::Mode mode) const { return Theme::instance().color(mode == QIcon::Disabled ? Ink::Border : m_ink); }

    QString m_name;
    QByteArray m_svg;
    Ink m_ink;
};
} // namespace

void registerIcons() { registerTamisResources(); }

QIcon themedIcon(const QString& name, Ink ink)
{
    registerIcons();
    QFile file(QStringLiteral(":/icons/%1.svg").arg(name));
    if (!file.open(QIODevice::ReadOnly))
        return {};
    return QIcon(new ThemedIconEngine(name, file.readAll(), ink));
}

QIcon applicationIcon()
{
    registerIcons();
    return QIcon(QStringLiteral(":/icons/tamis.svg"));
}

} // namespace tamis::views
