// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/cost_page.h"

#include "views/common/copyable_table_view.h"
#include "views/common/ink.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_cost_model.h"

#include <QHeaderView>
#include <QPlainTextEdit>
#include <QSplitter>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {

CostPage::CostPage(QWidget* parent)
    : QWidget(parent), m_model(new EncoderCostModel(this)), m_table(new CopyableTableView(this)), m_state(mutedLabel(this, QStringLiteral("costState"))),
      m_notices(new QPlainTextEdit(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    column->addWidget(m_state);
    auto* rows = new QSplitter(Qt::Vertical, this);
    rows->setChildrenCollapsible(false);
    rows->setHandleWidth(Theme::kSpacing);
    m_table->setObjectName(QStringLiteral("encoderCost"));
    m_table->setAccessibleName(tr("Cost of the encoder, predicted and measured"));
    m_table->setSourceModel(m_model);
    m_table->setSortingEnabled(false); // in the order in which one reads them
    m_table->sortByColumn(-1, Qt::AscendingOrder);
    m_table->setEmptyMessage(tr("Nothing measured yet."));
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[EncoderCostModel::kColumnCount] = {28, 16, 16, 24, 24};
    for (int at = 0; at < EncoderCostModel::kColumnCount; ++at)
        m_table->setColumnWidth(at, std::max(widths[at] * digit, m_table->horizontalHeader()->sectionSizeHint(at)));
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("encoder-cost")); });
    rows->addWidget(m_table);
    m_notices->setObjectName(QStringLiteral("encoderNotices"));
    m_notices->setAccessibleName(tr("Notices of the method"));
    m_notices->setReadOnly(true);
    m_notices->setPlaceholderText(tr("The method had nothing to remark."));
    rows->addWidget(m_notices);
    rows->setSizes({420, 160});
    column->addWidget(rows, 1);
    setReport(nullptr);
}

void CostPage::setReport(std::shared_ptr<const report::EncoderReport> report)
{
    m_model->setReport(report);
    QStringList lines;
    QString state;
    if (report) {
        for (const auto& warning : report->warnings)
            lines << QString::fromStdString(warning);
        for (const auto& note : report->notes)
            lines << QString::fromStdString(note);
        state = tr("built in %1").arg(report->buildSeconds < 60 ? formatMilliseconds(1000 * report->buildSeconds) : formatDuration(report->buildSeconds));
        if (report->latency.empty())
            state += tr(" · latency is measured once nothing changes");
    }
    m_state->setText(state);
    if (const QString all = lines.join(QLatin1Char('\n')); m_notices->toPlainText() != all)
        m_notices->setPlainText(all);
}

void CostPage::setCaption(const QString& settings)
{
    m_table->setCaption(settings);
}

} // namespace tamis::views
