// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QAbstractItemModel;
class QLabel;
class QPushButton;
class QTableView;
class QStackedLayout;

namespace tamis::views {

/// Shows any table model of jobs with the columns title, state, progress, elapsed, remaining, message. Cancel (button or
/// Delete) asks for the selected active rows, without a selection for the first active one.
class JobsView : public QWidget {
    Q_OBJECT
public:
    enum Column { TitleColumn, StateColumn, ProgressColumn, ElapsedColumn, RemainingColumn, MessageColumn, kColumnCount };
    enum Role {
        kProgressRole = Qt::UserRole + 1, ///< on ProgressColumn: double in [0, 1]; NaN or invalid: not known
        kActiveRole                       ///< bool on any column: waiting or running, can be cancelled; invalid: perhaps
    };

    explicit JobsView(QWidget* parent = nullptr);
    void setModel(QAbstractItemModel* model); ///< not owned
    QTableView* view() const { return m_view; }

signals:
    void cancelRequested(int row); ///< of the model
    void clearFinishedRequested();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void refresh();
    void cancelSelected();
    bool isActive(int row) const;

    QTableView* m_view;
    QPushButton *m_cancel, *m_clear;
    QLabel* m_summary;
    QStackedLayout* m_stack;
};

} // namespace tamis::views
