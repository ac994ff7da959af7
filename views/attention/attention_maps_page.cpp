// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_maps_page.h"

#include "views/attention/attention_lens.h"
#include "views/attention/attention_maps.h"
#include "views/attention/attention_words.h"
#include "views/attention/head_error_model.h"
#include "views/common/class_bars.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/ink.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/labelled_combo.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QSplitter>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {
namespace {
std::vector<report::ClassProbability> classesOf(const std::vector<report::Guess>& guesses)
{
    std::vector<report::ClassProbability> made;
    for (const auto& each : guesses)
        made.push_back({each.index, each.name, each.probability});
    return made;
}

QSplitter* splitter(Qt::Orientation orientation, QWidget* parent, const QString& name)
{
    auto* made = new QSplitter(orientation, parent);
    made->setObjectName(name);
    made->setChildrenCollapsible(false);
    made->setHandleWidth(Theme::kSpacing);
    return made;
}
} // namespace

AttentionMapsPage::AttentionMapsPage(QWidget* parent) : QWidget(parent)
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    column->addWidget(buildBar());
    auto* centre = splitter(Qt::Vertical, this, QStringLiteral("labMapsCentre"));
    m_maps = new AttentionMaps(centre);
    m_maps->setObjectName(QStringLiteral("labMaps"));
    centre->addWidget(m_maps);
    centre->addWidget(buildParts());
    centre->setStretchFactor(0, 1);
    centre->setStretchFactor(1, 1);
    centre->setSizes({450, 550});
    column->addWidget(centre, 1);
    connectParts();
    setReport(nullptr, nullptr, {});
}

QWidget* AttentionMapsPage::buildBar()
{
    auto* bar = new QWidget(this);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    m_shown = labelledCombo(bar, row, tr("&Show"), QStringLiteral("labMapsShown"), tr("All maps side by side, or one with all the room"));
    m_shown->addItem(tr("side by side"), -1);
    m_shown->addItem(tr("exact"), 0);
    m_shown->addItem(tr("approximate"), 1);
    m_shown->addItem(tr("difference"), 2);
    row->addSpacing(Theme::kSpacing);
    m_scale = labelledCombo(bar, row, tr("&Colours"), QStringLiteral("labMapsScale"), tr("How probabilities become colours"));
    m_scale->addItems({tr("linear"), tr("square root"), tr("logarithmic")});
    m_scale->setCurrentIndex(static_cast<int>(ColorScale::Root));
    row->addSpacing(Theme::kSpacing);
    m_effect = inkedLabel(bar, QStringLiteral("labEffect"), Ink::Text);
    m_effect->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_effect->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(m_effect, 1);
    auto* exports = new ExportButton(bar);
    exports->setObjectName(QStringLiteral("exportLabMaps"));
    exports->setToolTip(tr("Export the maps that are shown"));
    row->addWidget(exports);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_maps, format, QStringLiteral("attention-maps")); });
    connect(exports, &ExportButton::copyPictureRequested, this, [this] { copyFigurePicture(*m_maps); });
    connect(exports, &ExportButton::copyTableRequested, this, [this] { copyFigureTable(*m_maps); });
    return bar;
}

QWidget* AttentionMapsPage::buildParts()
{
    auto* parts = splitter(Qt::Horizontal, this, QStringLiteral("labMapsParts"));
    const auto boxed = [&](QWidget* body, const QString& title, const QString& exportName, Figure* figure, const QString& file) {
        auto* box = new QWidget(parts);
        auto* column = new QVBoxLayout(box);
        column->setContentsMargins(0, 0, 0, 0);
        column->setSpacing(0);
        auto* row = new QHBoxLayout;
        auto* label = mutedLabel(box, exportName + QStringLiteral("Title"));
        label->setText(title);
        row->addWidget(label, 1);
        auto* exports = new ExportButton(box);
        exports->setObjectName(exportName);
        exports->setToolTip(tr("Export: %1").arg(title));
        exports->copyFrom(*figure);
        row->addWidget(exports);
        column->addLayout(row);
        column->addWidget(body, 1);
        connect(exports, &ExportButton::exportRequested, this, [this, figure, file](FigureFormat format) { emit exportRequested(figure, format, file); });
        return box;
    };
    m_lens = new AttentionLens(parts);
    m_lens->setObjectName(QStringLiteral("labLens"));
    parts->addWidget(boxed(m_lens, tr("Where a query looks"), QStringLiteral("exportLabLens"), m_lens, QStringLiteral("where-a-query-looks")));
    auto* right = splitter(Qt::Vertical, parts, QStringLiteral("labMapsErrors"));
    m_errors = new HeadErrorModel(this);
    m_table = new CopyableTableView(right);
    m_table->setObjectName(QStringLiteral("labHeadErrors"));
    m_table->setAccessibleName(tr("Errors of the head beside trivial operators"));
    m_table->setSourceModel(m_errors);
    m_table->setEmptyMessage(tr("The errors of the shown head stand here."));
    m_table->horizontalHeader()->setSectionResizeMode(HeadErrorModel::OfColumn, QHeaderView::Stretch);
    auto* bars = new InlineBarDelegate(m_table);
    for (const int column : {HeadErrorModel::MapColumn, HeadErrorModel::OutputColumn})
        m_table->setItemDelegateForColumn(column, bars);
    right->addWidget(boxed(m_table, tr("Errors of this head, and what trivial operators reach"), QStringLiteral("exportLabHeadErrors"), m_table, QStringLiteral("head-errors")));
    m_classes = new ClassBars(right);
    m_classes->setObjectName(QStringLiteral("labClasses"));
    m_classes->setEmptyText(tr("What becomes of the output comes with the final picture."));
    right->addWidget(boxed(m_classes, tr("Before and after"), QStringLiteral("exportLabClasses"), m_classes, QStringLiteral("classes")));
    right->setSizes({500, 500});
    parts->addWidget(right);
    parts->setStretchFactor(0, 3);
    parts->setStretchFactor(1, 2);
    parts->setSizes({560, 400});
    return parts;
}

