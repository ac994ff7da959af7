// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/hierarchy/levels_page.h"

#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/ink.h"
#include "views/hierarchy/break_even_chart.h"
#include "views/hierarchy/level_chain.h"
#include "views/hierarchy/share_bars.h"
#include "views/hierarchy/time_words.h"

#include <QGridLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QStandardItemModel>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {
namespace {
constexpr int kHeadingPadding = 8; ///< pixels a side, of the style sheet
QString words(const std::string& text) { return QString::fromStdString(text); }

QString times(double factor) { return std::isfinite(factor) ? QObject::tr("%1 times").arg(formatNumber(factor, 3)) : QStringLiteral("–"); }

void addRow(QStandardItemModel& model, const QStringList& cells)
{
    QList<QStandardItem*> row;
    for (const QString& cell : cells) {
        auto* item = new QStandardItem(cell);
        item->setEditable(false);
        row << item;
    }
    model.appendRow(row);
}

CopyableTableView* tableOf(QStandardItemModel& model, const QString& name, QWidget* parent)
{
    auto* view = new CopyableTableView(parent);
    view->setObjectName(name);
    view->setSourceModel(&model);
    view->setSortingEnabled(false);
    view->verticalHeader()->hide();
    view->horizontalHeader()->setStretchLastSection(true);
    view->setMinimumHeight(110);
    return view;
}

/// As wide as the cells and the headings are: the header does not count the padding that the style sheet gives its sections.
void fitColumns(QTableView& table)
{
    table.resizeColumnsToContents();
    const QHeaderView& header = *table.horizontalHeader();
    for (int column = 0; column < header.count(); ++column) {
        const int heading = header.fontMetrics().horizontalAdvance(table.model()->headerData(column, Qt::Horizontal).toString()) + 2 * (kHeadingPadding + 1);
        table.setColumnWidth(column, std::max(table.columnWidth(column), heading));
    }
}
} // namespace

LevelsPage::LevelsPage(QWidget* parent)
    : QWidget(parent), m_summary(new QLabel(this)), m_problem(inkedLabel(this, QStringLiteral("levelsProblem"), Ink::Warning)), m_warnings(inkedLabel(this, QStringLiteral("levelsWarnings"), Ink::Warning)),
      m_chain(new LevelChain(this)), m_shares(new ShareBars(this)), m_breakEven(new BreakEvenChart(this)), m_prefetchModel(new QStandardItemModel(this)), m_typeModel(new QStandardItemModel(this)),
      m_prefetch(tableOf(*m_prefetchModel, QStringLiteral("levelsPrefetch"), this)), m_types(tableOf(*m_typeModel, QStringLiteral("levelsTypes"), this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kSpacing, Theme::kSpacing, Theme::kSpacing, Theme::kSpacing);
    m_summary->setObjectName(QStringLiteral("levelsSummary"));
    for (QLabel* label : {m_problem, m_summary, m_warnings}) {
        label->setWordWrap(true);
        label->setTextInteractionFlags(Qt::TextSelectableByMouse);
        column->addWidget(label);
    }
    m_chain->setAccessibleName(tr("Share of the reads that each level serves"));
    m_shares->setAccessibleName(tr("Where time and energy go"));
    m_breakEven->setAccessibleName(tr("Time of a hit against recomputing"));
    m_prefetch->setAccessibleName(tr("What fetching ahead is worth"));
    m_types->setAccessibleName(tr("What smaller types lose"));
    m_prefetch->setEmptyMessage(tr("Nothing is fetched ahead."));
    m_types->setEmptyMessage(tr("Types are measured on the features of frames."));
    column->addWidget(boxed(tr("Levels"), QStringLiteral("levels"), m_chain, m_chain));
    auto* grid = new QGridLayout;
    grid->setSpacing(Theme::kSpacing);
    grid->addWidget(boxed(tr("Where it goes"), QStringLiteral("shares"), m_shares, m_shares), 0, 0);
    grid->addWidget(boxed(tr("When a hit pays"), QStringLiteral("break-even"), m_breakEven, m_breakEven), 0, 1);
    grid->addWidget(boxed(tr("Fetched ahead"), QStringLiteral("prefetch"), m_prefetch, m_prefetch), 1, 0);
    m_typeBox = boxed(tr("What smaller types lose"), QStringLiteral("types"), m_types, m_types);
    grid->addWidget(m_typeBox, 1, 1);
    grid->setColumnStretch(0, 1);
    grid->setColumnStretch(1, 1);
    grid->setRowStretch(1, 1); // bars are as high as they are
    column->addLayout(grid, 1);
    setProblem({});
    setReport(nullptr);
}

QWidget* LevelsPage::boxed(const QString& title, const QString& name, QWidget* body, Figure* figure)
{
    auto* box = new QWidget(this);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    auto* head = new QHBoxLayout;
    head->addWidget(new QLabel(title, box), 1);
    auto* exports = new ExportButton(box);
    exports->setObjectName(QStringLiteral("export-") + name);
    exports->copyFrom(*figure);
    head->addWidget(exports);
    connect(exports, &ExportButton::exportRequested, this, [this, figure, name](FigureFormat format) { emit exportRequested(figure, format, name); });
    column->addLayout(head);
    column->addWidget(body, 1);
    return box;
}

void LevelsPage::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit shown();
}

void LevelsPage::setProblem(const QString& sentence)
{
    m_problem->setText(sentence);
    m_problem->setVisible(!sentence.isEmpty());
}

void LevelsPage::setReport(std::shared_ptr<const report::HierarchyReport> report)
{
    m_report = std::move(report);
    m_chain->setReport(m_report);
    showSummary();
    showShares();
    showBreakEven();
    showPrefetch();
    showTypes();
}

