// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/attention_panel.h"

#include "views/attention/attention_lens.h"
#include "views/attention/attention_maps.h"
#include "views/common/copyable_table_view.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/parameter_editor.h"
#include "views/lowrank/head_error_view.h"
#include "views/lowrank/head_table_model.h"

#include <QComboBox>
#include <QLabel>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QTabWidget>

#include <algorithm>
#include <numeric>

namespace tamis::views {
namespace {
using report::MapSource;

QString titleOf(MapSource source)
{
    return source == MapSource::Joint      ? AttentionPanel::tr("joint planes")
           : source == MapSource::Separate ? AttentionPanel::tr("separate factors")
                                           : AttentionPanel::tr("the plan");
}

QString guessText(const std::vector<report::Guess>& guesses)
{
    if (guesses.empty())
        return {};
    const auto& best = guesses.front();
    const QString name = best.name.empty() ? QString::number(best.index) : QString::fromStdString(best.name);
    return QStringLiteral("%1 %2").arg(name, formatPercent(best.probability));
}

/// Share of the energy beyond each rank: x = 0 .. n. What is left at the full rank is nothing, which a logarithm cannot show.
report::Series leftOut(const report::PlaneSpectrum& plane)
{
    const double total = std::accumulate(plane.energy.begin(), plane.energy.end(), 0.0);
    std::vector<report::Point> points;
    double rest = 0;
    for (std::size_t rank = plane.energy.size(); rank-- > 0;) {
        rest += plane.energy[rank];
        points.push_back({static_cast<double>(rank), total > 0 ? rest / total : 0});
    }
    std::ranges::reverse(points);
    return {.name = plane.plane, .points = std::move(points)};
}
} // namespace

void AttentionPanel::setSchema(const ParameterSchema& schema)
{
    m_schema = schema;
    m_editor->setSchema(schema);
}

void AttentionPanel::setValues(const Parameters& values) { m_editor->setValues(values); }
Parameters AttentionPanel::values() const { return m_editor->values(); }

void AttentionPanel::setPlanOffered(bool offered)
{
    const bool there = m_source->count() > 2;
    if (offered && !there)
        m_source->addItem(tr("the plan"));
    else if (!offered && there)
        m_source->removeItem(2);
}

void AttentionPanel::setOpenAction(const QString& action) { m_samples->setOpenAction(action); }

void AttentionPanel::setTexts(const std::vector<ListedText>& texts)
{
    m_samples->setTexts(texts);
    offerScale(ColorScale::Logarithmic); // the first words of a causal text see little else: they get nearly all the weight
}

void AttentionPanel::offerScale(ColorScale scale)
{
    if (!m_scaleChosen)
        m_scale->setCurrentIndex(static_cast<int>(scale));
}

void AttentionPanel::setPhotos()
{
    m_samples->setPhotos();
    offerScale(ColorScale::Root);
}

void AttentionPanel::setShownSample(int index) { m_samples->setShown(index); }

void AttentionPanel::setPhoto(const QImage& photo) { m_lens->setPhoto(photo); }

void AttentionPanel::setEmptyState(const QString& title, const QString& text, const QString& action)
{
    m_empty->setTitle(title);
    m_empty->setText(text);
    m_empty->setAction(action);
}

void AttentionPanel::setStale(bool stale)
{
    m_badge->setText(stale ? tr("refining…") : QString());
    m_queryPlane->setStale(stale);
    m_keyPlane->setStale(stale);
    m_blocks->setStale(stale);
}

void AttentionPanel::setProblem(const QString& sentence)
{
    sentence.isEmpty() ? m_problem->clear() : m_problem->showNotice(NoticeBar::Severity::Warning, sentence);
}

int AttentionPanel::layer() const { return std::max(m_layer->currentIndex(), 0); }
int AttentionPanel::head() const { return std::max(m_head->currentIndex(), 0); }
MapSource AttentionPanel::source() const { return static_cast<MapSource>(std::max(m_source->currentIndex(), 0)); }

void AttentionPanel::setReport(std::shared_ptr<const report::AttentionMapReport> report)
{
    m_report = std::move(report);
    m_pages->setCurrentIndex(m_report ? 1 : 0);
    if (!m_report) {
        m_whole.reset();
        m_query = m_chosenQuery = -1;
        m_maps->clear(tr("Nothing to show yet."));
        m_lens->setMaps({}, {}, {});
        m_heads->setHeads({});
        m_errors->setHeads({}, MapSource::Joint, {});
        return;
    }
    const bool complete = m_report->complete;
    if (complete)
        m_whole = m_report;
    fillChoices();
    showMaps();
    showPlanes();
    if (complete) {
        showHeads();
        showEffects();
    }
    m_quiet = true;
    m_errors->setChosen(std::pair{m_report->layer, static_cast<int>(m_report->head)});
    if (const int row = m_heads->rowOf(m_report->layer, static_cast<int>(m_report->head)); row >= 0)
        m_ranking->selectRow(m_ranking->fromSource(m_heads->index(row, 0)).row());
    m_quiet = false;
    showSummary();
}

void AttentionPanel::fillChoices()
{
    const auto fill = [](QComboBox* box, int count, int at) {
        const QSignalBlocker quiet(box);
        if (box->count() != count) {
            box->clear();
            for (int i = 0; i < count; ++i)
                box->addItem(QString::number(i));
        }
        box->setCurrentIndex(at);
    };
    fill(m_layer, m_report->layers, m_report->layer);
    fill(m_head, static_cast<int>(m_report->heads), static_cast<int>(m_report->head));
    fill(m_window, static_cast<int>(m_report->maps), static_cast<int>(m_report->map));
    m_window->setVisible(m_report->maps > 1);
    if (auto* title = findChild<QLabel*>(m_window->objectName() + QStringLiteral("Title")))
        title->setVisible(m_report->maps > 1);
    const QSignalBlocker quiet(m_source);
    m_source->setCurrentIndex(static_cast<int>(m_report->source));
}

QString AttentionPanel::sourceTitle() const { return titleOf(m_report ? m_report->source : MapSource::Joint); }

QStringList AttentionPanel::tokenNames() const
{
    QStringList names;
    if (!m_report->tokenLabels.empty()) {
        for (const auto& label : m_report->tokenLabels)
            names << QString::fromStdString(label);
        return names;
    }
    for (int token = 0; token < m_report->tokens; ++token) {
        const int patch = token - static_cast<int>(m_report->prefixTokens);
        if (m_report->gridWidth <= 0)
            names << QString();
        else if (patch < 0)
            names << (token == 0 ? tr("class token") : tr("extra token"));
        else
            names << tr("(row %1, column %2)").arg(patch / m_report->gridWidth).arg(patch % m_report->gridWidth);
    }
    return names;
}

QString AttentionPanel::caption() const
{
    QStringList settings;
    for (const auto& [name, value] : m_report->parameters.all())
        settings << QStringLiteral("%1=%2").arg(QString::fromStdString(name), QString::fromStdString(toText(value)));
    return tr("%1, %2, layer %3, head %4, %5\n%6").arg(QString::fromStdString(m_report->model), QString::fromStdString(m_report->sample)).arg(m_report->layer).arg(m_report->head)
        .arg(sourceTitle(), settings.join(QStringLiteral(", ")));
}

void AttentionPanel::showMaps()
{
    const QStringList names = tokenNames();
    m_maps->setMaps({static_cast<int>(m_report->tokens), m_report->causal, m_report->exact, m_report->approximate}, sourceTitle(), names);
    m_lens->setLayout({static_cast<int>(m_report->prefixTokens), static_cast<int>(m_report->gridHeight), static_cast<int>(m_report->gridWidth)}, names);
    m_lens->setMaps(m_maps->exactGrid(), m_maps->approximateGrid(), sourceTitle());
    if (m_chosenQuery >= m_report->tokens)
        m_chosenQuery = -1;
    if (m_chosenQuery < 0 && m_query < 0) { // something to look at before the first click: the middle of the photo, the end of the text
        m_chosenQuery = static_cast<int>(m_report->gridWidth > 0 ? m_report->prefixTokens + (m_report->gridHeight / 2) * m_report->gridWidth + m_report->gridWidth / 2
                                                                 : m_report->tokens - 1);
        m_maps->setQuery(m_chosenQuery);
        m_query = m_chosenQuery;
    }
    m_maps->setQuery(m_chosenQuery);
    m_lens->setQuery(m_query);
    m_maps->setCaption(caption());
    m_lens->setCaption(caption());
}

void AttentionPanel::showHeads()
{
    m_quiet = true;
    m_heads->setHeads(m_whole->allHeads);
    m_ranking->setColumnHidden(HeadTableModel::PlanMapColumn, !m_heads->hasPlan());
    m_errors->setCaption(caption());
    m_errors->setHeads(m_whole->allHeads, m_whole->source, titleOf(m_whole->source));
    m_ranking->setCaption(caption());
    m_quiet = false;
}

void AttentionPanel::showPlanes()
{
    for (const auto& plane : m_report->planes) {
        LineChart* chart = plane.plane == "query" ? m_queryPlane : m_keyPlane;
        chart->setSeries({leftOut(plane)});
        const double total = std::accumulate(plane.energy.begin(), plane.energy.end(), 0.0);
        const auto rank = static_cast<std::ptrdiff_t>(std::clamp<std::int64_t>(plane.rank, 0, static_cast<std::int64_t>(plane.energy.size())));
        const double rest = std::accumulate(plane.energy.begin() + rank, plane.energy.end(), 0.0);
        chart->setCursor(static_cast<double>(plane.rank), tr("%1: %2 left out").arg(plane.rank).arg(formatPercent(total > 0 ? rest / total : 0, 2)));
        chart->setCaption(caption());
    }
}

void AttentionPanel::showEffects()
{
    std::vector<report::Series> series;
    QStringList lines;
    int group = 0;
    for (const auto& effect : m_whole->effects) {
        const std::string title = titleOf(effect.source).toStdString();
        report::Series through{.name = title + tr(", through the model").toStdString(), .points = {}, .group = group};
        report::Series own{.name = title + tr(", block alone").toStdString(), .points = {}, .dashed = true, .group = group};
        for (const auto& layer : effect.layers) {
            through.points.push_back({static_cast<double>(layer.block), layer.relativeError});
            if (layer.ownError == layer.ownError)
                own.points.push_back({static_cast<double>(layer.block), layer.ownError});
        }
        series.push_back(std::move(through));
        if (!own.points.empty())
            series.push_back(std::move(own));
        ++group;
        QString line = tr("%1: last block %2 off").arg(titleOf(effect.source), effect.layers.empty() ? QString() : formatPercent(effect.layers.back().relativeError, 2));
        if (effect.kl == effect.kl)
            line += tr(", KL of the output %1 nats").arg(formatNumber(effect.kl, 3));
        if (effect.rows > 1 && effect.agreement == effect.agreement)
            line += tr(", the same next token %1 of the time").arg(formatPercent(effect.agreement));
        if (!effect.before.empty())
            line += tr(". %1: %2 → %3").arg(effect.rows > 1 ? tr("after the last token") : tr("top class"), guessText(effect.before), guessText(effect.after));
        lines << line;
    }
    m_blocks->setSeries(series);
    m_blocks->setCaption(caption());
    m_output->setText(lines.join(QLatin1Char('\n')));
}

void AttentionPanel::showSummary()
{
    const auto& r = *m_report;
    QStringList parts;
    if (r.shown.joint.map == r.shown.joint.map)
        parts << tr("joint %1").arg(formatNumber(r.shown.joint.map, 3));
    if (r.shown.separate.map == r.shown.separate.map)
        parts << tr("separate %1").arg(formatNumber(r.shown.separate.map, 3));
    if (r.shown.plan.map == r.shown.plan.map)
        parts << tr("plan %1").arg(formatNumber(r.shown.plan.map, 3));
    const auto& shown = r.shown.of(r.source);
    QString text = tr("Layer %1, head %2: map error %3").arg(r.layer).arg(r.head).arg(parts.join(QStringLiteral(", ")));
    text += tr(" · output of the head %1 off").arg(formatPercent(shown.output));
    if (r.source != MapSource::Plan)
        text += tr(" · q and k of the layer: %1 of %2 parameters (%3)").arg(formatCount(static_cast<double>(r.cost.approximate)), formatCount(static_cast<double>(r.cost.dense)),
                                                                        formatPercent(static_cast<double>(r.cost.approximate) / static_cast<double>(std::max<std::int64_t>(r.cost.dense, 1)), 0));
    if (r.averagedSamples > 1)
        text += tr(" · all heads: mean over %1 samples").arg(r.averagedSamples);
    m_summary->setText(text);
    m_summary->setToolTip(text);
    QStringList warnings;
    for (const auto& warning : r.warnings)
        warnings << QString::fromStdString(warning);
    setProblem(warnings.join(QLatin1Char(' ')));
}

void AttentionPanel::chooseHead(int layer, int head)
{
    if (!m_report || m_quiet || layer < 0 || layer >= m_report->layers)
        return;
    head = std::clamp(head, 0, static_cast<int>(m_report->headsOfLayer[static_cast<std::size_t>(layer)]) - 1);
    const QSignalBlocker quietLayer(m_layer), quietHead(m_head);
    m_layer->setCurrentIndex(layer);
    m_head->setCurrentIndex(head);
    m_errors->setChosen(std::pair{layer, head});
    if (layer != m_report->layer || head != m_report->head)
        emit headChosen(layer, head);
}

void AttentionPanel::pointQuery(int query)
{
    m_query = query >= 0 ? query : m_chosenQuery;
    m_lens->setQuery(m_query);
}

void AttentionPanel::chooseQuery(int query)
{
    m_chosenQuery = query;
    m_query = query;
    m_lens->setQuery(query);
}

void AttentionPanel::exportPart(FigureFormat format)
{
    Figure* figure = m_lens;
    QString name = QStringLiteral("where-a-query-looks");
    if (m_tabs->currentWidget() == m_errors) {
        figure = m_errors;
        name = QStringLiteral("head-errors");
    } else if (m_tabs->currentWidget() == m_ranking) {
        figure = m_ranking;
        name = QStringLiteral("heads");
    }
    emit exportRequested(figure, format, name);
}

} // namespace tamis::views
