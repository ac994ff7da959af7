// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/figure_export.h"

#include "views/common/icons.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QBuffer>
#include <QClipboard>
#include <QFileInfo>
#include <QFontMetricsF>
#include <QMenu>
#include <QPainter>
#include <QSaveFile>
#include <QSvgGenerator>

#include <cmath>
#include <functional>

namespace tamis::views {
namespace {
constexpr double kPictureRatio = 2;
constexpr double kCaptionMargin = 10;

/// Lines of `caption` no wider than `width`, broken between words; a longer word stands alone.
QStringList wrapped(const QString& caption, const QFontMetricsF& metrics, double width)
{
    QStringList lines;
    for (const QString& paragraph : caption.split(QLatin1Char('\n'), Qt::SkipEmptyParts)) {
        QString line;
        for (const QString& word : paragraph.split(QLatin1Char(' '), Qt::SkipEmptyParts)) {
            const QString longer = line.isEmpty() ? word : line + QLatin1Char(' ') + word;
            if (!line.isEmpty() && metrics.horizontalAdvance(longer) > width) {
                lines.append(line);
                line = word;
            } else {
                line = longer;
            }
        }
        lines.append(line);
    }
    return lines;
}

/// A picture with its caption below: sizes in logical pixels.
struct Sheet {
    Sheet(const QSize& pictureSize, const QString& caption) : picture(pictureSize), font(Theme::smallFont(QApplication::font()))
    {
        const QFontMetricsF metrics(font);
        lines = wrapped(caption, metrics, picture.width() - 2 * kCaptionMargin);
        lineHeight = std::ceil(metrics.lineSpacing());
        ascent = metrics.ascent();
    }
    QSize size() const
    {
        const int below = lines.isEmpty() ? 0 : static_cast<int>(lineHeight * static_cast<double>(lines.size()) + kCaptionMargin);
        return {picture.width(), picture.height() + below};
    }
    void paintCaption(QPainter& painter) const
    {
        painter.setFont(font);
        painter.setPen(Theme::instance().color(Ink::MutedText));
        for (qsizetype i = 0; i < lines.size(); ++i)
            painter.drawText(QPointF(kCaptionMargin, picture.height() + ascent + lineHeight * static_cast<double>(i)), lines[i]);
    }

    QSize picture;
    QFont font;
    QStringList lines;
    double lineHeight = 0, ascent = 0;
};

using PaintPicture = std::function<void(QPainter&)>;

void paintSheet(QPainter& painter, const Sheet& sheet, const PaintPicture& paint)
{
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing | QPainter::SmoothPixmapTransform);
    painter.fillRect(QRect(QPoint(0, 0), sheet.size()), Theme::instance().color(Ink::Panel));
    painter.save();
    painter.setClipRect(QRect(QPoint(0, 0), sheet.picture));
    paint(painter);
    painter.restore();
    sheet.paintCaption(painter);
}

QImage sheetImage(const Sheet& sheet, const PaintPicture& paint, double ratio)
{
    QImage image(sheet.size() * ratio, QImage::Format_RGB32);
    if (image.isNull())
        return image;
    image.setDevicePixelRatio(ratio);
    QPainter painter(&image);
    paintSheet(painter, sheet, paint);
    return image;
}

QByteArray sheetSvg(const Sheet& sheet, const PaintPicture& paint, const QString& caption)
{
    QBuffer buffer;
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize(sheet.size());
    generator.setViewBox(QRect(QPoint(0, 0), sheet.size()));
    generator.setResolution(96);
    generator.setTitle(QStringLiteral("Tamis"));
    generator.setDescription(caption);
    QPainter painter(&generator);
    paintSheet(painter, sheet, paint);
    painter.end();
    return buffer.data();
}

std::optional<QString> writeBytes(const QByteArray& bytes, const QString& path)
{
    const auto failed = [&](const QString& why) {
        return QObject::tr("The picture or table could not be written to %1: %2.").arg(path, why);
    };
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly))
        return failed(file.errorString());
    if (file.write(bytes) != bytes.size() || !file.commit())
        return failed(file.errorString());
    return std::nullopt;
}

std::optional<QString> writePicture(const Sheet& sheet, const PaintPicture& paint, const QString& caption, bool vector,
                                    const QString& path)
{
    if (sheet.picture.isEmpty())
        return QObject::tr("There is nothing to draw for %1: the picture is empty.").arg(path);
    if (vector)
        return writeBytes(sheetSvg(sheet, paint, caption), path);
    QImage image = sheetImage(sheet, paint, kPictureRatio);
    image.setText(QStringLiteral("Description"), caption);
    QBuffer buffer;
    if (image.isNull() || !buffer.open(QIODevice::WriteOnly) || !image.save(&buffer, "PNG"))
        return QObject::tr("The picture for %1 is too large to be drawn: %2 x %3 pixels.")
            .arg(path).arg(sheet.size().width()).arg(sheet.size().height());
    return writeBytes(buffer.data(), path);
}
} // namespace

