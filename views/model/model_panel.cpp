// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/model_panel.h"

#include "views/common/copyable_table_view.h"
#include "views/common/elided_label.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"
#include "views/model/activation_statistics_view.h"
#include "views/model/cost_table.h"
#include "views/model/evaluation_view.h"
#include "views/model/layer_chain.h"
#include "views/model/roofline_plot.h"
#include "views/model/roofline_view.h"

#include <QComboBox>
#include <QDataStream>
#include <QEvent>
#include <QHBoxLayout>
#include <QIODevice>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QSplitter>
#include <QTabWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kManyBlocks = 8; ///< from here on like blocks stand as one
} // namespace

ModelPanel::ModelPanel(QWidget* parent)
    : QWidget(parent), m_chain(new LayerChain(this)), m_costs(new CostTable(this)), m_roofline(new RooflineView(this)),
      m_activations(new ActivationStatisticsView(this)), m_evaluation(new EvaluationView(this)),
      m_empty(new PlaceholderPanel(QStringLiteral("model"), tr("No model is open"), tr("Open a directory with config.json and weights to see its layers and what they cost."), this)),
      m_rows(new QSplitter(Qt::Vertical, this)), m_tabs(new PageTabs(this))
{
    setObjectName(QStringLiteral("modelPanel"));
    m_empty->setObjectName(QStringLiteral("modelEmpty"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    column->addWidget(buildActions());
    auto* top = new QWidget(m_rows);
    auto* topColumn = new QVBoxLayout(top);
    topColumn->setContentsMargins(0, 0, 0, 0);
    topColumn->setSpacing(Theme::kSpacing / 2);
    topColumn->addWidget(buildChainBar());
    topColumn->addWidget(m_chain, 1);
    m_rows->addWidget(top);
    m_tabs->setObjectName(QStringLiteral("modelTabs"));
    m_tabs->setDocumentMode(true);
    m_tabs->addTab(m_costs, tr("Costs"));
    m_tabs->addTab(m_roofline, tr("Roofline"));
    m_tabs->addTab(m_activations, tr("Activations"));
    m_tabs->addTab(m_evaluation, tr("Evaluation"));
    m_rows->addWidget(m_tabs);
    m_rows->setCollapsible(0, true); // the tables may want all the height
    m_rows->setCollapsible(1, false);
    m_rows->setHandleWidth(Theme::kSpacing);
    m_rows->setStretchFactor(0, 1);
    m_rows->setStretchFactor(1, 1);
    m_rows->setSizes({300, 300});
    column->addWidget(m_rows, 1);
    column->addWidget(m_empty, 1);
    connectParts();
    setReport(nullptr);
    setRunning({});
}

QWidget* ModelPanel::buildActions()
{
    auto* bar = new QWidget(this);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    m_title = new QLabel(bar);
    m_title->setObjectName(QStringLiteral("modelTitle"));
    QFont strong = m_title->font();
    strong.setWeight(QFont::DemiBold);
    m_title->setFont(strong);
    m_summary = new ElidedLabel(bar, QStringLiteral("modelSummary"), Ink::MutedText);
    m_running = new QLabel(bar);
    m_running->setObjectName(QStringLiteral("modelRunning"));
    setInk(m_running, Ink::MutedText);
    row->addWidget(m_title);
    row->addWidget(m_summary, 1);
    row->addWidget(m_running);
    const auto button = [&](const QString& name, const QString& text, const QString& icon, const QString& help) {
        auto* made = new QPushButton(themedIcon(icon), text, bar);
        made->setObjectName(name);
        made->setToolTip(help);
        made->setProperty("help", help);
        row->addWidget(made);
        return made;
    };
    m_evaluate = button(QStringLiteral("evaluateModel"), tr("Evaluate…"), QStringLiteral("run"), tr("Accuracy or perplexity, and how far the compressed model is from the dense one"));
    m_capture = button(QStringLiteral("captureModel"), tr("Capture…"), QStringLiteral("calibration"), tr("Run inputs through the model and keep the second moments of what enters every linear operator"));
    m_latencies = button(QStringLiteral("measureModel"), tr("Measure latencies"), QStringLiteral("jobs"), tr("Time every layer on this machine"));
    m_stop = button(QStringLiteral("stopModel"), tr("Stop"), QStringLiteral("stop"), tr("Stop what is running; what is finished stays"));
    return bar;
}

QWidget* ModelPanel::buildChainBar()
{
    auto* bar = new QWidget(this);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    const auto named = [&](const QString& text, QWidget* control) {
        auto* label = new QLabel(text, bar);
        label->setBuddy(control);
        setInk(label, Ink::MutedText);
        row->addWidget(label);
        row->addWidget(control);
        control->setAccessibleName(text);
    };
    m_measure = new QComboBox(bar);
    m_measure->setObjectName(QStringLiteral("chainMeasure"));
    m_measure->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    for (const LayerMeasure measure : kLayerMeasures)
        m_measure->addItem(measureTitle(measure), static_cast<int>(measure));
    m_measure->setCurrentIndex(m_measure->findData(static_cast<int>(m_chain->measure())));
    m_folding = new QComboBox(bar);
    m_folding->setObjectName(QStringLiteral("chainFolding"));
    m_folding->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_folding->addItem(tr("Every layer"), static_cast<int>(ChainFolding::Expanded));
    m_folding->addItem(tr("Like blocks as one"), static_cast<int>(ChainFolding::Repeated));
    m_folding->addItem(tr("Folded"), static_cast<int>(ChainFolding::Folded));
    m_tokens = new QSpinBox(bar);
    m_tokens->setObjectName(QStringLiteral("modelTokens"));
    m_tokens->setKeyboardTracking(false);
    m_tokens->setRange(1, 1'048'576);
    m_batch = new QSpinBox(bar);
    m_batch->setObjectName(QStringLiteral("modelBatch"));
    m_batch->setKeyboardTracking(false);
    m_batch->setRange(1, 4096);
    named(tr("Bars"), m_measure);
    named(tr("Blocks"), m_folding);
    row->addSpacing(Theme::kSpacing);
    named(tr("Tokens"), m_tokens);
    named(tr("Batch"), m_batch);
    row->addStretch(1);
    m_warnings = new QLabel(bar);
    m_warnings->setObjectName(QStringLiteral("modelWarnings"));
    setInk(m_warnings, Ink::Warning);
    row->addWidget(m_warnings);
    auto* exports = new ExportButton(bar);
    exports->setObjectName(QStringLiteral("exportChain"));
    row->addWidget(exports);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_chain, format, QStringLiteral("layers")); });
    exports->copyFrom(*m_chain);
    return bar;
}

