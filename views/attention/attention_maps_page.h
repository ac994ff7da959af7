// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"
#include "views/common/figure.h"

#include <QImage>
#include <QWidget>

#include <memory>

class QComboBox;
class QLabel;

namespace tamis::views {

class AttentionLens;
class AttentionMaps;
class ClassBars;
class CopyableTableView;
class HeadErrorModel;

/// One head on one sample: its exact map, the map of what stands in its place and their difference; where a query looks in both; its errors
/// above those of trivial operators; what becomes of the output. Pointer, zoom and query are one for all of them.
class AttentionMapsPage : public QWidget {
    Q_OBJECT
public:
    explicit AttentionMapsPage(QWidget* parent = nullptr);

    /// Null: none. `head`: the viewed one over all samples; null: not measured. `method`: what stands in its place.
    void setReport(const std::shared_ptr<const report::AttentionReport>& report, const report::HeadComparison* head, const QString& method);
    void setPhoto(const QImage& photo); ///< what the model sees of the shown one
    void setCaption(const QString& settings);

    int query() const noexcept { return m_query; } ///< that the lens shows; -1: none
    AttentionMaps* maps() const { return m_maps; }
    AttentionLens* lens() const { return m_lens; }
    HeadErrorModel* errors() const { return m_errors; }
    ClassBars* classes() const { return m_classes; }

signals:
    void queryShown(int query); ///< -1: none
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QWidget* buildBar();
    QWidget* buildParts();
    void connectParts();
    void showMaps(const QString& method);
    void showEffect(const QString& method);
    void pointQuery(int query);
    void chooseQuery(int query);

    std::shared_ptr<const report::AttentionReport> m_report;
    int m_query = -1, m_chosenQuery = -1;
    bool m_scaleChosen = false;
    QString m_sample;
    QComboBox *m_shown = nullptr, *m_scale = nullptr;
    QLabel* m_effect = nullptr;
    AttentionMaps* m_maps = nullptr;
    AttentionLens* m_lens = nullptr;
    HeadErrorModel* m_errors = nullptr;
    CopyableTableView* m_table = nullptr;
    ClassBars* m_classes = nullptr;
};

} // namespace tamis::views
