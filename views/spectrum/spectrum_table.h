// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"

#include <QStringList>
#include <QWidget>

#include <memory>

class QComboBox;
class QLabel;
class QLineEdit;
class QSortFilterProxyModel;

namespace tamis::views {

class CopyableTableView;
class SpectrumTableModel;

/// The table of matrices with its filters. Selection and current matrix survive new values, sorting and filtering.
class SpectrumTable : public QWidget {
    Q_OBJECT
public:
    explicit SpectrumTable(QWidget* parent = nullptr);

    void setReport(std::shared_ptr<const report::SpectrumReport> report);
    void setBudget(std::shared_ptr<const report::BudgetReport> budget);
    void setCaption(const QString& settings);
    /// Selects these and no others, without a signal. The first becomes current unless the current one is among them.
    void setSelection(const QStringList& names);
    QStringList selection() const; ///< in the order of the report; hidden rows are not selected
    QString current() const;       ///< empty: none
    SpectrumTableModel* model() const { return m_model; }
    CopyableTableView* view() const { return m_view; }

signals:
    void selectionChanged(const QStringList& names);
    void currentChanged(const QString& name);
    void rankEdited(const QString& name, qlonglong rank);
    void rankCleared(const QString& name);
    void lockToggled(const QString& name, bool locked);

private:
    void buildView();
    void fillRoles();
    void filter();
    void showMenu(const QPoint& position);
    void selectWhere(bool sameRole);
    QString nameAt(const QModelIndex& viewIndex) const;
    QModelIndex viewIndexOf(const QString& name) const; ///< invalid: unknown or filtered out

    SpectrumTableModel* m_model;
    QSortFilterProxyModel* m_filter;
    CopyableTableView* m_view;
    QLineEdit* m_text;
    QComboBox* m_role;
    QLabel* m_count;
    bool m_quiet = false;
    QString m_announced; ///< current matrix last told
};

} // namespace tamis::views
