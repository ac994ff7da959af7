// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/length_page.h"

#include "views/attention/attention_words.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSplitter>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {

LengthPage::LengthPage(QWidget* parent)
    : QWidget(parent), m_time(new LengthChart(this)), m_memory(new LengthChart(this)), m_state(mutedLabel(this, QStringLiteral("lengthState"))),
      m_crossovers(inkedLabel(this, QStringLiteral("lengthCrossovers"), Ink::Text))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    m_beside = labelledCombo(this, row, tr("&Below the times"), QStringLiteral("lengthMeasure"), tr("What the second chart shows"));
    for (const auto measure : {LengthMeasure::Scratch, LengthMeasure::Macs, LengthMeasure::Read})
        m_beside->addItem(lengthMeasureTitle(measure), static_cast<int>(measure));
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(m_state, 1);
    m_measure = new QPushButton(themedIcon(QStringLiteral("run")), tr("Measure lengths"), this);
    m_measure->setObjectName(QStringLiteral("measureLengths"));
    row->addWidget(m_measure);
    column->addLayout(row);
    auto* split = new QSplitter(Qt::Vertical, this);
    split->setObjectName(QStringLiteral("lengthSplit"));
    split->setChildrenCollapsible(false);
    const auto boxed = [&](LengthChart* chart, const QString& name, const QString& file) {
        auto* box = new QWidget(split);
        auto* inner = new QHBoxLayout(box);
        inner->setContentsMargins(0, 0, 0, 0);
        inner->addWidget(chart, 1);
        auto* exports = new ExportButton(box);
        exports->setObjectName(name);
        exports->copyFrom(*chart);
        inner->addWidget(exports, 0, Qt::AlignTop);
        connect(exports, &ExportButton::exportRequested, this, [this, chart, file](FigureFormat format) { emit exportRequested(chart, format, file); });
        split->addWidget(box);
    };
    boxed(m_time, QStringLiteral("exportLengthTime"), QStringLiteral("attention-time"));
    m_memory->setObjectName(QStringLiteral("lengthMemory"));
    m_memory->setMeasure(LengthMeasure::Scratch);
    boxed(m_memory, QStringLiteral("exportLengthMemory"), QStringLiteral("attention-memory"));
    split->setSizes({600, 400});
    column->addWidget(split, 1);
    m_crossovers->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_crossovers->setWordWrap(true);
    column->addWidget(m_crossovers);
    connect(m_beside, &QComboBox::currentIndexChanged, this, [this] { m_memory->setMeasure(static_cast<LengthMeasure>(m_beside->currentData().toInt())); });
    connect(m_measure, &QPushButton::clicked, this, &LengthPage::measureRequested);
    setDisabledReason({});
    setCurves(nullptr);
}

void LengthPage::setCurves(std::shared_ptr<const CostCurves> curves)
{
    m_curves = std::move(curves);
    m_time->setCurves(m_curves);
    m_memory->setCurves(m_curves);
    showState();
}

void LengthPage::setRunning(bool running)
{
    m_running = running;
    for (LengthChart* chart : {m_time, m_memory})
        chart->setEmptyText(running ? tr("Curves appear here once all lengths are measured.") : tr("Measure lengths to see from how many tokens on a method is faster."));
    showState();
}

void LengthPage::setDisabledReason(const QString& reason)
{
    m_measure->setEnabled(reason.isEmpty());
    m_measure->setToolTip(reason.isEmpty() ? tr("The attention of one block, exact and by the method of the settings, from 64 to 16384 tokens") : tr("Not now: %1").arg(reason));
}

void LengthPage::setCaption(const QString& settings)
{
    m_time->setCaption(settings);
    m_memory->setCaption(settings);
}

/// What was left out, and why; from how many tokens on each is faster, or that it is not.
void LengthPage::showState()
{
    QStringList left, faster;
    if (m_curves)
        for (const auto& curve : *m_curves) {
            const QString title = curve.method.empty() ? tr("exact") : words(curve.title);
            for (const auto& row : curve.rows)
                if (!row.failure.empty())
                    left << tr("%1 at %2 tokens: %3").arg(title).arg(row.tokens).arg(words(row.failure));
            if (curve.method.empty())
                continue;
            const auto said = [](double tokens) { return std::isfinite(tokens) ? tr("from %1 tokens on").arg(std::llround(tokens)) : tr("nowhere in this range"); };
            faster << tr("%1 is faster than exact %2 as measured, %3 as predicted").arg(title, said(curve.measuredCrossover), said(curve.predictedCrossover));
        }
    m_state->setText(m_running ? tr("measuring…") : left.isEmpty() ? QString() : tr("%1 sizes left out").arg(left.size()));
    m_state->setToolTip(left.join(QLatin1Char('\n')));
    m_crossovers->setText(faster.join(QStringLiteral(" · ")));
}

} // namespace tamis::views
