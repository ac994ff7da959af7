// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the pages that show a table over charts share.
#include <QList>
#include <QObject>
#include <QScopedValueRollback>

class QLabel;
class QSplitter;
class QStackedWidget;

namespace tamis::views {

class CopyableTableView;
class InlineBarDelegate;
class PlaceholderPanel;

/// Lays a page out: the reason while there is nothing to show; else a line of words over the table, which says of what it is and
/// whether of older settings, over the charts. Tells which rows the user selects. All widgets are the page's; GUI thread.
class ResultLayout : public QObject {
    Q_OBJECT
public:
    struct Parts {
        QStackedWidget* pages;
        PlaceholderPanel* empty;
        CopyableTableView* table; ///< with its source model
        QString stateName, staleName; ///< object names of the labels made here
    };
    ResultLayout(QWidget* page, const Parts& parts); ///< `page` has no layout yet

    /// The lower part; stretch factors and first heights of the table and the charts.
    void addCharts(QWidget* charts, int tableStretch, int chartStretch, const QList<int>& heights);
    void setColumn(int column, int width, bool bar); ///< at least as wide as its header; a bar behind its numbers
    void showResult(bool any);                        ///< or why there is none
    QLabel* state() const { return m_state; }
    QLabel* stale() const { return m_stale; }

    void select(const QList<int>& sourceRows, bool scroll); ///< without a signal; -1 is passed over
    [[nodiscard]] QScopedValueRollback<bool> quiet() { return QScopedValueRollback<bool>(m_quiet, true); } ///< no signal while it lives

signals:
    void rowsSelected(const QList<int>& sourceRows); ///< by the user

private:
    Parts m_parts;
    QSplitter* m_rows;
    InlineBarDelegate* m_bars;
    QLabel *m_state, *m_stale;
    bool m_quiet = false;
};

} // namespace tamis::views
