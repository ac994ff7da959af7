// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/preconditioner_page.h"

#include "views/common/chart_figure.h"
#include "views/common/ink.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QListWidget>
#include <QPixmap>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include <set>
#include <vector>

namespace tamis::views {
namespace {
constexpr std::size_t kFirstCurves = 4;
} // namespace

PreconditionerPage::PreconditionerPage(QWidget* parent)
    : QWidget(parent), m_settings(new QWidget(this)), m_matrix(new QComboBox(this)), m_chart(new LineChart(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    auto* label = new QLabel(tr("&Matrix"), this);
    label->setBuddy(m_matrix);
    m_matrix->setObjectName(QStringLiteral("preconditionerMatrix"));
    m_matrix->setAccessibleName(tr("Matrix"));
    m_matrix->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    auto* words = mutedLabel(this, QStringLiteral("preconditionerWords"));
    words->setText(tr("What W is multiplied by before its SVD decides what its truncation loses."));
    words->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(label);
    row->addWidget(m_matrix);
    row->addSpacing(Theme::kSpacing);
    row->addWidget(words, 1);
    column->addLayout(row);
    m_chart->setObjectName(QStringLiteral("preconditionerChart"));
    m_chart->setAccessibleName(tr("Loss against rank under each preconditioner"));
    column->addWidget(m_chart, 1);
    buildSettings();
    connect(m_matrix, &QComboBox::activated, this, [this] { emit matrixChosen(matrix()); });
    onChartExport(m_chart, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("preconditioners")); });
    connect(&Theme::instance(), &Theme::changed, this, &PreconditionerPage::listCurves);
}

void PreconditionerPage::buildSettings()
{
    m_settings->setObjectName(QStringLiteral("preconditionerSettings"));
    m_settings->hide(); // until a dock takes it
    auto* column = new QVBoxLayout(m_settings);
    column->setContentsMargins(0, 0, 0, 0);
    m_curves = new QListWidget(m_settings);
    m_curves->setObjectName(QStringLiteral("preconditionerCurves"));
    m_curves->setAccessibleName(tr("Preconditioners to draw"));
    m_curves->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* title = new QLabel(tr("&Preconditioners"), m_settings);
    title->setBuddy(m_curves);
    m_heldOut = new QCheckBox(tr("Held-out loss, dashed"), m_settings);
    m_heldOut->setObjectName(QStringLiteral("preconditionerHeldOut"));
    m_heldOut->setToolTip(tr("The same factors on rows that they were not made from"));
    m_heldOut->setChecked(true);
    m_logarithmic = new QCheckBox(tr("Logarithmic loss"), m_settings);
    m_logarithmic->setObjectName(QStringLiteral("preconditionerLogarithmic"));
    m_logarithmic->setToolTip(tr("Losses far apart on one axis"));
    m_logarithmic->setChecked(true);
    column->addWidget(title);
    column->addWidget(m_curves, 1);
    column->addWidget(m_heldOut);
    column->addWidget(m_logarithmic);
    connect(m_curves, &QListWidget::itemChanged, this, [this] {
        if (!m_showing)
            draw();
    });
    for (auto* box : {m_heldOut, m_logarithmic})
        connect(box, &QCheckBox::toggled, this, &PreconditionerPage::draw);
}

void PreconditionerPage::setMatrices(const QStringList& names)
{
    QStringList shown;
    for (int at = 0; at < m_matrix->count(); ++at)
        shown << m_matrix->itemText(at);
    if (shown == names)
        return;
    const QString before = matrix();
    const QSignalBlocker quiet(m_matrix);
    m_matrix->clear();
    m_matrix->addItems(names);
    m_matrix->setCurrentIndex(std::max(names.isEmpty() ? -1 : 0, m_matrix->findText(before)));
}

void PreconditionerPage::setMatrix(const QString& name)
{
    const QSignalBlocker quiet(m_matrix);
    if (const int at = m_matrix->findText(name); at >= 0)
        m_matrix->setCurrentIndex(at);
}

QString PreconditionerPage::matrix() const { return m_matrix->currentText(); }
void PreconditionerPage::setEmptyText(const QString& text) { m_chart->setEmptyText(text); }
void PreconditionerPage::setStale(bool stale) { m_chart->setStale(stale); }
void PreconditionerPage::setRank(std::optional<double> rank) { m_chart->setCursor(rank, rank ? tr("rank %1").arg(*rank) : QString()); }

void PreconditionerPage::setFigure(const std::optional<report::MethodFigure>& figure, const QString& caption)
{
    m_figure = figure;
    m_chart->setCaption(caption);
    listCurves();
    draw();
}

void PreconditionerPage::listCurves()
{
    std::set<QString> hidden;
    if (m_curves->count() == 0 && m_figure) { // at first as many as a legend has room for, spread over the list
        std::vector<QString> solid;
        for (const auto& series : m_figure->series)
            if (!series.dashed)
                solid.push_back(QString::fromStdString(series.name));
        hidden.insert(solid.begin(), solid.end());
        for (std::size_t i = 0; i < kFirstCurves && !solid.empty(); ++i)
            hidden.erase(solid[i * (solid.size() - 1) / (kFirstCurves - 1)]);
    }
    for (int at = 0; at < m_curves->count(); ++at)
        if (m_curves->item(at)->checkState() == Qt::Unchecked)
            hidden.insert(m_curves->item(at)->text());
    m_showing = true;
    m_curves->clear();
    for (std::size_t at = 0; m_figure && at < m_figure->series.size(); ++at) {
        const auto& series = m_figure->series[at];
        if (series.dashed)
            continue;
        auto* item = new QListWidgetItem(QString::fromStdString(series.name), m_curves);
        item->setSizeHint({0, m_curves->fontMetrics().height() + Theme::kSpacing}); // room for the box
        QPixmap chip(10, 10);
        chip.fill(series.baseline ? Theme::instance().color(Ink::Baseline) : Theme::instance().seriesColor(series.group >= 0 ? series.group : static_cast<int>(at)));
        item->setIcon(chip);
        item->setToolTip(item->text());
        item->setFlags(Qt::ItemIsUserCheckable | Qt::ItemIsSelectable | Qt::ItemIsEnabled);
        item->setCheckState(hidden.count(item->text()) ? Qt::Unchecked : Qt::Checked);
    }
    m_showing = false;
}

void PreconditionerPage::draw()
{
    std::vector<report::Series> series;
    if (m_figure) {
        std::set<int> groups; ///< that are drawn
        std::set<QString> names;
        for (int at = 0; at < m_curves->count(); ++at)
            if (m_curves->item(at)->checkState() == Qt::Checked)
                names.insert(m_curves->item(at)->text());
        for (std::size_t at = 0; at < m_figure->series.size(); ++at) {
            report::Series one = m_figure->series[at];
            if (one.group < 0)
                one.group = static_cast<int>(at); // its colour does not depend on what else is drawn
            const bool drawn = one.dashed ? m_heldOut->isChecked() && groups.count(one.group) : names.count(QString::fromStdString(one.name)) > 0;
            if (!drawn)
                continue;
            if (one.dashed)
                one.name = tr("held-out").toStdString(); // of the curve before it, in its colour
            else
                groups.insert(one.group);
            series.push_back(std::move(one));
        }
        m_chart->setAxes({.xTitle = QString::fromStdString(m_figure->xTitle), .yTitle = QString::fromStdString(m_figure->yTitle), .logX = m_figure->logX, .logY = m_logarithmic->isChecked()});
    }
    m_chart->setSeries(series);
}

} // namespace tamis::views