void AttentionMapsPage::connectParts()
{
    connect(m_shown, &QComboBox::currentIndexChanged, this, [this] { m_maps->setShown(m_shown->currentData().toInt()); });
    connect(m_scale, &QComboBox::activated, this, [this] { m_scaleChosen = true; });
    connect(m_scale, &QComboBox::currentIndexChanged, this, [this](int index) {
        m_maps->setScale(static_cast<ColorScale>(index));
        m_lens->setScale(static_cast<ColorScale>(index));
    });
    connect(m_maps, &AttentionMaps::queryPointed, this, &AttentionMapsPage::pointQuery);
    connect(m_maps, &AttentionMaps::queryChosen, this, &AttentionMapsPage::chooseQuery);
    connect(m_lens, &AttentionLens::queryPointed, this, [this](int query) {
        m_maps->setPointedQuery(query);
        pointQuery(query);
    });
    connect(m_lens, &AttentionLens::queryChosen, this, [this](int query) {
        m_maps->setQuery(query);
        chooseQuery(query);
    });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("head-errors")); });
}

void AttentionMapsPage::setReport(const std::shared_ptr<const report::AttentionReport>& report, const report::HeadComparison* head, const QString& method)
{
    m_report = report;
    if (!m_report || m_report->view.tokens <= 0) {
        m_query = m_chosenQuery = -1;
        m_sample.clear();
        m_maps->clear(tr("Nothing to show yet."));
        m_lens->setMaps({}, {}, {});
        m_errors->clear();
        m_classes->setClasses({}, {});
        m_effect->clear();
        return;
    }
    showMaps(method);
    m_errors->setErrors(m_report->view, head, m_report->trivial, m_report->averagedSamples);
    showEffect(method);
}

void AttentionMapsPage::showMaps(const QString& method)
{
    const auto& view = m_report->view;
    const bool text = view.gridWidth <= 0;
    if (!m_scaleChosen) // the first words of a causal text see little else: they get nearly all the weight
        m_scale->setCurrentIndex(static_cast<int>(text ? ColorScale::Logarithmic : ColorScale::Root));
    const QStringList names = tokenNamesOf(view);
    m_maps->setNamedAxes(text && !view.tokenLabels.empty());
    m_maps->setMaps({static_cast<int>(view.tokens), view.causal, view.exact, view.approximate}, method, names);
    m_lens->setLayout({static_cast<int>(view.prefixTokens), static_cast<int>(view.gridHeight), static_cast<int>(view.gridWidth)}, names);
    m_lens->setMaps(m_maps->exactGrid(), m_maps->approximateGrid(), method);
    if (std::exchange(m_sample, words(view.sample)) != m_sample || m_chosenQuery >= view.tokens || (m_chosenQuery < 0 && m_query < 0))
        m_chosenQuery = m_query = firstQuery(view); // something to look at before the first click
    m_maps->setQuery(m_chosenQuery);
    m_lens->setQuery(m_query);
}

void AttentionMapsPage::showEffect(const QString& method)
{
    if (!m_report->complete) // keeps what the last whole picture said; it is marked as older
        return;
    const auto& effect = m_report->effect;
    QStringList parts;
    if (!effect.layers.empty())
        parts << tr("last block %1 off").arg(formatPercent(effect.layers.back().relativeError, 2));
    if (std::isfinite(effect.kl))
        parts << tr("KL of the output %1 nats").arg(formatNumber(effect.kl, 3));
    if (effect.rows > 1 && std::isfinite(effect.agreement))
        parts << tr("same next token %1 of the time").arg(formatPercent(effect.agreement));
    m_effect->setText(parts.join(QStringLiteral(" · ")));
    m_effect->setToolTip(parts.join(QLatin1Char('\n')));
    m_classes->setSides(tr("exact"), method);
    m_classes->setEmptyText(tr("This model's output is features, not classes."));
    m_classes->setClasses(classesOf(effect.before), classesOf(effect.after));
}

void AttentionMapsPage::setPhoto(const QImage& photo) { m_lens->setPhoto(photo); }

void AttentionMapsPage::setCaption(const QString& settings)
{
    m_maps->setCaption(settings);
    m_lens->setCaption(settings);
    m_table->setCaption(settings);
    m_classes->setCaption(settings);
}

void AttentionMapsPage::pointQuery(int query)
{
    m_query = query >= 0 ? query : m_chosenQuery;
    m_lens->setQuery(m_query);
    emit queryShown(m_query);
}

void AttentionMapsPage::chooseQuery(int query)
{
    m_chosenQuery = m_query = query;
    m_lens->setQuery(query);
    emit queryShown(query);
}

} // namespace tamis::views