void ModelPanel::connectParts()
{
    connect(m_evaluate, &QPushButton::clicked, this, &ModelPanel::evaluateRequested);
    connect(m_capture, &QPushButton::clicked, this, &ModelPanel::captureRequested);
    connect(m_latencies, &QPushButton::clicked, this, &ModelPanel::measureRequested);
    connect(m_stop, &QPushButton::clicked, this, &ModelPanel::stopRequested);
    connect(m_activations, &ActivationStatisticsView::captureRequested, m_capture, &QPushButton::click);
    connect(m_evaluation, &EvaluationView::evaluateRequested, m_evaluate, &QPushButton::click);
    connect(m_measure, &QComboBox::currentIndexChanged, this, [this] { m_chain->setMeasure(static_cast<LayerMeasure>(m_measure->currentData().toInt())); });
    connect(m_folding, &QComboBox::currentIndexChanged, this, [this] { m_chain->setFolding(static_cast<ChainFolding>(m_folding->currentData().toInt())); });
    for (auto* box : {m_tokens, m_batch})
        connect(box, &QSpinBox::valueChanged, this, [this] { emit shapeEdited(m_tokens->value(), m_batch->value()); });
    connect(m_chain, &LayerChain::selectionChanged, this, [this](const QStringList& names) { select(names, m_chain); });
    connect(m_costs, &CostTable::selectionChanged, this, [this](const QStringList& names) { select(names, m_costs); });
    connect(m_roofline, &RooflineView::selectionChanged, this, [this](const QStringList& names) { select(names, m_roofline); });
    connect(m_activations, &ActivationStatisticsView::selectionChanged, this, [this](const QStringList& names) { select(names, m_activations); });
    connect(m_evaluation, &EvaluationView::blockSelected, this, [this](int block, int head) {
        QStringList names;
        if (m_report)
            for (const auto& l : m_report->layers)
                if (l.block == block && (head < 0 || l.kind == "attention"))
                    names << QString::fromStdString(l.name);
        select(names, m_evaluation);
    });
    connect(m_roofline, &RooflineView::ceilingsEdited, this, &ModelPanel::ceilingsEdited);
    connect(m_roofline, &RooflineView::measureMachineRequested, this, &ModelPanel::measureMachineRequested);
    connect(m_roofline, &RooflineView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_roofline->plot(), format, QStringLiteral("roofline")); });
    connect(m_costs->view(), &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_costs->view(), format, QStringLiteral("costs")); });
    connect(m_activations, &ActivationStatisticsView::exportRequested, this, &ModelPanel::exportRequested);
    connect(m_evaluation, &EvaluationView::exportRequested, this, &ModelPanel::exportRequested);
}

