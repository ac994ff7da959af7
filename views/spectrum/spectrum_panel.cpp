// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/spectrum/spectrum_panel.h"

#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/spectrum/landscape_view.h"
#include "views/spectrum/matrix_card.h"
#include "views/spectrum/spectrum_table.h"
#include "views/spectrum/spectrum_table_model.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDataStream>
#include <QHBoxLayout>
#include <QIODevice>
#include <QScrollArea>
#include <QSplitter>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kCardWidth = 300; ///< device-independent pixels
} // namespace

SpectrumPanel::SpectrumPanel(QWidget* parent)
    : QWidget(parent), m_chart(new LineChart(this)), m_card(new MatrixCard(this)), m_landscape(new LandscapeView(this)),
      m_table(new SpectrumTable(this)), m_rows(new QSplitter(Qt::Vertical, this)), m_top(new QSplitter(Qt::Horizontal, m_rows)),
      m_bottom(new QSplitter(Qt::Horizontal, m_rows))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    column->addWidget(buildToolBar());
    auto* scroll = new QScrollArea(m_top);
    scroll->setWidget(m_card);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setMinimumWidth(kCardWidth);
    m_chart->setObjectName(QStringLiteral("spectrumChart"));
    m_chart->setAccessibleName(tr("Spectrum curves"));
    m_chart->setEmptyText(tr("Select a matrix in the table or in the workspace to see its spectrum."));
    m_chart->setMinimumSize(320, 180);
    m_top->addWidget(m_chart);
    m_top->addWidget(scroll);
    m_top->setStretchFactor(0, 1);
    m_top->setStretchFactor(1, 0);
    m_bottom->addWidget(m_table);
    m_bottom->addWidget(m_landscape);
    m_bottom->setStretchFactor(0, 3);
    m_bottom->setStretchFactor(1, 2);
    m_rows->addWidget(m_top);
    m_rows->addWidget(m_bottom);
    m_rows->setStretchFactor(0, 1);
    m_rows->setStretchFactor(1, 1);
    m_rows->setSizes({320, 300});
    for (auto* splitter : {m_rows, m_top, m_bottom}) {
        splitter->setChildrenCollapsible(false);
        splitter->setHandleWidth(Theme::kSpacing);
    }
    m_landscape->setMinimumSize(280, 160);
    m_table->setMinimumSize(280, 160);
    column->addWidget(m_rows, 1);
    connectParts();
    showAxes();
}

QWidget* SpectrumPanel::buildToolBar()
{
    auto* bar = new QWidget(this);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    m_curve = new QComboBox(bar);
    m_curve->setObjectName(QStringLiteral("curveCombo"));
    m_curve->setAccessibleName(tr("Curve"));
    m_curve->setToolTip(tr("What the chart shows of the selected matrices"));
    m_curve->addItem(tr("Relative loss over rank"), static_cast<int>(report::Curve::RelativeLoss));
    m_curve->addItem(tr("Loss over rank"), static_cast<int>(report::Curve::Loss));
    m_curve->addItem(tr("Cumulative energy"), static_cast<int>(report::Curve::CumulativeEnergy));
    m_curve->addItem(tr("Singular values"), static_cast<int>(report::Curve::SingularValues));
    row->addWidget(m_curve);
    const auto check = [&](const QString& name, const QString& text, const QString& help, bool on) {
        auto* box = new QCheckBox(text, bar);
        box->setObjectName(name);
        box->setToolTip(help);
        box->setChecked(on);
        row->addWidget(box);
        connect(box, &QCheckBox::toggled, this, &SpectrumPanel::optionEdited);
        return box;
    };
    m_logX = check(QStringLiteral("logX"), tr("log x"), tr("Logarithmic rank axis"), false);
    m_logY = check(QStringLiteral("logY"), tr("log y"), tr("Logarithmic value axis"), true);
    m_normalised = check(QStringLiteral("normalised"), tr("normalise"), tr("Singular values over the largest of each matrix"), false);
    m_heldOut = check(QStringLiteral("heldOut"), tr("held-out"), tr("Error on the held-out rows, dashed"), true);
    m_sample = check(QStringLiteral("sample"), tr("samples"), tr("Error measured on the sample rows, dashed"), false);
    m_baseline = check(QStringLiteral("baseline"), tr("plain SVD"), tr("What the plain SVD loses under the same calibration, dashed"), true);
    row->addStretch(1);
    connect(m_curve, &QComboBox::currentIndexChanged, this, &SpectrumPanel::optionEdited);
    return bar;
}

