// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/roofline_view.h"

#include "views/common/figure_export.h"
#include "views/common/theme.h"
#include "views/model/roofline_plot.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {
namespace {
constexpr int kOwn = -1; ///< item of numbers typed in

bool sameCeilings(const report::Ceilings& a, const report::Ceilings& b)
{
    return std::abs(a.gflops - b.gflops) < 0.05 && std::abs(a.gigabytesPerSecond - b.gigabytesPerSecond) < 0.05; // what the boxes can show
}
} // namespace

RooflineView::RooflineView(QWidget* parent)
    : QWidget(parent), m_plot(new RooflinePlot(this)), m_preset(new QComboBox(this)), m_gflops(new QDoubleSpinBox(this)),
      m_bandwidth(new QDoubleSpinBox(this)), m_measure(new QPushButton(tr("Measure this machine"), this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->setSpacing(Theme::kSpacing);
    m_preset->setObjectName(QStringLiteral("ceilingsPreset"));
    m_preset->setAccessibleName(tr("Machine"));
    m_preset->setToolTip(tr("Whose ceilings are drawn"));
    m_preset->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    const auto number = [&](QDoubleSpinBox* box, const QString& name, const QString& unit, const QString& help) {
        box->setObjectName(name);
        box->setRange(0.1, 1e7);
        box->setDecimals(1);
        box->setSuffix(QStringLiteral(" ") + unit);
        box->setStepType(QAbstractSpinBox::AdaptiveDecimalStepType);
        box->setKeyboardTracking(false);
        box->setToolTip(help);
        box->setAccessibleName(help);
        connect(box, &QDoubleSpinBox::valueChanged, this, &RooflineView::numbersEdited);
    };
    number(m_gflops, QStringLiteral("ceilingGflops"), QStringLiteral("GFLOP/s"), tr("Peak speed in float32, all cores"));
    number(m_bandwidth, QStringLiteral("ceilingBandwidth"), QStringLiteral("GB/s"), tr("Reading from memory, all cores"));
    m_measure->setObjectName(QStringLiteral("measureMachine"));
    m_measure->setToolTip(tr("A few seconds of matrix products and copies; nothing else should run"));
    auto* exports = new ExportButton(this);
    row->addWidget(new QLabel(tr("Ceilings"), this));
    row->addWidget(m_preset);
    row->addWidget(m_gflops);
    row->addWidget(m_bandwidth);
    row->addWidget(m_measure);
    row->addStretch(1);
    row->addWidget(exports);
    column->addLayout(row);
    column->addWidget(m_plot, 1);
    connect(m_preset, &QComboBox::activated, this, &RooflineView::presetChosen);
    connect(m_measure, &QPushButton::clicked, this, &RooflineView::measureMachineRequested);
    connect(m_plot, &RooflinePlot::selectionChanged, this, &RooflineView::selectionChanged);
    connect(exports, &ExportButton::exportRequested, this, &RooflineView::exportRequested);
    exports->copyFrom(*m_plot);
    setPresets({});
}

void RooflineView::setPresets(const std::vector<report::Ceilings>& presets)
{
    m_presets = presets;
    m_preset->clear();
    for (std::size_t i = 0; i < presets.size(); ++i)
        m_preset->addItem(QString::fromStdString(presets[i].name) + (presets[i].measured ? tr(" (measured)") : QString()), static_cast<int>(i));
    m_preset->addItem(tr("Own numbers"), kOwn);
    showCeilings(m_plot->ceilings());
}

void RooflineView::setReport(std::shared_ptr<const report::ModelCostReport> report)
{
    if (report)
        showCeilings(report->ceilings);
    m_plot->setReport(std::move(report));
}

void RooflineView::setMeasuring(bool measuring)
{
    m_measure->setEnabled(!measuring);
    m_measure->setText(measuring ? tr("Measuring…") : tr("Measure this machine"));
}

void RooflineView::showCeilings(const report::Ceilings& ceilings)
{
    m_quiet = true;
    if (ceilings.gflops > 0 && ceilings.gigabytesPerSecond > 0) {
        m_gflops->setValue(ceilings.gflops);
        m_bandwidth->setValue(ceilings.gigabytesPerSecond);
    }
    int known = m_preset->count() - 1;
    for (std::size_t i = m_presets.size(); i-- > 0;)
        if (sameCeilings(m_presets[i], ceilings))
            known = static_cast<int>(i);
    m_preset->setCurrentIndex(known);
    m_quiet = false;
    m_plot->setCeilings(ceilings);
}

void RooflineView::presetChosen(int index)
{
    const int chosen = m_preset->itemData(index).toInt();
    if (chosen == kOwn) {
        m_gflops->setFocus();
        return;
    }
    showCeilings(m_presets[static_cast<std::size_t>(chosen)]);
    emit ceilingsEdited(m_plot->ceilings());
}

void RooflineView::numbersEdited()
{
    if (m_quiet)
        return;
    showCeilings({.name = tr("Own numbers").toStdString(), .gflops = m_gflops->value(), .gigabytesPerSecond = m_bandwidth->value(), .measured = false});
    emit ceilingsEdited(m_plot->ceilings());
}

} // namespace tamis::views
