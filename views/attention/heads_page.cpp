// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/heads_page.h"

#include "views/attention/head_comparison_model.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/labelled_combo.h"
#include "views/common/theme.h"

#include <QAction>
#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QSpinBox>
#include <QSplitter>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <utility>

namespace tamis::views {
namespace {
using Model = HeadComparisonModel;
constexpr int kWidths[Model::kColumnCount] = {7, 6, 24, 11, 13, 9, 9, 10, 11, 11, 9, 11, 26, 16}; ///< digits
constexpr int kUsualShare = 50; ///< percent
} // namespace

HeadsPage::HeadsPage(QWidget* parent) : QWidget(parent), m_map(new HeatMap(this)), m_heads(new HeadComparisonModel(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    column->addWidget(buildBar());
    auto* split = new QSplitter(Qt::Vertical, this);
    split->setObjectName(QStringLiteral("labHeadsSplit"));
    split->setChildrenCollapsible(false);
    split->setHandleWidth(Theme::kSpacing);
    m_map->setObjectName(QStringLiteral("labHeadMap"));
    m_map->setAccessibleName(tr("Layers by heads"));
    m_map->setEmptyText(tr("All heads follow once the first picture is shown."));
    m_map->setContextMenuPolicy(Qt::ActionsContextMenu);
    split->addWidget(m_map);
    buildTable();
    split->addWidget(m_table);
    split->setStretchFactor(0, 1);
    split->setStretchFactor(1, 1);
    split->setSizes({500, 500});
    column->addWidget(buildActions());
    column->addWidget(split, 1);
    connect(m_map, &HeatMap::cellSelected, this, [this](int head, int layer) { choose(layer, head); });
    connect(m_table, &CopyableTableView::selectedRowsChanged, this, [this](const QList<int>& rows) {
        if (const auto* chosen = m_quiet || rows.size() != 1 ? nullptr : m_heads->head(rows.front()))
            choose(chosen->layer, chosen->head);
    });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("heads")); });
    setEffectReason({});
    setSuitedReason({});
    showState();
}

QPushButton* HeadsPage::button(QWidget* parent, const QString& icon, const QString& title, const QString& name, const QString& help)
{
    auto* made = new QPushButton(icon.isEmpty() ? QIcon() : themedIcon(icon), title, parent);
    made->setObjectName(name);
    made->setToolTip(help);
    return made;
}

QWidget* HeadsPage::buildBar()
{
    auto* bar = new QWidget(this);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    m_measure = labelledCombo(bar, row, tr("&Coloured by"), QStringLiteral("labHeadMeasure"), tr("What the colours stand for"));
    for (const auto& [title, at] : {std::pair(tr("map error"), Model::MapColumn), std::pair(tr("output error"), Model::OutputColumn), std::pair(tr("effect on the output"), Model::EffectColumn),
                                    std::pair(tr("entropy"), Model::EntropyColumn), std::pair(tr("distance looked at"), Model::DistanceColumn), std::pair(tr("prefix mass"), Model::PrefixColumn),
                                    std::pair(tr("effective rank"), Model::RankColumn), std::pair(tr("output error of the suited method"), Model::SuitedOutputColumn)})
        m_measure->addItem(title, static_cast<int>(at));
    row->addStretch(1);
    m_effects = button(bar, QStringLiteral("run"), tr("Measure effects"), QStringLiteral("labMeasureEffects"), {});
    m_search = button(bar, QStringLiteral("search"), tr("Find suited methods"), QStringLiteral("labFindSuited"), {});
    row->addWidget(m_effects);
    row->addWidget(m_search);
    m_share = new QSpinBox(bar);
    m_share->setObjectName(QStringLiteral("labSuitedShare"));
    m_share->setRange(1, 100);
    m_share->setValue(kUsualShare);
    m_share->setPrefix(tr("at most "));
    m_share->setSuffix(tr(" % of MACs"));
    m_share->setAccessibleName(tr("Multiply-adds of suited methods"));
    m_share->setToolTip(tr("What suits a head may take so much of the exact head's multiply-adds; taken everywhere, all heads together may"));
    row->addWidget(m_share);
    connect(m_share, &QSpinBox::valueChanged, this, &HeadsPage::shareChanged);
    auto* exports = new ExportButton(bar);
    exports->setObjectName(QStringLiteral("exportLabHeads"));
    exports->copyFrom(*m_map);
    row->addWidget(exports);
    connect(m_measure, &QComboBox::currentIndexChanged, this, &HeadsPage::showMap);
    connect(m_effects, &QPushButton::clicked, this, &HeadsPage::effectsRequested);
    connect(m_search, &QPushButton::clicked, this, &HeadsPage::searchRequested);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_map, format, QStringLiteral("head-map")); });
    return bar;
}

