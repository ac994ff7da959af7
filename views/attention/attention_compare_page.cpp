// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_compare_page.h"

#include "views/attention/attention_frontier.h"
#include "views/attention/attention_words.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {

AttentionComparePage::AttentionComparePage(QWidget* parent)
    : QWidget(parent), m_chart(new AttentionFrontier(this)), m_state(mutedLabel(this, QStringLiteral("attentionCompareState"))), m_point(inkedLabel(this, QStringLiteral("attentionPoint"), Ink::Text))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    m_error = labelledCombo(this, row, tr("&Upwards"), QStringLiteral("attentionError"), tr("What is lost, or left of the model"));
    for (const auto error : {AttentionError::Output, AttentionError::Map, AttentionError::Kl, AttentionError::Cosine, AttentionError::Agreement, AttentionError::Top1, AttentionError::Perplexity})
        m_error->addItem(attentionErrorTitle(error), static_cast<int>(error));
    m_cost = labelledCombo(this, row, tr("To the &right"), QStringLiteral("attentionCost"), tr("What it costs"));
    for (const auto cost : {AttentionCost::Macs, AttentionCost::Scratch, AttentionCost::Latency})
        m_cost->addItem(attentionCostTitle(cost), static_cast<int>(cost));
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(m_state, 1);
    m_compare = new QPushButton(themedIcon(QStringLiteral("compare")), tr("Compare methods"), this);
    m_compare->setObjectName(QStringLiteral("compareAttention"));
    row->addWidget(m_compare);
    auto* exports = new ExportButton(this);
    exports->setObjectName(QStringLiteral("exportAttentionFrontier"));
    exports->copyFrom(*m_chart);
    row->addWidget(exports);
    column->addLayout(row);
    column->addWidget(m_chart, 1);
    m_point->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_point->setWordWrap(true);
    column->addWidget(m_point);
    connect(m_error, &QComboBox::currentIndexChanged, this, [this] { m_chart->setError(static_cast<AttentionError>(m_error->currentData().toInt())); });
    connect(m_cost, &QComboBox::currentIndexChanged, this, [this] { m_chart->setCost(static_cast<AttentionCost>(m_cost->currentData().toInt())); });
    connect(m_compare, &QPushButton::clicked, this, &AttentionComparePage::compareRequested);
    connect(m_chart, &AttentionFrontier::pointActivated, this, [this](int index) {
        m_chart->setChosen(index);
        m_point->setText(m_chart->hoverLines().join(QStringLiteral(" · ")));
        emit pointActivated(index);
    });
    connect(m_chart, &AttentionFrontier::pointTaken, this, &AttentionComparePage::pointTaken);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_chart, format, QStringLiteral("attention-methods")); });
    setDisabledReason({});
    setComparison(nullptr);
}

void AttentionComparePage::setComparison(std::shared_ptr<const report::AttentionComparison> comparison)
{
    m_comparison = std::move(comparison);
    m_chart->setComparison(m_comparison);
    if (m_chart->chosen() < 0)
        m_point->setText(m_comparison ? tr("Click a point to read it; double-click it, or press Enter, to take its setting.") : QString());
    showState();
}

void AttentionComparePage::setRunning(bool running)
{
    m_running = running;
    m_chart->setEmptyText(running ? tr("Points appear here as they are measured.") : tr("Compare methods to see what cheaper attention costs."));
    showState();
}

void AttentionComparePage::setDisabledReason(const QString& reason)
{
    m_compare->setEnabled(reason.isEmpty());
    m_compare->setToolTip(reason.isEmpty() ? tr("Every method at several of its settings, and the trivial operators, on the same samples, with measured latency") : tr("Not now: %1").arg(reason));
}

void AttentionComparePage::showState()
{
    m_state->clear();
    m_state->setToolTip({});
    if (!m_comparison)
        return;
    const auto done = m_comparison->points.size();
    QString text = m_running                      ? tr("%1 of %2 points").arg(done).arg(m_comparison->planned)
                   : done < m_comparison->planned ? tr("%1 of %2 points, stopped").arg(done).arg(m_comparison->planned)
                                                  : tr("%1 points").arg(done);
    QStringList reasons;
    for (const auto& point : m_comparison->points)
        if (!point.failure.empty())
            reasons << words(point.title + ", " + point.settings + ": " + point.failure);
    if (!reasons.isEmpty())
        text += tr(", %1 left out").arg(reasons.size());
    for (const auto& warning : m_comparison->warnings)
        reasons << words(warning);
    m_state->setText(text);
    m_state->setToolTip(reasons.join(QLatin1Char('\n')));
}

} // namespace tamis::views
