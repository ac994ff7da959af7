// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A small editable table of matrices: text, numbers with bars, a lock.
#include "views/common/inline_bar_delegate.h"

#include <QAbstractTableModel>

#include <cmath>
#include <vector>

namespace tamis::views {

class SampleTable : public QAbstractTableModel {
public:
    enum Column { kName, kParameters, kLoss, kLock, kColumnCount };
    struct Row {
        QString name;
        qulonglong parameters = 0;
        double loss = 0; ///< NaN: not known
        bool locked = false;
    };

    explicit SampleTable(std::vector<Row> rows) : m_rows(std::move(rows)) {}
    static std::vector<Row> matrices()
    {
        return {{QStringLiteral("blocks.0.attn.qkv"), 110592, 0.0312, false}, {QStringLiteral("blocks.0.attn.proj"), 36864, 0.0048, true},
                {QStringLiteral("blocks.0.mlp.fc1"), 147456, 0.271, false}, {QStringLiteral("blocks.0.mlp.fc2"), 147456, NAN, false},
                {QStringLiteral("head, \"top\""), 192, 1e-6, false}};
    }
    int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }
    int columnCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

    QVariant data(const QModelIndex& index, int role) const override
    {
        if (!index.isValid())
            return {};
        const Row& row = m_rows[static_cast<std::size_t>(index.row())];
        if (role == Qt::DisplayRole)
            switch (index.column()) {
            case kName: return row.name;
            case kParameters: return QStringLiteral("%1 k").arg(static_cast<double>(row.parameters) / 1000, 0, 'f', 1);
            case kLoss: return std::isnan(row.loss) ? QStringLiteral("–") : QString::number(row.loss, 'g', 3);
            default: return {};
            }
        if (role == kSortRole && index.column() == kParameters)
            return row.parameters;
        if (role == kSortRole && index.column() == kLoss)
            return row.loss;
        if (role == kSortRole && index.column() == kLock)
            return row.locked;
        if (role == kFractionRole && index.column() == kParameters)
            return static_cast<double>(row.parameters) / 147456;
        if (role == kFractionRole && index.column() == kLoss && !std::isnan(row.loss))
            return row.loss;
        if (role == Qt::CheckStateRole && index.column() == kLock)
            return row.locked ? Qt::Checked : Qt::Unchecked;
        return {};
    }
    bool setData(const QModelIndex& index, const QVariant& value, int role) override
    {
        if (!index.isValid() || role != Qt::CheckStateRole || index.column() != kLock)
            return false;
        m_rows[static_cast<std::size_t>(index.row())].locked = value.toInt() == Qt::Checked;
        emit dataChanged(index, index);
        return true;
    }
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override
    {
        if (role == Qt::TextAlignmentRole && (section == kParameters || section == kLoss))
            return QVariant(Qt::AlignRight | Qt::AlignVCenter);
        if (orientation != Qt::Horizontal || role != Qt::DisplayRole)
            return {};
        static const QStringList titles{QStringLiteral("Matrix"), QStringLiteral("Parameters"), QStringLiteral("Relative loss"),
                                        QStringLiteral("Lock")};
        return section >= 0 && section < titles.size() ? titles[section] : QVariant();
    }
    Qt::ItemFlags flags(const QModelIndex& index) const override
    {
        auto flags = QAbstractTableModel::flags(index);
        return index.column() == kLock ? flags | Qt::ItemIsUserCheckable : flags;
    }
    const std::vector<Row>& rows() const { return m_rows; }

private:
    std::vector<Row> m_rows;
};

} // namespace tamis::views
