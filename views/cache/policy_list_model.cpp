// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/policy_list_model.h"

namespace tamis::views {

void PolicyListModel::setPolicies(const std::vector<OfferedPolicy>& policies)
{
    beginResetModel();
    m_policies = policies;
    m_ticked.assign(policies.size(), false);
    for (std::size_t i = 0; i < policies.size(); ++i)
        m_ticked[i] = policies[i].limit;
    endResetModel();
}

void PolicyListModel::setTicked(const QStringList& ids)
{
    for (std::size_t i = 0; i < m_policies.size(); ++i) {
        const bool now = m_policies[i].limit || ids.contains(m_policies[i].id);
        if (now == m_ticked[i])
            continue;
        m_ticked[i] = now;
        const QModelIndex at = index(static_cast<int>(i));
        emit dataChanged(at, at, {Qt::CheckStateRole});
    }
}

QStringList PolicyListModel::ticked() const
{
    QStringList ids;
    for (std::size_t i = 0; i < m_policies.size(); ++i)
        if (m_ticked[i])
            ids << m_policies[i].id;
    return ids;
}

QModelIndex PolicyListModel::indexOf(const QString& id) const
{
    for (std::size_t i = 0; i < m_policies.size(); ++i)
        if (m_policies[i].id == id)
            return index(static_cast<int>(i));
    return {};
}

int PolicyListModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_policies.size()); }

QVariant PolicyListModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount())
        return {};
    const auto row = static_cast<std::size_t>(index.row());
    const OfferedPolicy& policy = m_policies[row];
    switch (role) {
    case Qt::DisplayRole:
    case Qt::AccessibleTextRole: return policy.title;
    case Qt::CheckStateRole: return m_ticked[row] ? Qt::Checked : Qt::Unchecked;
    case Qt::ToolTipRole: return policy.warning.isEmpty() ? policy.reference : policy.reference + QLatin1Char('\n') + policy.warning;
    case IdRole: return policy.id;
    default: return {};
    }
}

bool PolicyListModel::setData(const QModelIndex& index, const QVariant& value, int role)
{
    if (!index.isValid() || role != Qt::CheckStateRole || m_policies[static_cast<std::size_t>(index.row())].limit)
        return false;
    const bool now = value.toInt() == Qt::Checked;
    if (m_ticked[static_cast<std::size_t>(index.row())] == now)
        return true;
    m_ticked[static_cast<std::size_t>(index.row())] = now;
    emit dataChanged(index, index, {Qt::CheckStateRole});
    emit tickedEdited(ticked());
    return true;
}

Qt::ItemFlags PolicyListModel::flags(const QModelIndex& index) const
{
    if (!index.isValid())
        return Qt::NoItemFlags;
    const Qt::ItemFlags all = Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemNeverHasChildren;
    return m_policies[static_cast<std::size_t>(index.row())].limit ? all : all | Qt::ItemIsUserCheckable;
}

} // namespace tamis::views
