// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/pareto_page.h"

#include "views/common/labelled_combo.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_pareto_chart.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {

ParetoPage::ParetoPage(QWidget* parent) : QWidget(parent), m_chart(new EncoderParetoChart(this)), m_state(mutedLabel(this, QStringLiteral("encoderCompareState")))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    m_loss = labelledCombo(this, row, tr("&Found"), QStringLiteral("paretoLoss"), tr("What the chart has to the right"));
    for (const auto loss : {EncoderLoss::Recall, EncoderLoss::RecallP5, EncoderLoss::FvuIncrease, EncoderLoss::LossIncrease})
        m_loss->addItem(encoderLossTitle(loss), static_cast<int>(loss));
    m_speed = labelledCombo(this, row, tr("&Speed"), QStringLiteral("paretoSpeed"), tr("What the chart has upwards"));
    for (const auto speed : {EncoderSpeed::Tokens64, EncoderSpeed::Tokens8, EncoderSpeed::Tokens1, EncoderSpeed::Macs, EncoderSpeed::BytesRead})
        m_speed->addItem(encoderSpeedTitle(speed), static_cast<int>(speed));
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(m_state, 1);
    m_measure = new QPushButton(tr("Measure losses"), this);
    m_measure->setObjectName(QStringLiteral("measureLosses"));
    row->addWidget(m_measure);
    m_compare = new QPushButton(themedIcon(QStringLiteral("compare")), tr("Compare encoders"), this);
    m_compare->setObjectName(QStringLiteral("compareEncoders"));
    row->addWidget(m_compare);
    auto* exports = new ExportButton(this);
    exports->setObjectName(QStringLiteral("exportEncoderPareto"));
    exports->copyFrom(*m_chart);
    row->addWidget(exports);
    column->addLayout(row);
    m_note = mutedLabel(this, QStringLiteral("encoderLossNote"));
    m_note->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    column->addWidget(m_note);
    column->addWidget(m_chart, 1);
    connect(m_loss, &QComboBox::currentIndexChanged, this, [this] {
        m_chart->setLoss(static_cast<EncoderLoss>(m_loss->currentData().toInt()));
        showEmpty();
    });
    connect(m_measure, &QPushButton::clicked, this, &ParetoPage::lossRequested);
    connect(m_speed, &QComboBox::currentIndexChanged, this, [this] { m_chart->setSpeed(static_cast<EncoderSpeed>(m_speed->currentData().toInt())); });
    connect(m_compare, &QPushButton::clicked, this, &ParetoPage::compareRequested);
    connect(m_chart, &EncoderParetoChart::pointActivated, this, &ParetoPage::pointActivated);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_chart, format, QStringLiteral("encoders")); });
    setDisabledReason({});
    setLossState({}, false, {});
    showState();
}

void ParetoPage::setLossState(const QString& reason, bool measuring, const QString& note)
{
    m_lossReason = reason;
    m_measuring = measuring;
    m_measure->setEnabled(reason.isEmpty());
    m_measure->setToolTip(reason.isEmpty() ? tr("Runs the open model with every point's encoder in place, and with the exact one") : tr("Not now: %1").arg(reason));
    m_note->setText(note);
    m_note->setToolTip(note);
    m_note->setVisible(!note.isEmpty());
    showEmpty();
}

/// What the chart says while it has no point.
void ParetoPage::showEmpty()
{
    if (m_running || m_measuring)
        m_chart->setEmptyText(tr("Points appear here as they are measured."));
    else if (m_chart->loss() != EncoderLoss::LossIncrease || !m_comparison)
        m_chart->setEmptyText(tr("Compare encoders to see what recall costs."));
    else
        m_chart->setEmptyText(m_lossReason.isEmpty() ? tr("The model's loss was not measured yet: press Measure losses.") : tr("The model's loss cannot be measured: %1.").arg(m_lossReason));
}

void ParetoPage::setComparison(std::shared_ptr<const report::EncoderComparison> comparison)
{
    m_comparison = std::move(comparison);
    m_chart->setComparison(m_comparison);
    showEmpty();
    showState();
}

void ParetoPage::setCurrent(const std::optional<report::EncoderPoint>& point) { m_chart->setCurrent(point); }

void ParetoPage::setRunning(bool running)
{
    m_running = running;
    showEmpty();
    showState();
}

void ParetoPage::setDisabledReason(const QString& reason)
{
    m_compare->setEnabled(reason.isEmpty());
    m_compare->setToolTip(reason.isEmpty() ? tr("Every method that needs no training, at several of its settings, measured on the same tokens") : tr("Not now: %1").arg(reason));
}

void ParetoPage::showState()
{
    QString text;
    if (m_comparison) {
        const auto done = m_comparison->points.size();
        text = m_running                        ? tr("%1 of %2 points").arg(done).arg(m_comparison->planned)
               : done < m_comparison->planned   ? tr("%1 of %2 points, stopped").arg(done).arg(m_comparison->planned)
                                                : tr("%1 points").arg(done);
        if (const auto failed = std::ranges::count_if(m_comparison->points, [](const auto& point) { return !point.failure.empty(); }); failed > 0) {
            text += tr(", %1 failed").arg(failed);
            QStringList reasons;
            for (const auto& point : m_comparison->points)
                if (!point.failure.empty())
                    reasons << QString::fromStdString(point.title + ", " + point.settings + ": " + point.failure);
            m_state->setToolTip(reasons.join(QLatin1Char('\n')));
        } else {
            m_state->setToolTip({});
        }
    }
    m_state->setText(text);
}

} // namespace tamis::views