/// What can be put in place of the chosen head or its block: as buttons, and in the context menus of map and table.
QWidget* HeadsPage::buildActions()
{
    auto* bar = new QWidget(this);
    auto* column = new QVBoxLayout(bar);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    m_chosen = inkedLabel(bar, QStringLiteral("labChosenHead"), Ink::Text);
    m_chosen->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_state = mutedLabel(bar, QStringLiteral("labHeadsState"));
    auto* said = new QHBoxLayout;
    said->addWidget(m_chosen, 1);
    said->addWidget(m_state);
    column->addLayout(said);
    auto* row = new QHBoxLayout;
    column->addLayout(row);
    const auto add = [&](const QString& title, const QString& name, const QString& help, auto emitted) {
        auto* made = button(bar, {}, title, name, help);
        row->addWidget(made);
        connect(made, &QPushButton::clicked, this, emitted);
        auto* action = new QAction(title, this);
        action->setObjectName(name + QStringLiteral("Action"));
        connect(action, &QAction::triggered, made, &QPushButton::click); // which is disabled where the action is
        m_map->addAction(action);
        m_table->addAction(action);
        m_actions.push_back(action);
        m_ofHead.push_back(made);
        return made;
    };
    add(tr("Use for this head"), QStringLiteral("labUseHead"), tr("The method of the settings in place of this head alone"), [this] { emit useRequested(place(false)); });
    add(tr("Use for this block"), QStringLiteral("labUseBlock"), tr("The method of the settings in place of all heads of this block"), [this] { emit useRequested(place(true)); });
    add(tr("Exact here"), QStringLiteral("labExactHead"), tr("This head stays as it is"), [this] { emit exactRequested(place(false)); });
    add(tr("Exact block"), QStringLiteral("labExactBlock"), tr("All heads of this block stay as they are"), [this] { emit exactRequested(place(true)); });
    m_suited = add(tr("Take suited"), QStringLiteral("labTakeSuited"), tr("What suits this head best of what was measured"), [this] { emit suitedRequested(place(false)); });
    m_forget = add(tr("As the others"), QStringLiteral("labForgetHead"), tr("Forget what was chosen for this head or its block alone"), [this] { emit forgetRequested(place(false)); });
    m_allSuited = button(bar, {}, tr("Take suited everywhere"), QStringLiteral("labTakeAllSuited"), tr("In place of each head what suits it best of what was measured"));
    row->addWidget(m_allSuited);
    row->addStretch(1);
    connect(m_allSuited, &QPushButton::clicked, this, &HeadsPage::allSuitedRequested);
    return bar;
}

void HeadsPage::buildTable()
{
    m_table = new CopyableTableView(this);
    m_table->setObjectName(QStringLiteral("labHeadTable"));
    m_table->setAccessibleName(tr("Heads with their errors and traits"));
    m_table->setSourceModel(m_heads);
    m_table->setEmptyMessage(tr("All heads follow once the first picture is shown."));
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    auto* bars = new InlineBarDelegate(m_table);
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    for (int i = 0; i < Model::kColumnCount; ++i) {
        m_table->setColumnWidth(i, kWidths[i] * digit + 2 * Theme::kSpacing);
        if (i > Model::HeadColumn && i != Model::MethodColumn && i != Model::SuitedColumn)
            m_table->setItemDelegateForColumn(i, bars);
    }
}

int HeadsPage::measure() const { return m_measure->currentData().toInt(); }

void HeadsPage::setHeads(const std::vector<report::HeadComparison>& heads, std::size_t samples)
{
    const QScopedValueRollback quiet(m_quiet, true);
    m_samples = samples;
    m_heads->setHeads(heads);
    showMap();
    showState();
    setChosen(m_layer, m_head);
}

void HeadsPage::setMethods(const std::vector<OfferedMethod>& methods)
{
    std::map<QString, QString> titles;
    for (const auto& each : methods)
        titles[each.id] = each.title;
    m_heads->setTitles(titles);
}

double HeadsPage::share() const { return m_share->value() / 100.0; }

