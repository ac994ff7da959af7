// SPDX-License-Identifier: GPL-3.0-or-later
// What AttentionPanel is made of, and how its parts are tied together.
#include "views/attention/attention_lens.h"
#include "views/attention/attention_maps.h"
#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/ink.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/page_tabs.h"
#include "views/common/parameter_editor.h"
#include "views/common/theme.h"
#include "views/lowrank/attention_panel.h"
#include "views/lowrank/head_error_view.h"
#include "views/lowrank/head_table_model.h"

#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

namespace tamis::views {
namespace {
QSplitter* splitter(Qt::Orientation orientation, QWidget* parent, const QString& name)
{
    auto* made = new QSplitter(orientation, parent);
    made->setObjectName(name);
    made->setChildrenCollapsible(false);
    made->setHandleWidth(Theme::kSpacing);
    return made;
}
} // namespace

AttentionPanel::AttentionPanel(PhotoModel& photos, QWidget* parent) : QWidget(parent), m_photos(photos)
{
    buildSettings();
    build();
    connectParts();
    setReport(nullptr);
}

void AttentionPanel::build()
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    m_problem = new NoticeBar(this);
    m_problem->setObjectName(QStringLiteral("attentionProblem"));
    column->addWidget(m_problem);
    m_pages = new QStackedWidget(this);
    column->addWidget(m_pages, 1);
    m_empty = new PlaceholderPanel(QStringLiteral("photo"), tr("No sample is open"),
                                   tr("Open photos or a text to see what each head looks at, before and after compression."), m_pages);
    m_empty->setObjectName(QStringLiteral("attentionEmpty"));
    m_pages->addWidget(m_empty);

    auto* page = new QWidget(m_pages);
    auto* rows = new QVBoxLayout(page);
    rows->setContentsMargins(0, 0, 0, 0);
    rows->setSpacing(Theme::kSpacing / 2);
    rows->addWidget(buildBar());
    m_summary = inkedLabel(page, QStringLiteral("attentionSummary"), Ink::Text);
    m_summary->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_summary->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    rows->addWidget(m_summary);
    auto* centre = splitter(Qt::Vertical, page, QStringLiteral("attentionCentre"));
    m_maps = new AttentionMaps(centre);
    m_maps->setObjectName(QStringLiteral("attentionMaps"));
    centre->addWidget(m_maps);
    centre->addWidget(buildParts());
    centre->setStretchFactor(0, 1);
    centre->setStretchFactor(1, 1);
    centre->setSizes({480, 520}); // three maps side by side are wide and low
    rows->addWidget(centre, 1);
    m_pages->addWidget(page);
}

QWidget* AttentionPanel::buildBar()
{
    auto* bar = new QWidget(this);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    const auto combo = [&](const QString& name, const QString& label, const QString& help, const QStringList& items = {}) {
        auto* title = mutedLabel(bar, {});
        title->setText(label);
        auto* box = new QComboBox(bar);
        box->setObjectName(name);
        box->setAccessibleName(label);
        box->setToolTip(help);
        box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
        box->addItems(items);
        title->setBuddy(box);
        title->setObjectName(name + QStringLiteral("Title"));
        row->addWidget(title);
        row->addWidget(box);
        return box;
    };
    m_layer = combo(QStringLiteral("attentionLayer"), tr("Layer"), tr("Block whose attention is shown"));
    m_head = combo(QStringLiteral("attentionHead"), tr("Head"), tr("Query head whose map is shown"));
    m_window = combo(QStringLiteral("attentionWindow"), tr("Window"), tr("Window of the grid that the map is of"));
    m_source = combo(QStringLiteral("attentionSource"), tr("Approximation"), tr("Joint planes and separate factors of the same ranks have the same parameters"),
                     {tr("joint planes"), tr("separate factors")});
    m_scale = combo(QStringLiteral("attentionScale"), tr("Colours"), tr("How probabilities become colours"), {tr("linear"), tr("square root"), tr("logarithmic")});
    m_scale->setCurrentIndex(static_cast<int>(ColorScale::Root));
    m_badge = inkedLabel(bar, QStringLiteral("attentionBadge"), Ink::Stale);
    row->addWidget(m_badge);
    row->addStretch(1);
    m_mapExports = new ExportButton(bar);
    m_mapExports->setObjectName(QStringLiteral("exportMaps"));
    m_mapExports->setToolTip(tr("Export the three maps"));
    row->addWidget(m_mapExports);
    return bar;
}

