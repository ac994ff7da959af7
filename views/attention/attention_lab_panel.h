// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"
#include "views/attention/attention_words.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>
#include <vector>

class QComboBox;
class QLabel;
class QPushButton;
class QStackedWidget;
class QTabWidget;
class QVBoxLayout;

namespace tamis::views {

class AddressingBench;
class AttentionComparePage;
class AttentionMapsPage;
class AttentionSettings;
class AttentionTrainingPage;
class HeadsPage;
class LengthPage;
class NoticeBar;
class PhotoModel;
class PlaceholderPanel;
class SparsePage;

/// The attention lab's tab: maps of one head, all heads, methods compared, the model trained around them, cost against length, what sparse operators read, sparse addressing. What the user asks
/// for is a signal; nothing is computed here. The head that is seen closely is the same on all pages.
class AttentionLabPanel : public QWidget {
    Q_OBJECT
public:
    explicit AttentionLabPanel(PhotoModel& photos, QWidget* parent = nullptr); ///< `photos` outlives the panel

    /// Of the present choices; null: none. A report that is not complete keeps what the last complete one said of the output and the costs. Heads
    /// of an earlier report stay until a later one has some.
    void setReport(std::shared_ptr<const report::AttentionReport> report);
    const std::shared_ptr<const report::AttentionReport>& report() const noexcept { return m_report; }
    void setChoices(const GeneralChoice& general, const std::vector<OwnChoice>& own); ///< what stands where
    void setPhoto(const QImage& photo);
    void setStale(bool stale);
    void setCaption(const QString& settings);
    void setRunning(const QString& what);     ///< a job that Stop ends; empty: none
    void setSummary(const QString& text);     ///< what is open; empty: nothing, and the word what to open
    void setNothing(const QString& title, const QString& text, const QString& action); ///< what the empty state says
    void setProblem(const QString& sentence); ///< empty: none
    void showPage(const QString& name); ///< "maps", "heads", "compare", "training", "length", "sparse", "addressing"; another: nothing happens; no pageShown
    QString page() const;
    int layer() const;
    int head() const;

    AttentionSettings* settings() const { return m_settings; } ///< for the dock beside the panel, which may take it as its own
    AttentionMapsPage* maps() const { return m_maps; }
    HeadsPage* heads() const { return m_heads; }
    AttentionComparePage* compare() const { return m_compare; }
    AttentionTrainingPage* training() const { return m_training; }
    LengthPage* length() const { return m_length; }
    SparsePage* sparse() const { return m_sparse; }
    AddressingBench* addressing() const { return m_addressing; }

signals:
    void pageShown(const QString& name); ///< by the user
    void shown();                        ///< the panel came into sight
    void openRequested();                ///< from the empty state
    void stopRequested();
    void headChosen(int layer, int head);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void showEvent(QShowEvent* event) override;

private:
    void buildHead(QVBoxLayout* column);
    void buildPages();
    void fillChoices();
    void chooseHead(int layer, int head);
    void showNumbers();
    void showBadge();

    std::shared_ptr<const report::AttentionReport> m_report;
    bool m_quiet = false, m_stale = false;
    QLabel *m_summary = nullptr, *m_running = nullptr, *m_numbers = nullptr, *m_badge = nullptr, *m_refining = nullptr;
    QPushButton* m_stop = nullptr;
    QComboBox *m_layer = nullptr, *m_head = nullptr;
    QWidget* m_bar = nullptr;
    NoticeBar* m_notices;
    QStackedWidget* m_stack;
    PlaceholderPanel* m_empty;
    QTabWidget* m_pages;
    AttentionSettings* m_settings;
    AttentionMapsPage* m_maps;
    HeadsPage* m_heads;
    AttentionComparePage* m_compare;
    AttentionTrainingPage* m_training;
    LengthPage* m_length;
    SparsePage* m_sparse;
    AddressingBench* m_addressing;
};

} // namespace tamis::views