void HeadsPage::setChoices(const GeneralChoice& general, const std::vector<OwnChoice>& own)
{
    m_heads->setChoices(general, own);
    showMap();
    showState();
}

void HeadsPage::showMap()
{
    HeatGrid grid;
    for (const auto& each : m_heads->heads()) {
        grid.columns = std::max(grid.columns, each.layer + 1);
        grid.rows = std::max(grid.rows, static_cast<int>(each.head) + 1);
    }
    grid.values.assign(static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns), report::kNotMeasured);
    std::vector<std::pair<int, int>> badges;
    for (const auto& each : m_heads->heads()) {
        grid.values[static_cast<std::size_t>(each.head) * static_cast<std::size_t>(grid.columns) + static_cast<std::size_t>(each.layer)] = headValue(each, measure());
        if (m_heads->ownChoice(each.layer, each.head))
            badges.emplace_back(static_cast<int>(each.head), each.layer);
    }
    grid.rowTitle = tr("head");
    grid.columnTitle = tr("layer");
    grid.valueTitle = m_measure->currentText();
    m_map->setGrid(grid);
    m_map->setBadges(badges);
    if (m_layer >= 0)
        m_map->setSelected(std::pair{static_cast<int>(m_head), m_layer});
}

void HeadsPage::showState()
{
    const bool chosen = m_heads->rowOf(m_layer, m_head) >= 0;
    const auto& heads = m_heads->heads();
    const bool measured = std::ranges::any_of(heads, [](const auto& each) { return !each.suited.empty(); });
    const auto* own = chosen ? m_heads->ownChoice(m_layer, m_head) : nullptr;
    for (QWidget* each : m_ofHead)
        each->setEnabled(chosen);
    m_suited->setEnabled(chosen && !m_heads->head(m_heads->rowOf(m_layer, m_head))->suited.empty());
    m_forget->setEnabled(own != nullptr);
    m_allSuited->setEnabled(measured);
    for (std::size_t i = 0; i < m_actions.size(); ++i)
        m_actions[i]->setEnabled(m_ofHead[i]->isEnabled());
    m_chosen->setText(!chosen ? tr("Choose a head in the map or the table.")
                              : tr("Layer %1, head %2: %3%4").arg(m_layer).arg(m_head).arg(m_heads->methodTitle(m_layer, m_head), own ? own->head < 0 ? tr(" (own choice of the block)") : tr(" (own choice)") : QString()));
    m_chosen->setToolTip(m_chosen->text());
    QStringList parts;
    if (!heads.empty() && m_samples > 0)
        parts << (m_samples == 1 ? tr("of 1 sample") : tr("mean over %1 samples").arg(m_samples));
    if (m_stale)
        parts << tr("refining…");
    m_state->setText(parts.join(QStringLiteral(" · ")));
}

void HeadsPage::setChosen(int layer, std::int64_t head)
{
    const QScopedValueRollback quiet(m_quiet, true);
    m_layer = layer;
    m_head = head;
    m_map->setSelected(layer >= 0 && head >= 0 ? std::optional(std::pair{static_cast<int>(head), layer}) : std::nullopt);
    if (const int row = m_heads->rowOf(layer, head); row >= 0)
        if (const int shown = m_table->fromSource(m_heads->index(row, 0)).row(); m_table->currentIndex().row() != shown || !m_table->selectionModel()->isRowSelected(shown))
            m_table->selectRow(shown);
    showState();
}

void HeadsPage::choose(int layer, std::int64_t head)
{
    if (m_heads->rowOf(layer, head) < 0)
        return;
    setChosen(layer, head);
    emit headChosen(layer, static_cast<int>(head));
}

void HeadsPage::setStale(bool stale)
{
    m_stale = stale;
    showState();
}

void HeadsPage::setCaption(const QString& settings)
{
    m_map->setCaption(settings);
    m_table->setCaption(settings);
}

void HeadsPage::setEffectReason(const QString& reason)
{
    m_effects->setEnabled(reason.isEmpty());
    m_effects->setToolTip(reason.isEmpty() ? tr("What each head alone, replaced, does to the model's output") : tr("Not now: %1").arg(reason));
}

void HeadsPage::setSuitedReason(const QString& reason)
{
    m_search->setEnabled(reason.isEmpty());
    m_search->setToolTip(reason.isEmpty() ? tr("Every method at several settings on every head; for each the one with the least output error at no more multiply-adds than asked") : tr("Not now: %1").arg(reason));
}

} // namespace tamis::views
