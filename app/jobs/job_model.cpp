// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/job_model.h"

#include "views/common/number_format.h"

namespace tamis::app {
namespace {
constexpr double kShowAfterSeconds = 0.15;

bool showsProgress(const Job& job)
{
    return job.isOver() || (job.state == JobState::Running && job.elapsedSeconds >= kShowAfterSeconds);
}
} // namespace

JobModel::JobModel(JobQueue& queue, QObject* parent)
    : QAbstractTableModel(parent), m_queue(queue), m_rows(static_cast<int>(queue.jobs().size()))
{
    connect(&queue, &JobQueue::jobAdded, this, [this](int row) {
        beginInsertRows({}, row, row);
        m_rows = row + 1;
        endInsertRows();
    });
    connect(&queue, &JobQueue::jobChanged, this, [this](int row) {
        if (row < m_rows) // another listener may have removed it
            emit dataChanged(index(row, 0), index(row, ColumnCount - 1));
    });
    connect(&queue, &JobQueue::jobAboutToBeRemoved, this, [this](int row) { beginRemoveRows({}, row, row); });
    connect(&queue, &JobQueue::jobRemoved, this, [this] {
        --m_rows;
        endRemoveRows();
    });
}

int JobModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : m_rows; }
int JobModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : ColumnCount; }

QVariant JobModel::data(const QModelIndex& index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid))
        return {};
    const Job& job = m_queue.jobs()[static_cast<std::size_t>(index.row())];
    if (role == kFractionRole)
        return index.column() == Progress && showsProgress(job) ? QVariant(job.fraction) : QVariant();
    if (role == kActiveRole)
        return !job.isOver();
    if (role == Qt::ToolTipRole)
        return job.log.isEmpty() ? job.message : job.log.join(QLatin1Char('\n'));
    if (role != Qt::DisplayRole)
        return {};
    switch (index.column()) {
    case Title: return job.title;
    case State: return jobStateName(job.state);
    case Progress: return showsProgress(job) ? job.label : QString();
    case Elapsed: return job.state == JobState::Queued ? QString() : views::formatDuration(job.elapsedSeconds);
    case Remaining:
        return job.state == JobState::Running && job.remainingSeconds >= 0 ? views::formatDuration(job.remainingSeconds) : QString();
    case Message: return job.message;
    }
    return {};
}

QVariant JobModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole)
        return {};
    switch (section) {
    case Title: return tr("Job");
    case State: return tr("State");
    case Progress: return tr("Progress");
    case Elapsed: return tr("Elapsed");
    case Remaining: return tr("Remaining");
    case Message: return tr("Result");
    }
    return {};
}

} // namespace tamis::app
