// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_maps.h"

#include "views/common/figure_export.h"
#include "views/common/theme.h"

#include <QHBoxLayout>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {

AttentionMaps::AttentionMaps(QWidget* parent) : QWidget(parent)
{
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(1);
    constexpr std::array kNames{"exactMap", "approximateMap", "differenceMap"};
    for (std::size_t i = 0; i < m_maps.size(); ++i) {
        m_maps[i] = new AttentionMapView(this);
        m_maps[i]->setObjectName(QString::fromLatin1(kNames[i]));
        m_maps[i]->setToolTip({});
        row->addWidget(m_maps[i], 1);
    }
    m_maps[0]->setTitle(tr("exact"), tr("p"));
    m_maps[1]->setTitle(tr("approximate"), tr("p'"));
    m_maps[2]->setTitle(tr("difference"), tr("p' − p"));
    for (auto* from : m_maps)
        for (auto* to : m_maps)
            if (from != to) {
                connect(from, &AttentionMapView::viewChanged, to, &AttentionMapView::setView);
                connect(from, &AttentionMapView::pairPointed, to, &AttentionMapView::setPointed);
                connect(from, &AttentionMapView::queryChosen, to, &AttentionMapView::setChosenQuery);
            }
    for (auto* map : m_maps) {
        connect(map, &AttentionMapView::pairPointed, this, [this](std::optional<TokenPair> pair) { emit queryPointed(pair ? pair->query : -1); });
        connect(map, &AttentionMapView::queryChosen, this, &AttentionMaps::queryChosen);
    }
}

void AttentionMaps::setMaps(const MapPair& maps, const QString& approximateTitle, const QStringList& tokenNames)
{
    const auto shared = [](std::vector<float> values) { return std::make_shared<const std::vector<float>>(std::move(values)); };
    const int tokens = maps.tokens;
    double most = 0, mostDifference = 0;
    std::vector<float> difference(maps.exact.size());
    for (std::size_t i = 0; i < difference.size() && i < maps.approximate.size(); ++i) {
        difference[i] = maps.approximate[i] - maps.exact[i];
        for (const float value : {maps.exact[i], maps.approximate[i]})
            if (std::isfinite(value))
                most = std::max(most, static_cast<double>(value));
        if (std::isfinite(difference[i]))
            mostDifference = std::max(mostDifference, std::abs(static_cast<double>(difference[i])));
    }
    m_exact = {tokens, shared(maps.exact), false, most, maps.causal};
    m_approximate = {tokens, shared(maps.approximate), false, most, maps.causal};
    for (auto* map : m_maps)
        map->setTokenNames(tokenNames);
    m_maps[0]->setGrid(m_exact);
    m_maps[1]->setGrid(m_approximate);
    m_maps[1]->setTitle(approximateTitle, tr("p'"));
    m_maps[2]->setGrid({tokens, shared(std::move(difference)), true, mostDifference, maps.causal});
}

void AttentionMaps::clear(const QString& why)
{
    m_exact = m_approximate = {};
    for (auto* map : m_maps) {
        map->setGrid({});
        map->setEmptyText(why);
    }
}

void AttentionMaps::setNamedAxes(bool named)
{
    for (auto* map : m_maps)
        map->setNamedAxes(named);
}

void AttentionMaps::setShown(int map)
{
    for (std::size_t i = 0; i < m_maps.size(); ++i)
        m_maps[i]->setVisible(map < 0 || static_cast<std::size_t>(map) == i);
}

void AttentionMaps::setScale(ColorScale scale)
{
    for (auto* map : m_maps)
        map->setScale(scale);
}

void AttentionMaps::setQuery(int query)
{
    for (auto* map : m_maps)
        map->setChosenQuery(query);
}

void AttentionMaps::setPointedQuery(int query)
{
    for (auto* map : m_maps) {
        const auto before = map->pointed();
        map->setPointed(query >= 0 ? std::optional(TokenPair{query, before ? before->key : query}) : std::nullopt);
    }
}

void AttentionMaps::setCaption(const QString& settings)
{
    m_caption = settings;
    for (auto* map : m_maps)
        map->setCaption(settings);
}

void AttentionMaps::paintFigure(QPainter& painter) const
{
    painter.fillRect(rect(), Theme::instance().color(Ink::Panel));
    for (const auto* map : m_maps) {
        if (map->isHidden())
            continue;
        painter.save();
        painter.translate(map->pos());
        map->paintFigure(painter);
        painter.restore();
    }
}

QString AttentionMaps::figureCsv() const
{
    QString text = QStringLiteral("query,query token,key,key token,exact,approximate,difference\n");
    const auto name = [this](int token) {
        const QString whole = m_maps[0]->tokenName(token);
        return csvField(whole.section(QLatin1Char(' '), 1));
    };
    for (int query = 0; query < m_exact.tokens; ++query)
        for (int key = 0; key < m_exact.tokens; ++key)
            if (const auto exact = m_maps[0]->value({query, key})) {
                const double approximate = m_maps[1]->value({query, key}).value_or(NAN);
                text += QStringLiteral("%1,%2,%3,%4,%5,%6,%7\n").arg(query).arg(name(query)).arg(key).arg(name(key), QString::number(*exact, 'g', 9),
                                                                 QString::number(approximate, 'g', 9), QString::number(approximate - *exact, 'g', 9));
            }
    return text;
}

} // namespace tamis::views