void SpectrumPanel::connectParts()
{
    connect(m_table, &SpectrumTable::selectionChanged, this, [this](const QStringList& names) {
        requestSeries();
        showCurrent();
        emit selectionChanged(names);
    });
    connect(m_table, &SpectrumTable::currentChanged, this, [this](const QString& name) {
        showCurrent();
        emit currentChanged(name);
    });
    connect(m_table, &SpectrumTable::rankEdited, this, &SpectrumPanel::rankEdited);
    connect(m_table, &SpectrumTable::rankCleared, this, &SpectrumPanel::rankCleared);
    connect(m_table, &SpectrumTable::lockToggled, this, &SpectrumPanel::lockToggled);
    connect(m_landscape, &LandscapeView::layerPicked, this, [this](int, const QString&, const QString& matrix) {
        setSelection({matrix});
        emit selectionChanged(selection());
        emit currentChanged(current());
    });
    connect(m_chart, &LineChart::cursorMoved, this, [this](double x, bool finished) {
        const auto* matrix = currentSpectrum();
        if (!matrix)
            return;
        m_dragging = !finished;
        const auto p = static_cast<double>(std::min(matrix->rows, matrix->cols));
        emit rankDragged(QString::fromStdString(matrix->name), std::llround(std::clamp(x, 1.0, std::max(p, 1.0))), finished);
        if (finished)
            showCursor();
    });
}

void SpectrumPanel::setReport(std::shared_ptr<const report::SpectrumReport> report)
{
    m_report = std::move(report);
    m_table->setReport(m_report);
    if (selection().isEmpty() && m_report) {
        const auto first = std::find_if(m_report->matrices.begin(), m_report->matrices.end(),
                                        [](const auto& m) { return m.compressible && !m.singularValues.empty(); });
        if (first != m_report->matrices.end()) {
            m_table->setSelection({QString::fromStdString(first->name)});
            emit selectionChanged(selection());
            emit currentChanged(current());
        }
    }
    showAxes();
    showCurrent();
    requestSeries();
}

void SpectrumPanel::setBudget(std::shared_ptr<const report::BudgetReport> budget)
{
    m_table->setBudget(std::move(budget));
    showCurrent();
}

void SpectrumPanel::setLandscape(std::shared_ptr<const report::Landscape> landscape)
{
    m_landscape->setLandscape(std::move(landscape));
    showCurrent();
}

void SpectrumPanel::setSeries(const std::vector<report::Series>& series, const report::SeriesOptions& options)
{
    if (!(options == this->options()))
        return;
    m_chart->setSeries(series);
    showCursor();
}

void SpectrumPanel::setStale(bool stale) { m_chart->setStale(stale); }

void SpectrumPanel::setCaption(const QString& settings)
{
    m_chart->setCaption(settings);
    m_table->setCaption(settings);
}

void SpectrumPanel::setSelection(const QStringList& names)
{
    if (names == selection())
        return;
    m_table->setSelection(names);
    showCurrent();
    requestSeries();
}

QStringList SpectrumPanel::selection() const { return m_table->selection(); }
QString SpectrumPanel::current() const { return m_table->current(); }

report::SeriesOptions SpectrumPanel::options() const
{
    return {.curve = static_cast<report::Curve>(m_curve->currentData().toInt()),
            .heldOut = m_heldOut->isChecked(),
            .sample = m_sample->isChecked(),
            .baseline = m_baseline->isChecked(),
            .normalised = m_normalised->isChecked()};
}