void LevelsPage::showSummary()
{
    QStringList warnings;
    QString text = tr("What levels of caches before recomputing save is shown here.");
    if (m_report) {
        const auto& r = *m_report;
        text = tr("%1: %2 reads%3 of %4 objects, %5; %6 of the reads are first ones. Average access %7, %8 as fast as recomputing all; energy %9 of it.")
                   .arg(words(r.source), formatCount(static_cast<double>(r.reads)), r.writeRequests > 0 ? tr(" and %1 writes").arg(formatCount(static_cast<double>(r.writeRequests))) : QString(),
                        formatCount(static_cast<double>(r.objects)), formatBytes(static_cast<double>(r.workingSet)), formatPercent(r.compulsory), formatNanoseconds(r.amat), times(r.speedUp), formatPercent(r.energyShare));
        if (!r.whole)
            text += QLatin1Char(' ') + tr("The first requests alone.");
        for (const auto& warning : r.warnings)
            warnings << words(warning);
    }
    m_summary->setText(text);
    m_warnings->setText(warnings.join(QLatin1Char('\n')));
    m_warnings->setVisible(!warnings.isEmpty());
}

void LevelsPage::showShares()
{
    std::vector<ShareBars::Row> rows;
    if (m_report) {
        ShareBars::Row time{tr("Time"), formatNanoseconds(m_report->totalNs), {}}, energy{tr("Energy"), formatPicojoules(m_report->totalPj), {}};
        for (std::size_t i = 0; i < m_report->levels.size(); ++i) {
            const auto& level = m_report->levels[i];
            time.parts.push_back({words(level.name), level.spentNs, static_cast<int>(i)});
            energy.parts.push_back({words(level.name), level.spentPj, static_cast<int>(i)});
        }
        time.parts.push_back({tr("waiting"), m_report->waitedNs, static_cast<int>(m_report->levels.size())});
        energy.parts.push_back({tr("waiting"), 0, static_cast<int>(m_report->levels.size())});
        time.parts.push_back({tr("recomputing"), m_report->recomputeNs, -1});
        energy.parts.push_back({tr("recomputing"), m_report->recomputePj, -1});
        rows = {time, energy};
    }
    m_shares->setRows(rows);
}

void LevelsPage::showBreakEven()
{
    std::vector<BreakEvenChart::Row> rows;
    if (m_report) {
        for (std::size_t i = 0; i < m_report->levels.size(); ++i)
            rows.push_back({tr("a hit in %1").arg(words(m_report->levels[i].name)), m_report->levels[i].hitNs, static_cast<int>(i)});
        rows.push_back({tr("average access"), m_report->amat, -1});
        rows.push_back({tr("pays from"), std::isfinite(m_report->breakEvenNs) ? m_report->breakEvenNs : 0, -1});
    }
    m_breakEven->setTimes(rows, m_report ? m_report->encodeNs : 0);
}

void LevelsPage::showPrefetch()
{
    m_prefetchModel->clear();
    m_prefetchModel->setHorizontalHeaderLabels({tr("fetched ahead"), tr("objects"), tr("share")});
    if (m_report && m_report->prefetch.kind != "none")
        addPrefetch(m_report->prefetch);
    fitColumns(*m_prefetch); // the headings stand also where nothing is fetched
}

void LevelsPage::addPrefetch(const report::PrefetchOutcome& p)
{
    const auto row = [&](const QString& name, std::uint64_t count, double share) { addRow(*m_prefetchModel, {name, formatCount(static_cast<double>(count)), formatPercent(share)}); };
    const auto part = [](std::uint64_t count, std::uint64_t of) { return of > 0 ? static_cast<double>(count) / static_cast<double>(of) : std::nan(""); };
    row(tr("named by the predictor"), p.asked, 1);
    row(tr("in the first level already"), p.redundant, part(p.redundant, p.asked));
    row(tr("in no level"), p.absent, part(p.absent, p.asked));
    row(tr("fetched"), p.issued, part(p.issued, p.asked));
    row(tr("used (accuracy)"), p.useful, p.accuracy);
    row(tr("misses spared (coverage)"), p.useful, p.coverage);
    row(tr("late"), p.late, p.lateness);
    row(tr("pushed out what was wanted before"), p.pollution, part(p.pollution, p.issued));
}

void LevelsPage::showTypes()
{
    m_typeModel->clear();
    m_typeModel->setHorizontalHeaderLabels({tr("stored as"), tr("bytes"), tr("relative error"), tr("KL of the output"), tr("same class")});
    if (m_report) {
        for (const auto& type : m_report->types)
            addRow(*m_typeModel, {words(type.type), QString::number(type.bytes), formatNumber(type.relativeError, 3), formatNumber(type.kl, 3), formatPercent(type.agreement)});
        if (!m_report->types.empty() && std::isfinite(m_report->reuseError))
            addRow(*m_typeModel, {tr("an earlier frame's"), {}, formatNumber(m_report->reuseError, 3), {}, {}});
    }
    fitColumns(*m_types);
    m_typeBox->setVisible(!m_report || !m_report->types.empty());
}

void LevelsPage::setStale(bool stale)
{
    for (QWidget* widget : {static_cast<QWidget*>(m_chain), static_cast<QWidget*>(m_shares), static_cast<QWidget*>(m_breakEven), static_cast<QWidget*>(m_prefetch), static_cast<QWidget*>(m_types)})
        widget->setEnabled(!stale);
}

void LevelsPage::setCaption(const QString& settings)
{
    m_chain->setCaption(settings);
    m_shares->setCaption(settings);
    m_breakEven->setCaption(settings);
    m_prefetch->setCaption(settings);
    m_types->setCaption(settings);
}

} // namespace tamis::views