void ModelPanel::select(const QStringList& names, QObject* by)
{
    m_selection = names;
    if (by != m_chain)
        m_chain->setSelection(names);
    if (by != m_costs)
        m_costs->setSelection(names);
    if (by != m_roofline)
        m_roofline->plot()->setSelection(names);
    if (by != m_activations)
        m_activations->setSelection(names);
    if (by != m_evaluation) {
        int block = -1;
        if (m_report && !names.isEmpty())
            for (const auto& l : m_report->layers)
                if (QString::fromStdString(l.name) == names.first())
                    block = l.block;
        m_evaluation->setSelectedBlock(block);
    }
    if (by)
        emit selectionChanged(names);
}

void ModelPanel::setSelection(const QStringList& names)
{
    if (names != m_selection)
        select(names, nullptr);
}

void ModelPanel::setReport(std::shared_ptr<const report::ModelCostReport> report)
{
    const bool other = !m_report || !report || m_report->family != report->family || m_report->layers.size() != report->layers.size();
    m_report = std::move(report);
    if (m_report && other) {
        int blocks = 0;
        for (const auto& l : m_report->layers)
            blocks = std::max(blocks, l.block + 1);
        m_folding->setCurrentIndex(m_folding->findData(static_cast<int>(blocks > kManyBlocks ? ChainFolding::Repeated : ChainFolding::Expanded)));
    }
    m_chain->setReport(m_report);
    m_costs->setReport(m_report);
    m_roofline->setReport(m_report);
    m_chain->setCaption(m_report ? m_roofline->plot()->figureCaption() : QString());
    m_rows->setVisible(m_report != nullptr);
    m_empty->setVisible(m_report == nullptr);
    if (!m_report)
        m_selection.clear();
    else
        select(m_chain->selection(), nullptr);
    showSummary();
}

