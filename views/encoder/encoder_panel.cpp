// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/encoder_panel.h"

#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"
#include "views/encoder/certificate_model.h"
#include "views/encoder/certificate_page.h"
#include "views/encoder/cost_page.h"
#include "views/encoder/encoder_settings.h"
#include "views/encoder/pareto_page.h"
#include "views/encoder/recall_page.h"
#include "views/encoder/sample_page.h"
#include "views/encoder/surface_page.h"
#include "views/encoder/token_page.h"
#include "views/encoder/training_page.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
QString times(double ratio) { return QString::number(ratio, 'f', ratio < 9.95 ? 1 : 0) + QStringLiteral("\u202f×"); }

/// "1.9 × fewer MACs", or how many times as many.
QString fewer(double exact, double encoder, const QString& what)
{
    return exact >= encoder ? EncoderPanel::tr("%1 fewer %2").arg(times(exact / encoder), what) : EncoderPanel::tr("%1 as many %2").arg(times(encoder / exact), what);
}
} // namespace

EncoderPanel::EncoderPanel(QWidget* parent)
    : QWidget(parent), m_notices(new NoticeBar(this)), m_stack(new QStackedWidget(this)), m_pages(new PageTabs(this)), m_settings(new EncoderSettings(this)),
      m_token(new TokenPage(this)), m_sample(new SamplePage(this)), m_recall(new RecallPage(this)), m_surface(new SurfacePage(this)), m_cost(new CostPage(this)),
      m_training(new TrainingPage(this)), m_compare(new ParetoPage(this)), m_certificate(new CertificatePage(this))
{
    setObjectName(QStringLiteral("encoderPanel"));
    m_settings->hide(); // until a dock takes it
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing / 2);
    buildHead(column);
    m_notices->setObjectName(QStringLiteral("encoderNoticeBar"));
    column->addWidget(m_notices);
    m_empty = new PlaceholderPanel(QStringLiteral("matrix"), tr("No autoencoder is open"),
                                   tr("Open a directory with a sparse autoencoder, or drop it on the window, to make its encoder cheaper and see what that misses. "
                                      "Ctrl+K, \"Open the bundled autoencoder\" has one to try."),
                                   m_stack);
    m_empty->setObjectName(QStringLiteral("encoderEmpty"));
    m_empty->setAction(tr("Open an autoencoder…"));
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &EncoderPanel::openRequested);
    m_stack->addWidget(m_empty);
    buildPages();
    column->addWidget(m_stack, 1);
    setPlaces(nullptr, {});
    setSummary({});
    setRunning({});
    setReport(nullptr, false, 0);
}

void EncoderPanel::buildHead(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    m_summary = new ElidedLabel(this, QStringLiteral("encoderSummary"), Ink::MutedText);
    m_running = mutedLabel(this, QStringLiteral("encoderRunning"));
    m_stop = new QPushButton(themedIcon(QStringLiteral("stop")), tr("Stop"), this);
    m_stop->setObjectName(QStringLiteral("stopEncoder"));
    m_stop->setToolTip(tr("Stop what is running; what is finished stays"));
    connect(m_stop, &QPushButton::clicked, this, &EncoderPanel::stopRequested);
    row->addWidget(m_summary, 1);
    row->addWidget(m_running);
    row->addWidget(m_stop);
    column->addLayout(row);
    auto* numbers = new QHBoxLayout;
    m_state = new ElidedLabel(this, QStringLiteral("encoderState"), Ink::Text);
    m_stale = inkedLabel(this, QStringLiteral("encoderStale"), Ink::Stale);
    m_stale->setText(tr("of older settings"));
    m_stale->hide();
    numbers->addWidget(m_state, 1);
    numbers->addWidget(m_stale);
    column->addLayout(numbers);
}

void EncoderPanel::buildPages()
{
    m_pages->setObjectName(QStringLiteral("encoderPages"));
    m_pages->setDocumentMode(true);
    const auto add = [this](QWidget* page, const QString& title, const char* name) {
        page->setObjectName(QLatin1String(name));
        m_pages->addTab(page, title);
    };
    add(m_token, tr("Coarse against exact"), "token");
    add(m_sample, QString(), "sample");
    add(m_recall, tr("Recall"), "recall");
    add(m_surface, tr("Surface"), "surface");
    add(m_cost, tr("Cost"), "cost");
    add(m_training, tr("Training"), "training");
    add(m_compare, tr("Compare"), "compare");
    add(m_certificate, tr("Certificate"), "certificate");
    m_stack->addWidget(m_pages);
    connect(m_pages, &QTabWidget::currentChanged, this, [this] {
        if (!m_quiet)
            emit pageShown(page());
    });
    connect(m_token, &TokenPage::tokenChosen, this, &EncoderPanel::tokenChosen);
    connect(m_sample, &SamplePage::tokenChosen, this, &EncoderPanel::tokenChosen);
    connect(m_sample, &SamplePage::exportRequested, this, &EncoderPanel::exportRequested);
    connect(m_token, &TokenPage::cutMoved, this, &EncoderPanel::cutMoved);
    connect(m_recall, &RecallPage::cutMoved, this, &EncoderPanel::cutMoved);
    connect(m_token, &TokenPage::exportRequested, this, &EncoderPanel::exportRequested);
    connect(m_recall, &RecallPage::exportRequested, this, &EncoderPanel::exportRequested);
    connect(m_surface, &SurfacePage::exportRequested, this, &EncoderPanel::exportRequested);
    connect(m_cost, &CostPage::exportRequested, this, &EncoderPanel::exportRequested);
    connect(m_training, &TrainingPage::exportRequested, this, &EncoderPanel::exportRequested);
    connect(m_compare, &ParetoPage::exportRequested, this, &EncoderPanel::exportRequested);
    connect(m_certificate, &CertificatePage::exportRequested, this, &EncoderPanel::exportRequested);
    connect(m_certificate, &CertificatePage::tokenActivated, this, [this](qlonglong token) {
        emit tokenChosen(token);
        m_pages->setCurrentWidget(m_token);
    });
}

