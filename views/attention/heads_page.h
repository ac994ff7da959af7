// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"
#include "views/attention/attention_words.h"
#include "views/common/figure.h"
#include "views/common/method_form.h"

#include <QWidget>

#include <cstdint>
#include <vector>

class QAction;
class QComboBox;
class QLabel;
class QPushButton;
class QSpinBox;

namespace tamis::views {

class CopyableTableView;
class HeadComparisonModel;
class HeatMap;

/// Where a choice of the user goes.
struct HeadPlace {
    int layer = 0;
    std::int64_t head = -1; ///< -1: all of the layer
    bool operator==(const HeadPlace&) const = default;
};

/// All heads: layers by heads coloured by one measure, a table of all measures that sorts, and what stands where: the method of the settings,
/// exact attention or what suits the head can be put in place of a head or a block. Heads with a choice of their own have a folded corner.
class HeadsPage : public QWidget {
    Q_OBJECT
public:
    explicit HeadsPage(QWidget* parent = nullptr);

    void setHeads(const std::vector<report::HeadComparison>& heads, std::size_t samples); ///< empty: none
    void setMethods(const std::vector<OfferedMethod>& methods); ///< that may suit a head
    void setChoices(const GeneralChoice& general, const std::vector<OwnChoice>& own);
    void setChosen(int layer, std::int64_t head); ///< without a signal
    void setStale(bool stale);                    ///< errors are of older choices
    void setCaption(const QString& settings);
    void setEffectReason(const QString& reason); ///< why effects cannot be measured now; empty: they can
    void setSuitedReason(const QString& reason); ///< why suited methods cannot be searched now; empty: they can

    double share() const; ///< of the exact multiply-adds that a suited method may take
    int measure() const; ///< HeadComparisonModel::Column of the map
    HeatMap* map() const { return m_map; }
    HeadComparisonModel& heads() const { return *m_heads; }
    CopyableTableView* table() const { return m_table; }

signals:
    void headChosen(int layer, int head);
    void useRequested(tamis::views::HeadPlace place);       ///< the method of the settings
    void exactRequested(tamis::views::HeadPlace place);
    void forgetRequested(tamis::views::HeadPlace place);    ///< as the others again
    void suitedRequested(tamis::views::HeadPlace place);    ///< what suits each of them
    void allSuitedRequested();
    void effectsRequested();
    void searchRequested();                                 ///< for suited methods
    void shareChanged();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QWidget* buildBar();
    QWidget* buildActions();
    void buildTable();
    QPushButton* button(QWidget* parent, const QString& icon, const QString& title, const QString& name, const QString& help);
    void showMap();
    void showState();
    void choose(int layer, std::int64_t head);
    HeadPlace place(bool block) const { return {m_layer, block ? -1 : m_head}; }

    bool m_quiet = false, m_stale = false;
    int m_layer = -1;
    std::int64_t m_head = -1;
    std::size_t m_samples = 0;
    QComboBox* m_measure = nullptr;
    QSpinBox* m_share = nullptr;
    QLabel *m_state = nullptr, *m_chosen = nullptr;
    HeatMap* m_map = nullptr;
    HeadComparisonModel* m_heads = nullptr;
    CopyableTableView* m_table = nullptr;
    QPushButton *m_effects = nullptr, *m_search = nullptr, *m_allSuited = nullptr, *m_suited = nullptr, *m_forget = nullptr;
    std::vector<QWidget*> m_ofHead; ///< that need a chosen head
    std::vector<QAction*> m_actions;
};

} // namespace tamis::views
