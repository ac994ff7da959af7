// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A table that sorts, copies, hides columns and exports.
#include "views/common/figure.h"

#include <QTableView>

class QSortFilterProxyModel;

namespace tamis::views {

class CopyableTableView : public QTableView, public Figure {
    Q_OBJECT
public:
    explicit CopyableTableView(QWidget* parent = nullptr);

    /// The view sorts it through its own proxy by kSortRole (DisplayRole where that is missing). Not owned.
    void setSourceModel(QAbstractItemModel* model);
    QSortFilterProxyModel* proxy() const { return m_proxy; }
    QModelIndex toSource(const QModelIndex& viewIndex) const;
    QModelIndex fromSource(const QModelIndex& sourceIndex) const;
    void setEmptyMessage(const QString& message);
    void setCaption(const QString& settings);

    QString selectionAsTsv(bool withHeader = false) const; ///< bounding box of the selection, hidden columns left out
    void copySelection() const;                            ///< Ctrl+C

    QSize figureSize() const override; ///< whole table, all rows up to kFigureRows
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< visible columns, shown order, kSortRole for numbers
    QString figureCaption() const override;
    static constexpr int kFigureRows = 200;

signals:
    void exportRequested(tamis::views::FigureFormat format);
    /// Rows of the source model, ascending, after each change of the selection by the user or by code.
    void selectedRowsChanged(const QList<int>& sourceRows);

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void showHeaderMenu(const QPoint& position);
    void showContextMenu(const QPoint& position);
    void emitSelectedRows();
    QList<int> visibleColumns() const; ///< logical indices in shown order
    QSortFilterProxyModel* m_proxy;
    QString m_emptyMessage;
    QString m_caption;
};

} // namespace tamis::views
