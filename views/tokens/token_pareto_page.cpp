// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_pareto_page.h"

#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/tokens/token_pareto_chart.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {

TokenParetoPage::TokenParetoPage(QWidget* parent)
    : QWidget(parent), m_chart(new TokenParetoChart(this)), m_state(mutedLabel(this, QStringLiteral("tokenCompareState"))), m_even(mutedLabel(this, QStringLiteral("tokenBreakEven")))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    m_quality = labelledCombo(this, row, tr("&Upwards"), QStringLiteral("tokenQuality"), tr("What is left of the model, or what was gained"));
    for (const auto quality : {TokenQuality::Agreement, TokenQuality::Top1, TokenQuality::Kl, TokenQuality::SpeedUp})
        m_quality->addItem(tokenQualityTitle(quality), static_cast<int>(quality));
    m_cost = labelledCombo(this, row, tr("To the &right"), QStringLiteral("tokenCost"), tr("What it costs"));
    for (const auto cost : {TokenCost::Macs, TokenCost::Latency, TokenCost::Tokens})
        m_cost->addItem(tokenCostTitle(cost), static_cast<int>(cost));
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(m_state, 1);
    m_compare = new QPushButton(themedIcon(QStringLiteral("compare")), tr("Compare methods"), this);
    m_compare->setObjectName(QStringLiteral("compareTokens"));
    row->addWidget(m_compare);
    auto* exports = new ExportButton(this);
    exports->setObjectName(QStringLiteral("exportTokenPareto"));
    exports->copyFrom(*m_chart);
    row->addWidget(exports);
    column->addLayout(row);
    column->addWidget(m_chart, 1);
    m_even->setWordWrap(true);
    column->addWidget(m_even);
    connect(m_quality, &QComboBox::currentIndexChanged, this, [this] { m_chart->setQuality(static_cast<TokenQuality>(m_quality->currentData().toInt())); });
    connect(m_cost, &QComboBox::currentIndexChanged, this, [this] { m_chart->setCost(static_cast<TokenCost>(m_cost->currentData().toInt())); });
    connect(m_compare, &QPushButton::clicked, this, &TokenParetoPage::compareRequested);
    connect(m_chart, &TokenParetoChart::pointActivated, this, &TokenParetoPage::pointActivated);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_chart, format, QStringLiteral("token-methods")); });
    setDisabledReason({});
    setComparison(nullptr);
}

void TokenParetoPage::setComparison(std::shared_ptr<const report::TokenComparison> comparison)
{
    m_comparison = std::move(comparison);
    m_chart->setComparison(m_comparison);
    showState();
    showBreakEven();
}

void TokenParetoPage::setRunning(bool running)
{
    m_running = running;
    m_chart->setEmptyText(running ? tr("Points appear here as they are measured.") : tr("Compare methods to see what fewer tokens cost."));
    showState();
}

void TokenParetoPage::setDisabledReason(const QString& reason)
{
    m_compare->setEnabled(reason.isEmpty());
    m_compare->setToolTip(reason.isEmpty() ? tr("Every method that needs no training, at several of its settings, on the same photos, with measured latency") : tr("Not now: %1").arg(reason));
}

void TokenParetoPage::showState()
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
            reasons << QString::fromStdString(point.title + ", " + point.settings + ": " + point.failure);
    if (!reasons.isEmpty())
        text += tr(", %1 failed").arg(reasons.size());
    if (!m_comparison->warnings.empty())
        text += tr(", %1 photos left out").arg(m_comparison->warnings.size());
    for (const auto& warning : m_comparison->warnings)
        reasons << QString::fromStdString(warning);
    m_state->setText(text);
    m_state->setToolTip(reasons.join(QLatin1Char('\n')));
}

/// Fewer MACs are no gain until the measured time says so.
void TokenParetoPage::showBreakEven()
{
    QStringList titles, parts;
    if (m_comparison)
        for (std::size_t i = 1; i < m_comparison->points.size(); ++i)
            if (const QString title = QString::fromStdString(m_comparison->points[i].title); !titles.contains(title) && std::isfinite(m_comparison->points[i].latencyMs))
                titles << title;
    for (const QString& title : titles) {
        const double even = tokenBreakEven(*m_comparison, title.toStdString());
        const double whole = tokenCostOf(TokenCost::Macs, m_comparison->points.front());
        parts << (!std::isfinite(even) ? tr("%1: never").arg(title) : even >= whole ? tr("%1: at every setting").arg(title) : tr("%1: below %2 MACs").arg(title, formatCount(even)));
    }
    m_even->setText(parts.isEmpty() ? QString() : tr("Measured faster than the whole model — %1").arg(parts.join(QStringLiteral(" · "))));
    m_even->setVisible(!parts.isEmpty());
}

} // namespace tamis::views
