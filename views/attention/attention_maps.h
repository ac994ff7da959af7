// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/attention/attention_map_view.h"

#include <array>

namespace tamis::views {

/// Two maps of one head on one sample, [tokens * tokens] each, query by query.
struct MapPair {
    int tokens = 0;
    bool causal = false;
    const std::vector<float>& exact;
    const std::vector<float>& approximate;
};

/// Exact map, approximate map and their difference side by side: one zoom, one pointed cell, one chosen query, one colour scale for the
/// two maps.
class AttentionMaps : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit AttentionMaps(QWidget* parent = nullptr);

    void setMaps(const MapPair& maps, const QString& approximateTitle, const QStringList& tokenNames);
    void setNamedAxes(bool named); ///< of all three
    void setShown(int map);        ///< one alone, with all the room; -1: all side by side
    void clear(const QString& why);
    void setScale(ColorScale scale);
    void setQuery(int query);   ///< chosen; -1: none; without a signal
    void setPointedQuery(int query); ///< brushed elsewhere: the row under the pointer; -1: none
    void setCaption(const QString& settings);

    AttentionMapView* exact() const { return m_maps[0]; }
    AttentionMapView* approximate() const { return m_maps[1]; }
    AttentionMapView* difference() const { return m_maps[2]; }
    const AttentionGrid& exactGrid() const noexcept { return m_exact; }
    const AttentionGrid& approximateGrid() const noexcept { return m_approximate; }

    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< query, key, exact, approximate, difference
    QString figureCaption() const override { return m_caption; }

signals:
    void queryPointed(int query); ///< -1: none
    void queryChosen(int query);  ///< -1: none

private:
    std::array<AttentionMapView*, 3> m_maps{};
    AttentionGrid m_exact, m_approximate;
    QString m_caption;
};

} // namespace tamis::views
