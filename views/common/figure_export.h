// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Writes figures. The caption is drawn under a picture and stands as "# " lines before a table, so that no exported file
// is separated from its settings. Writing is atomic: the old file stays until the new one is complete.
#include "views/common/figure.h"

#include <QImage>
#include <QToolButton>

#include <optional>

class QMenu;

namespace tamis::views {

/// nullopt: written. Otherwise one sentence for the user: what, where, why. PNG at twice the logical size.
std::optional<QString> writeFigure(const Figure& figure, FigureFormat format, const QString& path);

/// Any widget (a VTK view, a panel) as shown: PNG, or SVG with an embedded picture for what is no vector drawing. CSV is refused.
std::optional<QString> writeWidgetPicture(QWidget& widget, const QString& caption, FigureFormat format, const QString& path);

QImage figureImage(const Figure& figure, double devicePixelRatio = 2); ///< with caption
QString figureTable(const Figure& figure);                             ///< CSV text with "# " caption lines
void copyFigurePicture(const Figure& figure);                          ///< to the clipboard
void copyFigureTable(const Figure& figure);                            ///< to the clipboard, as figureTable
QString csvField(const QString& text);                                 ///< quoted where RFC 4180 asks for it

std::optional<FigureFormat> figureFormatOf(const QString& path); ///< by suffix
QString figureSuffix(FigureFormat format);                       ///< "png"
QString figureFilter(FigureFormat format);                       ///< for file dialogues: "PNG picture (*.png)"

/// "Export…" with a menu: PNG, SVG, CSV, copy picture, copy values. The owner chooses the path.
class ExportButton : public QToolButton {
    Q_OBJECT
public:
    explicit ExportButton(QWidget* parent = nullptr);
    void copyFrom(const Figure& figure); ///< its copy actions take this figure, which must live while they are used
    void setFormats(bool picture, bool vector, bool table);
    /// The same actions for a context menu; they emit this button's signals.
    void addActionsTo(QMenu& menu) const;

signals:
    void exportRequested(tamis::views::FigureFormat format);
    void copyPictureRequested();
    void copyTableRequested();
};

} // namespace tamis::views
