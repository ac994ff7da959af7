// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/reuse/reuse_run_model.h"

#include "views/common/heading.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/reuse/reuse_words.h"

#include <QFont>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
using Model = ReuseRunModel;
constexpr Heading kHeadings[Model::kColumnCount] = {
    {QT_TRANSLATE_NOOP("ReuseRunModel", "Run"), QT_TRANSLATE_NOOP("ReuseRunModel", "The method and its settings; in italics what anyone could do without a method")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "MACs"), QT_TRANSLATE_NOOP("ReuseRunModel", "Multiply-adds over the sequence, of running every frame whole; with gate, motion search and all")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "Time"), QT_TRANSLATE_NOOP("ReuseRunModel", "Measured time over the sequence, of running every frame whole")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "Error"), QT_TRANSLATE_NOOP("ReuseRunModel", "Mean over the frames of the relative error of the pooled features against the model run whole")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "Worst"), QT_TRANSLATE_NOOP("ReuseRunModel", "The largest error of a frame")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "KL"), QT_TRANSLATE_NOOP("ReuseRunModel", "Mean KL of the outputs against the model run whole, nats")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "Same label"), QT_TRANSLATE_NOOP("ReuseRunModel", "Frames whose label is that of the model run whole")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "Drift"), QT_TRANSLATE_NOOP("ReuseRunModel", "Error in the last quarter of the stretches between key frames over that in the first; 1: none")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "Overhead"), QT_TRANSLATE_NOOP("ReuseRunModel", "Of the run's own multiply-adds: gates, motion search, warping, keys")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "Whole"), QT_TRANSLATE_NOOP("ReuseRunModel", "Frames that were computed whole")},
    {QT_TRANSLATE_NOOP("ReuseRunModel", "False hits"), QT_TRANSLATE_NOOP("ReuseRunModel", "Content keys: found, but of another content; of all that were looked up. Not measured where frames of a model without classes were found: nothing says whether those are alike")}};

bool isShare(int column) { return column == Model::MacsColumn || column == Model::TimeColumn || column == Model::AgreementColumn || column == Model::OverheadColumn || column == Model::FalseColumn; }
bool hasBar(int column) { return column == Model::MacsColumn || column == Model::TimeColumn || column == Model::MeanColumn || column == Model::WorstColumn; }
} // namespace

double runValue(const report::ReuseRun& run, int column)
{
    const auto looked = static_cast<double>(run.hits + run.misses); // false hits are among the hits
    switch (column) {
    case Model::MacsColumn: return run.macsShare;
    case Model::TimeColumn: return run.timeShare;
    case Model::MeanColumn: return run.meanError;
    case Model::WorstColumn: return run.worstError;
    case Model::KlColumn: return run.meanKl;
    case Model::AgreementColumn: return run.agreement;
    case Model::DriftColumn: return run.drift;
    case Model::OverheadColumn: return run.overheadShare;
    case Model::WholeColumn: return run.failure.empty() ? run.computedWhole : report::kNotMeasured;
    case Model::FalseColumn: return looked > 0 && run.falseHitsMeasured ? static_cast<double>(run.falseHits) / looked : report::kNotMeasured;
    default: return report::kNotMeasured;
    }
}

void Model::setRuns(std::shared_ptr<const ShownRuns> runs)
{
    const auto title = [](const std::shared_ptr<const report::ReuseRun>& run) { return runTitle(*run); };
    const bool same = m_runs && runs && std::ranges::equal(m_runs->runs, runs->runs, {}, title, title);
    if (!same)
        beginResetModel();
    m_runs = std::move(runs);
    for (int column = 0; column < kColumnCount; ++column) {
        m_most[column] = 0;
        for (int row = 0; row < rowCount(); ++row)
            if (const double value = runValue(*run(row), column); std::isfinite(value))
                m_most[column] = std::max(m_most[column], value);
    }
    m_most[MeanColumn] = m_most[WorstColumn] = std::max(m_most[MeanColumn], m_most[WorstColumn]); // bars that compare
    m_most[MacsColumn] = m_most[TimeColumn] = std::max(m_most[MacsColumn], 1.0); // of all frames whole; a slower run has a full bar
    if (!same)
        endResetModel();
    else if (rowCount() > 0)
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumnCount - 1));
}

const report::ReuseRun* Model::run(int row) const { return m_runs ? m_runs->run(row) : nullptr; }
int Model::rowCount(const QModelIndex& parent) const { return parent.isValid() || !m_runs ? 0 : m_runs->count(); }
int Model::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(kColumnCount); }

QString Model::shown(const report::ReuseRun& run, int column) const
{
    if (column == RunColumn)
        return runTitle(run);
    if (column == FalseColumn && !run.falseHitsMeasured)
        return tr("not measured");
    const double value = runValue(run, column);
    return !std::isfinite(value) ? QStringLiteral("–") : isShare(column) ? formatPercent(value) : column == WholeColumn ? QString::number(run.computedWhole) : formatNumber(value, 3);
}

QVariant Model::data(const QModelIndex& at, int role) const
{
    const auto* of = at.isValid() ? run(at.row()) : nullptr;
    if (!of)
        return {};
    const int column = at.column();
    switch (role) {
    case Qt::DisplayRole: return shown(*of, column);
    case Qt::TextAlignmentRole: return static_cast<int>((column == RunColumn ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case Qt::ToolTipRole:
        if (!of->failure.empty())
            return tr("%1: %2").arg(runTitle(*of), words(of->failure));
        return column == RunColumn ? QStringLiteral("%1 (%2)").arg(runTitle(*of), words(of->method)) : tr("%1: %2").arg(runTitle(*of), tr(kHeadings[column].help));
    case Qt::FontRole: {
        QFont font;
        font.setItalic(of->trivial);
        font.setBold(at.row() == 0 && !of->trivial);
        return font;
    }
    case kSortRole: {
        if (column == RunColumn)
            return runTitle(*of);
        const double value = runValue(*of, column);
        return std::isfinite(value) ? QVariant(value) : QVariant();
    }
    case kFractionRole:
        if (const double value = runValue(*of, column); hasBar(column) && std::isfinite(value) && m_most[column] > 0)
            return std::clamp(value / m_most[column], 0.0, 1.0);
        return {};
    default: return {};
    }
}

QVariant Model::headerData(int section, Qt::Orientation orientation, int role) const
{
    const char* text = headingText(kHeadings, section, orientation, role);
    return text ? QVariant(tr(text)) : QVariant();
}

} // namespace tamis::views