void ModelPanel::showSummary()
{
    if (!m_report) {
        m_title->clear();
        m_summary->clear();
        m_warnings->clear();
        return;
    }
    const auto& r = *m_report;
    m_title->setText(QString::fromStdString(r.architecture.empty() ? r.family : r.architecture));
    QStringList parts{tr("%1 parameters").arg(formatCount(static_cast<double>(r.parameters))), tr("%1 MACs a sample").arg(formatCount(static_cast<double>(r.macs))),
                      tr("%1 weights").arg(formatBytes(static_cast<double>(r.weightBytes))),
                      tr("peak activations %1").arg(formatBytes(static_cast<double>(r.peakActivationBytes)))};
    if (r.keyValueCacheBytes > 0)
        parts << tr("KV cache %1").arg(formatBytes(static_cast<double>(r.keyValueCacheBytes)));
    if (std::isfinite(r.measuredMs))
        parts << tr("%1 measured").arg(formatMilliseconds(r.measuredMs));
    else if (std::isfinite(r.predictedMs))
        parts << tr("%1 predicted").arg(formatMilliseconds(r.predictedMs));
    const QString whole = parts.join(QStringLiteral(" · "));
    m_summary->setText(whole);
    m_summary->setToolTip(r.peakAt.empty() ? whole : whole + QLatin1Char('\n') + tr("The peak is at %1").arg(QString::fromStdString(r.peakAt)));
    QStringList warnings;
    for (const auto& warning : r.warnings)
        warnings << QString::fromStdString(warning);
    m_warnings->setText(warnings.isEmpty() ? QString() : warnings.size() == 1 ? tr("1 warning") : tr("%1 warnings").arg(warnings.size()));
    m_warnings->setToolTip(warnings.join(QLatin1Char('\n')));
}

void ModelPanel::setEvaluation(std::shared_ptr<const report::EvaluationReport> report) { m_evaluation->setReport(std::move(report)); }

void ModelPanel::setActivations(std::vector<report::ActivationStatistics> statistics, const QString& inputs)
{
    m_activations->setStatistics(std::move(statistics), inputs);
}

void ModelPanel::setPresets(const std::vector<report::Ceilings>& presets) { m_roofline->setPresets(presets); }

void ModelPanel::setEmptyState(const QString& title, const QString& text)
{
    m_empty->setTitle(title);
    m_empty->setText(text);
}

void ModelPanel::setDisabledReasons(const QString& evaluate, const QString& capture, const QString& measure)
{
    const auto set = [](QPushButton* button, const QString& reason) {
        button->setEnabled(reason.isEmpty());
        button->setToolTip(reason.isEmpty() ? button->property("help").toString() : reason);
    };
    set(m_evaluate, evaluate);
    set(m_capture, capture);
    set(m_latencies, measure);
}

void ModelPanel::setRunning(const QString& what)
{
    m_running->setText(what.isEmpty() ? QString() : what + QStringLiteral("…"));
    m_stop->setVisible(!what.isEmpty());
}

void ModelPanel::setStale(bool stale) { m_evaluation->setStale(stale); }

void ModelPanel::setTokensRange(int least, int most, int now)
{
    const QSignalBlocker quiet(m_tokens);
    m_tokens->setRange(least, most);
    m_tokens->setValue(now);
    m_tokens->setEnabled(least < most);
    m_tokens->setToolTip(least < most ? tr("Length of the text") : tr("The picture's size decides"));
}

void ModelPanel::showPage(QWidget* page) { m_tabs->setCurrentWidget(page); }

QByteArray ModelPanel::layoutState() const
{
    QByteArray state;
    QDataStream stream(&state, QIODevice::WriteOnly);
    stream.setVersion(QDataStream::Qt_6_4);
    stream << m_rows->saveState() << m_tabs->currentIndex();
    return state;
}

bool ModelPanel::restoreLayoutState(const QByteArray& state)
{
    QDataStream stream(state);
    stream.setVersion(QDataStream::Qt_6_4);
    QByteArray rows;
    int tab = 0;
    stream >> rows >> tab;
    if (stream.status() != QDataStream::Ok || !m_rows->restoreState(rows))
        return false;
    m_tabs->setCurrentIndex(std::clamp(tab, 0, m_tabs->count() - 1));
    return true;
}

} // namespace tamis::views