QWidget* AttentionPanel::buildParts()
{
    auto* parts = splitter(Qt::Horizontal, this, QStringLiteral("attentionParts"));
    m_lens = new AttentionLens(parts);
    m_lens->setObjectName(QStringLiteral("attentionLens"));
    parts->addWidget(m_lens);
    m_tabs = new PageTabs(parts);
    m_tabs->setObjectName(QStringLiteral("attentionTabs"));
    m_tabs->setDocumentMode(true);
    m_errors = new HeadErrorView(m_tabs);
    m_errors->setObjectName(QStringLiteral("headErrors"));
    m_tabs->addTab(m_errors, tr("All heads"));
    buildRanking();
    m_tabs->addTab(m_ranking, tr("Ranking"));
    m_tabs->addTab(buildPlanes(), tr("Planes"));
    m_tabs->addTab(buildBlocks(), tr("Output"));
    auto* exports = new ExportButton(m_tabs);
    exports->setObjectName(QStringLiteral("exportPart"));
    exports->setToolTip(tr("Export where the query looks, or the shown page"));
    connect(exports, &ExportButton::exportRequested, this, &AttentionPanel::exportPart);
    exports->copyFrom(*m_lens);
    m_tabs->setCornerWidget(exports);
    parts->addWidget(m_tabs);
    parts->setStretchFactor(0, 1);
    parts->setStretchFactor(1, 1);
    parts->setSizes({500, 500});
    return parts;
}

void AttentionPanel::buildRanking()
{
    m_heads = new HeadTableModel(this);
    m_ranking = new CopyableTableView(m_tabs);
    m_ranking->setObjectName(QStringLiteral("headRanking"));
    m_ranking->setAccessibleName(tr("Heads by error"));
    m_ranking->setSourceModel(m_heads);
    m_ranking->setEmptyMessage(tr("The errors of all heads come with the final picture."));
    m_ranking->setSelectionBehavior(QAbstractItemView::SelectRows);
    auto* bars = new InlineBarDelegate(m_ranking);
    const int digit = m_ranking->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[HeadTableModel::kColumnCount] = {6, 6, 11, 13, 11, 13, 15, 13, 15, 10};
    for (int i = 0; i < HeadTableModel::kColumnCount; ++i) {
        m_ranking->setColumnWidth(i, widths[i] * digit + 2 * Theme::kSpacing);
        if (i > HeadTableModel::HeadColumn)
            m_ranking->setItemDelegateForColumn(i, bars);
    }
    m_ranking->sortByColumn(HeadTableModel::JointMapColumn, Qt::DescendingOrder);
}

QWidget* AttentionPanel::buildPlanes()
{
    auto* both = new QWidget(m_tabs);
    auto* row = new QHBoxLayout(both);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(Theme::kSpacing);
    const auto chart = [&](const QString& name, const QString& title, const QString& rank) {
        auto* made = new LineChart(both);
        made->setObjectName(name);
        made->setAccessibleName(title);
        made->setAxes({.xTitle = rank, .yTitle = tr("share of the score energy left out"), .rightTitle = {}, .logX = false, .logY = true, .wholeX = true});
        made->setEmptyText(tr("Energies of the planes come with the first picture."));
        row->addWidget(made, 1);
        return made;
    };
    m_queryPlane = chart(QStringLiteral("queryPlane"), tr("Energies of the query plane"), tr("query rank r_q"));
    m_keyPlane = chart(QStringLiteral("keyPlane"), tr("Energies of the key plane"), tr("key rank r_k"));
    return both;
}

