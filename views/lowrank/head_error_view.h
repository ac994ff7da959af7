// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_map_report.h"
#include "views/common/figure.h"

#include <QImage>
#include <QWidget>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

class QComboBox;
class QStackedLayout;

namespace tamis::views {

class HeatMap;

/// Errors of all heads, layers by heads, as bars in space; a click picks the head. Without OpenGL, and at the user's wish, a flat heat
/// map of the same values.
class HeadErrorView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit HeadErrorView(QWidget* parent = nullptr);
    ~HeadErrorView() override;

    void setHeads(const std::vector<report::AttentionHead>& heads, report::MapSource source, const QString& sourceTitle);
    void setChosen(std::optional<std::pair<int, int>> layerAndHead); ///< without a signal
    void setCaption(const QString& settings) { m_caption = settings; }
    bool hasScene() const noexcept { return m_scene != nullptr; }
    HeatMap* flat() const { return m_flat; }
    QWidget* sceneWidget() const;
    QPointF toPixel(int layer, int head) const; ///< in the scene widget's coordinates
    QImage snapshot();

    QSize figureSize() const override;
    void paintFigure(QPainter& painter) const override; ///< the flat map: a vector drawing
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

public slots:
    void resetView();

signals:
    void headPicked(int layer, int head);

private:
    struct Scene;
    void rebuild();
    double value(const report::AttentionHead& head) const;

    std::vector<report::AttentionHead> m_heads;
    report::MapSource m_source = report::MapSource::Joint;
    QString m_sourceTitle, m_caption;
    std::optional<std::pair<int, int>> m_chosen;
    QComboBox *m_measure = nullptr, *m_of = nullptr, *m_form = nullptr;
    HeatMap* m_flat = nullptr;
    QStackedLayout* m_pages = nullptr;
    std::unique_ptr<Scene> m_scene;
};

} // namespace tamis::views