std::optional<QString> writeFigure(const Figure& figure, FigureFormat format, const QString& path)
{
    if (format == FigureFormat::Csv)
        return writeBytes(figureTable(figure).toUtf8(), path);
    const QString caption = figure.figureCaption();
    const Sheet sheet(figure.figureSize(), caption);
    return writePicture(sheet, [&](QPainter& p) { figure.paintFigure(p); }, caption, format == FigureFormat::Svg, path);
}

std::optional<QString> writeWidgetPicture(QWidget& widget, const QString& caption, FigureFormat format, const QString& path)
{
    if (format == FigureFormat::Csv)
        return QObject::tr("A picture without a table cannot be written as CSV to %1.").arg(path);
    const QPixmap picture = widget.grab();
    const Sheet sheet(widget.size(), caption);
    const auto paint = [&](QPainter& p) { p.drawPixmap(QRectF(QPointF(0, 0), QSizeF(widget.size())), picture, QRectF(picture.rect())); };
    return writePicture(sheet, paint, caption, format == FigureFormat::Svg, path);
}

QImage figureImage(const Figure& figure, double devicePixelRatio)
{
    const Sheet sheet(figure.figureSize(), figure.figureCaption());
    return sheetImage(sheet, [&](QPainter& p) { figure.paintFigure(p); }, devicePixelRatio);
}

QString figureTable(const Figure& figure)
{
    QString text;
    for (const QString& line : figure.figureCaption().split(QLatin1Char('\n'), Qt::SkipEmptyParts))
        text += QStringLiteral("# ") + line + QLatin1Char('\n');
    return text + figure.figureCsv();
}

void copyFigurePicture(const Figure& figure) { QApplication::clipboard()->setImage(figureImage(figure, kPictureRatio)); }
void copyFigureTable(const Figure& figure) { QApplication::clipboard()->setText(figureTable(figure)); }

QString csvField(const QString& text)
{
    const bool quoted = text.contains(QLatin1Char(',')) || text.contains(QLatin1Char('"')) || text.contains(QLatin1Char('\n')) ||
                        text.contains(QLatin1Char('\r'));
    if (!quoted)
        return text;
    QString escaped = text;
    escaped.replace(QLatin1Char('"'), QStringLiteral("\"\""));
    return QLatin1Char('"') + escaped + QLatin1Char('"');
}

std::optional<FigureFormat> figureFormatOf(const QString& path)
{
    const QString suffix = QFileInfo(path).suffix().toLower();
    for (const auto format : {FigureFormat::Png, FigureFormat::Svg, FigureFormat::Csv})
        if (suffix == figureSuffix(format))
            return format;
    return std::nullopt;
}

QString figureSuffix(FigureFormat format)
{
    switch (format) {
    case FigureFormat::Png: return QStringLiteral("png");
    case FigureFormat::Svg: return QStringLiteral("svg");
    case FigureFormat::Csv: return QStringLiteral("csv");
    }
    return {};
}

QString figureFilter(FigureFormat format)
{
    switch (format) {
    case FigureFormat::Png: return QObject::tr("PNG picture (*.png)");
    case FigureFormat::Svg: return QObject::tr("SVG drawing (*.svg)");
    case FigureFormat::Csv: return QObject::tr("CSV table (*.csv)");
    }
    return {};
}

ExportButton::ExportButton(QWidget* parent) : QToolButton(parent)
{
    setObjectName(QStringLiteral("export-button"));
    setText(tr("Export…"));
    setIcon(themedIcon(QStringLiteral("export")));
    setToolTip(tr("Save or copy this figure; its settings go with it"));
    setAccessibleName(tr("Export figure"));
    setAutoRaise(true);
    setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    setPopupMode(QToolButton::InstantPopup);
    auto* choices = new QMenu(this);
    const auto save = [&](const QString& text, FigureFormat format) {
        auto* action = choices->addAction(text, this, [this, format] { emit exportRequested(format); });
        action->setObjectName(QStringLiteral("export-") + figureSuffix(format));
    };
    save(tr("Save as PNG picture…"), FigureFormat::Png);
    save(tr("Save as SVG drawing…"), FigureFormat::Svg);
    save(tr("Save values as CSV…"), FigureFormat::Csv);
    choices->addSeparator();
    choices->addAction(tr("Copy picture"), this, &ExportButton::copyPictureRequested)->setObjectName(QStringLiteral("copy-picture"));
    choices->addAction(tr("Copy values"), this, &ExportButton::copyTableRequested)->setObjectName(QStringLiteral("copy-values"));
    setMenu(choices);
}

void ExportButton::copyFrom(const Figure& figure)
{
    connect(this, &ExportButton::copyPictureRequested, this, [&figure] { copyFigurePicture(figure); });
    connect(this, &ExportButton::copyTableRequested, this, [&figure] { copyFigureTable(figure); });
}

void ExportButton::setFormats(bool picture, bool vector, bool table)
{
    for (QAction* action : menu()->actions()) {
        const QString name = action->objectName();
        if (name == QLatin1String("export-png") || name == QLatin1String("copy-picture"))
            action->setVisible(picture);
        else if (name == QLatin1String("export-svg"))
            action->setVisible(vector);
        else if (!action->isSeparator())
            action->setVisible(table);
    }
}

void ExportButton::addActionsTo(QMenu& target) const { target.addActions(menu()->actions()); }

} // namespace tamis::views