QWidget* AttentionPanel::buildBlocks()
{
    auto* page = new QWidget(m_tabs);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(Theme::kSpacing, Theme::kSpacing / 2, 0, 0);
    m_output = inkedLabel(page, QStringLiteral("attentionOutput"), Ink::Text);
    m_output->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_output->setWordWrap(true);
    column->addWidget(m_output);
    m_blocks = new LineChart(page);
    m_blocks->setObjectName(QStringLiteral("attentionBlocks"));
    m_blocks->setAccessibleName(tr("Error of the blocks' outputs"));
    m_blocks->setAxes({.xTitle = tr("block"), .yTitle = tr("relative error of its output"), .rightTitle = {}, .logX = false, .logY = false, .wholeX = true});
    m_blocks->setEmptyText(tr("What becomes of the output comes with the final picture."));
    column->addWidget(m_blocks, 1);
    return page;
}

void AttentionPanel::buildSettings()
{
    m_settings = new QWidget(this);
    auto* column = new QVBoxLayout(m_settings);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    m_editor = new ParameterEditor(m_settings);
    m_editor->setObjectName(QStringLiteral("attentionParameters"));
    column->addWidget(m_editor);
    m_samples = new SamplePicker(m_photos, {.title = QStringLiteral("attentionSampleTitle"), .open = QStringLiteral("openAttentionSamples"), .photos = QStringLiteral("attentionPhotos"), .texts = QStringLiteral("attentionTexts")}, m_settings);
    column->addWidget(m_samples, 1);
    column->addStretch();
}

void AttentionPanel::connectChart(LineChart* chart, const QString& name)
{
    onChartExport(chart, this, [this, name](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, name); });
}

void AttentionPanel::connectParts()
{
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &AttentionPanel::openRequested);
    connect(m_layer, &QComboBox::activated, this, [this] { chooseHead(m_layer->currentIndex(), head()); });
    connect(m_head, &QComboBox::activated, this, [this] { chooseHead(layer(), m_head->currentIndex()); });
    connect(m_window, &QComboBox::activated, this, &AttentionPanel::mapChosen);
    connect(m_source, &QComboBox::activated, this, [this] { emit sourceChosen(source()); });
    connect(m_scale, &QComboBox::activated, this, [this] { m_scaleChosen = true; });
    connect(m_scale, &QComboBox::currentIndexChanged, this, [this](int index) {
        m_maps->setScale(static_cast<ColorScale>(index));
        m_lens->setScale(static_cast<ColorScale>(index));
    });
    connect(m_mapExports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_maps, format, QStringLiteral("attention-maps")); });
    m_mapExports->copyFrom(*m_maps);
    connect(m_maps, &AttentionMaps::queryPointed, this, &AttentionPanel::pointQuery);
    connect(m_maps, &AttentionMaps::queryChosen, this, &AttentionPanel::chooseQuery);
    connect(m_lens, &AttentionLens::queryPointed, this, [this](int query) {
        m_maps->setPointedQuery(query);
        pointQuery(query);
    });
    connect(m_lens, &AttentionLens::queryChosen, this, [this](int query) {
        m_maps->setQuery(query);
        chooseQuery(query);
    });
    connect(m_errors, &HeadErrorView::headPicked, this, &AttentionPanel::chooseHead);
    connect(m_ranking, &CopyableTableView::selectedRowsChanged, this, [this](const QList<int>& rows) {
        if (const auto* chosen = m_quiet || rows.size() != 1 ? nullptr : m_heads->head(rows.front()))
            chooseHead(chosen->layer, static_cast<int>(chosen->head));
    });
    connect(m_ranking, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_ranking, format, QStringLiteral("heads")); });
    connect(m_editor, &ParameterEditor::valueEdited, this, &AttentionPanel::valueEdited);
    const auto rank = [this](LineChart* chart, const QString& name) {
        connect(chart, &LineChart::cursorMoved, this, [this, name](double x, bool finished) { emit valueEdited(name, std::max<std::int64_t>(1, std::llround(x)), finished); });
    };
    rank(m_queryPlane, QStringLiteral("query-rank"));
    rank(m_keyPlane, QStringLiteral("key-rank"));
    connectChart(m_queryPlane, QStringLiteral("query-plane"));
    connectChart(m_keyPlane, QStringLiteral("key-plane"));
    connectChart(m_blocks, QStringLiteral("blocks-after-approximation"));
    connect(m_samples, &SamplePicker::openRequested, this, &AttentionPanel::openRequested);
    connect(m_samples, &SamplePicker::chosen, this, &AttentionPanel::sampleChosen);
}

void AttentionPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit shown();
}

} // namespace tamis::views
