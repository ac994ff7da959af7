// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"

#include <QAbstractTableModel>
#include <QStringList>

#include <vector>

namespace tamis::views {

/// The viewed head's errors above what the trivial operators make of the same heads. Answers kSortRole, kFractionRole and kToneRole.
class HeadErrorModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { OfColumn, MapColumn, OutputColumn, kColumnCount };
    struct Row {
        QString title, help;
        double map = report::kNotMeasured, output = report::kNotMeasured;
        bool trivial = false;
        bool operator==(const Row& other) const { return title == other.title && help == other.help && trivial == other.trivial; }
    };

    using QAbstractTableModel::QAbstractTableModel;
    /// `head`: the same head over all samples; null: not measured yet.
    void setErrors(const report::AttentionHeadView& view, const report::HeadComparison* head, const std::vector<report::TrivialErrors>& trivial, std::size_t samples);
    void clear();
    const std::vector<Row>& rows() const noexcept { return m_rows; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    void take(std::vector<Row> rows);
    std::vector<Row> m_rows;
    double m_most[2] = {1, 1}; ///< map, output
};

} // namespace tamis::views
