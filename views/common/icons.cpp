// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/icons.h"

#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPixmap>
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
        const Theme& theme = Theme::instance();
        const QColor color = mode == QIcon::Disabled ? theme.color(Ink::Border) : theme.color(m_ink);
        QByteArray coloured = m_svg;
        coloured.replace("currentColor", color.name().toLatin1());
        QSvgRenderer renderer(coloured);
        const int side = std::min(rect.width(), rect.height());
        QRectF square(0, 0, side, side);
        square.moveCenter(QRectF(rect).center());
        renderer.render(painter, square);
    }

    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override
    {
        QPixmap picture(size);
        picture.fill(Qt::transparent);
        QPainter painter(&picture);
        paint(&painter, QRect(QPoint(0, 0), size), mode, state);
        return picture;
    }

    QIconEngine* clone() const override { return new ThemedIconEngine(*this); }
    QString iconName() override { return m_name; }
    bool isNull() override { return m_svg.isEmpty(); }

private:
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
