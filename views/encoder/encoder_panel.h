// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/encoder_comparison.h"
#include "core/report/encoder_report.h"
#include "core/report/encoder_tokens.h"
#include "views/common/figure.h"

#include <QImage>
#include <QWidget>

#include <cstdint>
#include <memory>
#include <vector>

class QLabel;
class QPushButton;
class QStackedWidget;
class QTabWidget;
class QVBoxLayout;

namespace tamis::views {

class CertificatePage;
class CostPage;
class EncoderSettings;
class NoticeBar;
class ParetoPage;
class PlaceholderPanel;
class RecallPage;
class SamplePage;
class SurfacePage;
class TokenPage;
class TrainingPage;

/// The encoder lab's tab: what is open and what the encoder finds, loses and costs in one line, its pages below. What the user asks for is
/// an intent; nothing is computed here.
class EncoderPanel : public QWidget {
    Q_OBJECT
public:
    explicit EncoderPanel(QWidget* parent = nullptr);

    /// `complete`: of all tokens and with what is measured; else a first picture. Null: none.
    void setReport(std::shared_ptr<const report::EncoderReport> report, bool complete, std::int64_t allTokens);
    const std::shared_ptr<const report::EncoderReport>& report() const noexcept { return m_report; }
    void setRanking(std::shared_ptr<const report::TokenRanking> ranking);
    void setToken(std::int64_t token, std::int64_t tokens);
    /// Where the tokens stand, with the photos; null: nothing is known of it.
    void setPlaces(const std::shared_ptr<const report::TokenPlaces>& places, const std::vector<QImage>& photos);
    /// Candidates that are re-ranked; `ofMethod`: the method's own parameter. Everything that depends on it follows at once.
    void setCut(std::int64_t cut, bool ofMethod);
    void setCaption(const QString& settings);
    void setStale(bool stale); ///< what is shown is of other settings than those chosen
    void setRunning(const QString& what); ///< a job that Stop ends; empty: none
    void setSummary(const QString& text); ///< what is open; empty: nothing, and the word what to open
    void setProblem(const QString& sentence); ///< why there is no report; empty: none
    void showPage(const QString& name); ///< "token", "sample", "recall", "surface", "cost", "training", "compare", "certificate"; another: nothing happens; no pageShown
    QString page() const;

    EncoderSettings* settings() const { return m_settings; } ///< for the dock beside the panel, which may take it as its own
    TokenPage* token() const { return m_token; }
    SamplePage* sample() const { return m_sample; }
    RecallPage* recall() const { return m_recall; }
    SurfacePage* surface() const { return m_surface; }
    CostPage* cost() const { return m_cost; }
    TrainingPage* training() const { return m_training; }
    ParetoPage* compare() const { return m_compare; }
    CertificatePage* certificate() const { return m_certificate; }

signals:
    void pageShown(const QString& name); ///< by the user
    void shown();                        ///< the panel came into sight
    void openRequested();                ///< from the empty state
    void stopRequested();
    void tokenChosen(qlonglong token);
    void cutMoved(qlonglong cut, bool finished);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void showEvent(QShowEvent* event) override;

private:
    void buildHead(QVBoxLayout* column);
    void buildPages();
    void showHead();
    void showWorst();
    void showCertificate();

    std::shared_ptr<const report::EncoderReport> m_report;
    bool m_complete = false, m_quiet = false;
    std::int64_t m_allTokens = 0;
    QLabel *m_summary, *m_running, *m_state, *m_stale;
    QPushButton* m_stop;
    NoticeBar* m_notices;
    QStackedWidget* m_stack;
    PlaceholderPanel* m_empty;
    QTabWidget* m_pages;
    EncoderSettings* m_settings;
    TokenPage* m_token;
    SamplePage* m_sample;
    RecallPage* m_recall;
    SurfacePage* m_surface;
    CostPage* m_cost;
    TrainingPage* m_training;
    ParetoPage* m_compare;
    CertificatePage* m_certificate;
};

} // namespace tamis::views
