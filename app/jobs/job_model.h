// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_queue.h"

#include <QAbstractTableModel>

namespace tamis::app {

/// A JobQueue as a table, in the columns and roles that views::JobsView shows. Progress appears only for work over 150 ms.
class JobModel : public QAbstractTableModel
{
    Q_OBJECT
public:
    enum Column { Title, State, Progress, Elapsed, Remaining, Message, ColumnCount };
    static constexpr int kFractionRole = Qt::UserRole + 1; ///< on Progress: 0..1 for a bar; invalid: none to show
    static constexpr int kActiveRole = Qt::UserRole + 2;   ///< bool: waiting or running, can be cancelled

    explicit JobModel(JobQueue& queue, QObject* parent = nullptr); ///< the queue must outlive the model
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

private:
    JobQueue& m_queue;
    int m_rows = 0;
};

} // namespace tamis::app