void EncoderPanel::setReport(std::shared_ptr<const report::EncoderReport> report, bool complete, std::int64_t allTokens)
{
    m_report = std::move(report);
    m_complete = complete;
    m_allTokens = allTokens;
    m_sample->setReport(m_report);
    m_recall->setReport(m_report);
    m_cost->setReport(m_report);
    m_certificate->setReport(m_report);
    showHead();
    showWorst();
    showCertificate();
}

/// Of the token that is seen closely.
void EncoderPanel::showCertificate()
{
    const auto token = static_cast<std::size_t>(m_token->token());
    const bool known = m_report && m_complete && m_report->certified && token < m_report->outcomes.size(); // a first picture has other tokens
    m_token->setCertificate(known ? tr("Set: %1").arg(certaintyText(m_report->outcomes[token])) : QString());
}

void EncoderPanel::showHead()
{
    if (!m_report) {
        m_state->clear();
        return;
    }
    const auto& q = m_report->quality;
    QStringList parts{tr("Recall %1 (p5 %2, least %3)").arg(formatPercent(q.recallMean, 2), formatPercent(q.recallP5), formatPercent(q.recallMin)),
                      tr("FVU %1, exact %2").arg(formatNumber(q.fvu), formatNumber(q.fvuExact))};
    if (m_report->cost.macs > 0 && m_report->exactCost.macs > 0)
        parts << fewer(m_report->exactCost.macs, m_report->cost.macs, tr("MACs"));
    if (m_report->cost.bytesRead > 0 && m_report->exactCost.bytesRead > 0)
        parts << fewer(m_report->exactCost.bytesRead, m_report->cost.bytesRead, tr("bytes"));
    if (const auto one = std::ranges::find(m_report->latency, std::int64_t{1}, &report::EncoderLatency::batch); one != m_report->latency.end())
        parts << tr("%1 as fast, measured").arg(times(one->exactP50 / one->p50));
    parts << (m_report->tokens < m_allTokens ? tr("%1 of %2 tokens so far").arg(m_report->tokens).arg(m_allTokens) : tr("%1 tokens").arg(m_report->tokens));
    m_state->setText(parts.join(QStringLiteral(" · ")));
    m_state->setToolTip(parts.join(QLatin1Char('\n')));
}

void EncoderPanel::showWorst()
{
    if (!m_report || !m_complete) { // a first picture has other tokens
        m_token->setWorst(-1, 0);
        return;
    }
    const auto worst = std::ranges::min_element(m_report->outcomes, {}, &report::TokenOutcome::recall);
    const bool lost = worst != m_report->outcomes.end() && worst->recall < 1;
    m_token->setWorst(lost ? worst - m_report->outcomes.begin() : -1, lost ? worst->recall : 1);
}

void EncoderPanel::setRanking(std::shared_ptr<const report::TokenRanking> ranking) { m_token->setRanking(std::move(ranking)); }

void EncoderPanel::setToken(std::int64_t token, std::int64_t tokens)
{
    m_token->setTokens(tokens);
    m_token->setToken(token);
    m_sample->setToken(token);
    showCertificate();
}

void EncoderPanel::setPlaces(const std::shared_ptr<const report::TokenPlaces>& places, const std::vector<QImage>& photos)
{
    m_sample->setPlaces(places, photos);
    m_pages->setTabText(m_pages->indexOf(m_sample), !places ? tr("Photo and text") : places->photos() ? tr("On the photo") : tr("In the text"));
}

void EncoderPanel::setCut(std::int64_t cut, bool ofMethod)
{
    m_token->setCut(cut);
    m_sample->setCut(cut);
    m_recall->setCut(cut, ofMethod);
}

void EncoderPanel::setCaption(const QString& settings)
{
    m_token->setCaption(settings);
    m_sample->setCaption(settings);
    m_recall->setCaption(settings);
    m_cost->setCaption(settings);
    m_certificate->setCaption(settings);
}

void EncoderPanel::setStale(bool stale)
{
    m_stale->setVisible(stale && m_report);
    m_token->setStale(stale && m_report);
    m_sample->setStale(stale && m_report);
    m_recall->setStale(stale && m_report);
}

void EncoderPanel::setRunning(const QString& what)
{
    m_running->setText(what);
    m_running->setVisible(!what.isEmpty());
    m_stop->setVisible(!what.isEmpty());
}

void EncoderPanel::setSummary(const QString& text)
{
    m_summary->setText(text);
    m_summary->setToolTip(text);
    m_stack->setCurrentIndex(text.isEmpty() ? 0 : 1);
}

void EncoderPanel::setProblem(const QString& sentence)
{
    if (sentence.isEmpty())
        m_notices->clear();
    else
        m_notices->showNotice(NoticeBar::Severity::Warning, sentence);
}

QString EncoderPanel::page() const { return m_pages->currentWidget() ? m_pages->currentWidget()->objectName() : QString(); }

void EncoderPanel::showPage(const QString& name)
{
    for (int at = 0; at < m_pages->count(); ++at)
        if (m_pages->widget(at)->objectName() == name) {
            const QScopedValueRollback quiet(m_quiet, true);
            m_pages->setCurrentIndex(at);
        }
}

void EncoderPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit shown();
}

} // namespace tamis::views