bool SpectrumPanel::logX() const { return m_logX->isChecked(); }
bool SpectrumPanel::logY() const { return m_logY->isChecked(); }

void SpectrumPanel::setOptions(const report::SeriesOptions& options, bool logX, bool logY)
{
    const bool others = !(options == this->options());
    m_quiet = true;
    m_curve->setCurrentIndex(m_curve->findData(static_cast<int>(options.curve)));
    m_heldOut->setChecked(options.heldOut);
    m_sample->setChecked(options.sample);
    m_baseline->setChecked(options.baseline);
    m_normalised->setChecked(options.normalised);
    m_logX->setChecked(logX);
    m_logY->setChecked(logY);
    m_quiet = false;
    showAxes();
    if (others)
        requestSeries();
}

void SpectrumPanel::optionEdited()
{
    if (m_quiet)
        return;
    showAxes();
    if (sender() != m_logX && sender() != m_logY)
        requestSeries();
    emit optionsChanged(options(), logX(), logY());
}

void SpectrumPanel::requestSeries()
{
    if (!m_quiet)
        emit seriesRequested(selection(), options());
}

void SpectrumPanel::showAxes()
{
    const auto chosen = options();
    const auto* matrix = currentSpectrum();
    const bool calibrated = matrix && matrix->tokens > 0;
    ChartAxes axes{.xTitle = tr("rank"), .logX = logX(), .logY = logY()};
    switch (chosen.curve) {
    case report::Curve::SingularValues:
        axes.xTitle = tr("index");
        axes.yTitle = chosen.normalised ? tr("singular value over the largest") : tr("singular value");
        break;
    case report::Curve::CumulativeEnergy: axes.yTitle = tr("energy kept"); break;
    case report::Curve::Loss: axes.yTitle = calibrated ? tr("squared error a token") : tr("squared error of the weights"); break;
    case report::Curve::RelativeLoss: axes.yTitle = tr("loss over that of rank 0"); break;
    }
    const bool losses = chosen.curve != report::Curve::SingularValues;
    m_normalised->setEnabled(!losses);
    for (auto* box : {m_heldOut, m_sample, m_baseline})
        box->setEnabled(losses);
    m_chart->setAxes(axes);
    showCursor();
}

const report::MatrixSpectrum* SpectrumPanel::currentSpectrum() const
{
    return m_table->model()->spectrum(m_table->model()->rowOf(m_table->current()));
}

void SpectrumPanel::showCursor()
{
    if (m_dragging)
        return; // the hand is on it
    const auto* matrix = currentSpectrum();
    const auto* chosen = m_table->model()->budget(m_table->model()->rowOf(m_table->current()));
    if (!matrix || !chosen || !matrix->compressible || matrix->singularValues.empty() || m_chart->series().empty()) {
        m_chart->setCursor({});
        return;
    }
    m_chart->setCursor(static_cast<double>(chosen->rank), chosen->dense ? tr("dense") : tr("rank %1").arg(chosen->rank));
}

void SpectrumPanel::showCurrent()
{
    auto* model = m_table->model();
    const int row = model->rowOf(m_table->current());
    m_card->setMatrix(model->spectrum(row), model->budget(row));
    m_landscape->setSelectedLayer(model->spectrum(row) ? model->spectrum(row)->layer : -1);
    showCursor();
}

QByteArray SpectrumPanel::layoutState() const
{
    QByteArray state;
    QDataStream stream(&state, QIODevice::WriteOnly);
    stream.setVersion(QDataStream::Qt_6_4);
    stream << m_rows->saveState() << m_top->saveState() << m_bottom->saveState();
    return state;
}

bool SpectrumPanel::restoreLayoutState(const QByteArray& state)
{
    QDataStream stream(state);
    stream.setVersion(QDataStream::Qt_6_4);
    QByteArray rows, top, bottom;
    stream >> rows >> top >> bottom;
    return stream.status() == QDataStream::Ok && m_rows->restoreState(rows) && m_top->restoreState(top) && m_bottom->restoreState(bottom);
}

} // namespace tamis::views
