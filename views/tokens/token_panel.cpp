// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_panel.h"

#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"
#include "views/tokens/layers_page.h"
#include "views/tokens/overlay_page.h"
#include "views/tokens/token_overlay_view.h"
#include "views/tokens/token_pareto_page.h"
#include "views/tokens/token_photo_model.h"
#include "views/tokens/token_settings.h"
#include "views/tokens/token_strip.h"
#include "views/tokens/token_training_page.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include <cmath>
#include <numeric>

namespace tamis::views {

TokenPanel::TokenPanel(QWidget* parent)
    : QWidget(parent), m_notices(new NoticeBar(this)), m_stack(new QStackedWidget(this)), m_pages(new PageTabs(this)), m_photos(new TokenPhotoModel(this)),
      m_settings(new TokenSettings(this)), m_overlays(new OverlayPage(this)), m_layers(new LayersPage(this)), m_compare(new TokenParetoPage(this)),
      m_training(new TokenTrainingPage(this)),
      m_strip(new TokenStrip(*m_photos, this))
{
    setObjectName(QStringLiteral("tokenPanel"));
    m_settings->hide(); // until a dock takes it
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing / 2);
    buildHead(column);
    m_notices->setObjectName(QStringLiteral("tokenNoticeBar"));
    column->addWidget(m_notices);
    m_empty = new PlaceholderPanel(QStringLiteral("photo"), {}, {}, m_stack);
    m_empty->setObjectName(QStringLiteral("tokenEmpty"));
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &TokenPanel::openRequested);
    m_stack->addWidget(m_empty);
    buildPages();
    column->addWidget(m_stack, 1);
    setNothing(tr("No vision model is open"), tr("Open a vision transformer and a folder of photos to prune and merge its tokens on them."), tr("Open a model…"));
    setSummary({});
    setRunning({});
}

void TokenPanel::buildHead(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    m_summary = new ElidedLabel(this, QStringLiteral("tokenSummary"), Ink::MutedText);
    m_running = mutedLabel(this, QStringLiteral("tokenRunning"));
    m_stop = new QPushButton(themedIcon(QStringLiteral("stop")), tr("Stop"), this);
    m_stop->setObjectName(QStringLiteral("stopTokens"));
    m_stop->setToolTip(tr("Stop what is running; what is finished stays"));
    connect(m_stop, &QPushButton::clicked, this, &TokenPanel::stopRequested);
    row->addWidget(m_summary, 1);
    row->addWidget(m_running);
    row->addWidget(m_stop);
    column->addLayout(row);
    m_numbers = new QLabel(this);
    m_numbers->setObjectName(QStringLiteral("tokenNumbers"));
    m_numbers->setTextFormat(Qt::PlainText);
    m_numbers->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_numbers->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    column->addWidget(m_numbers);
}

void TokenPanel::buildPages()
{
    auto* whole = new QWidget(m_stack);
    auto* column = new QVBoxLayout(whole);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    m_pages->setObjectName(QStringLiteral("tokenPages"));
    m_pages->setDocumentMode(true);
    const auto add = [this](QWidget* page, const QString& title, const char* name) {
        page->setObjectName(QLatin1String(name));
        m_pages->addTab(page, title);
    };
    add(m_overlays, tr("Photo"), "tokens");
    add(m_layers, tr("Blocks"), "layers");
    add(m_compare, tr("Compare"), "compare");
    add(m_training, tr("Train"), "training");
    column->addWidget(m_pages, 1);
    column->addWidget(m_strip);
    m_stack->addWidget(whole);
    connect(m_pages, &QTabWidget::currentChanged, this, [this] {
        if (!m_quiet)
            emit pageShown(page());
    });
    const auto deeper = [this](int depth) {
        setDepth(depth);
        emit depthChanged(depth);
    };
    connect(m_overlays, &OverlayPage::depthChanged, this, deeper);
    connect(m_layers, &LayersPage::depthChanged, this, deeper);
    connect(m_overlays, &OverlayPage::pinRequested, this, &TokenPanel::pinRequested);
    connect(m_overlays, &OverlayPage::wishRequested, this, &TokenPanel::wishRequested);
    connect(m_overlays, &OverlayPage::jsonRequested, this, &TokenPanel::jsonRequested);
    connect(m_overlays, &OverlayPage::exportRequested, this, &TokenPanel::exportRequested);
    connect(m_layers, &LayersPage::exportRequested, this, &TokenPanel::exportRequested);
    connect(m_compare, &TokenParetoPage::exportRequested, this, &TokenPanel::exportRequested);
    connect(m_training, &TokenTrainingPage::exportRequested, this, &TokenPanel::exportRequested);
    connect(m_strip, &TokenStrip::photoChosen, this, &TokenPanel::photoChosen);
    connect(m_strip, &TokenStrip::openFolderRequested, this, &TokenPanel::openPhotosRequested);
}

void TokenPanel::setPictures(const TokenPicture& whole, const TokenPicture& reduced, const QString& title)
{
    m_overlays->setWhole(whole);
    m_overlays->setReduced(reduced, title);
    m_layers->setOverlay(reduced.overlay());
    m_layers->setDepth(m_overlays->depth());
    m_photos->setDepth(m_overlays->depth());
    showNumbers(reduced);
}

void TokenPanel::showNumbers(const TokenPicture& reduced)
{
    if (reduced.isEmpty())
        return m_numbers->clear();
    const auto& of = *reduced.overlay();
    QStringList parts{tr("%1 of %2 tokens reach the head").arg(reduced.tokens(reduced.blocks())).arg(reduced.tokens(0))};
    if (of.fullMacs > 0)
        parts << tr("%1 MACs, whole %2 (%3)").arg(formatCount(static_cast<double>(of.macs)), formatCount(static_cast<double>(of.fullMacs)),
                                                formatChange(static_cast<double>(of.fullMacs), static_cast<double>(of.macs)));
    if (std::isfinite(of.embeddingShift))
        parts << tr("features moved by %1 (1 − cosine)").arg(formatNumber(of.embeddingShift, 3));
    if (!of.unmergedShift.empty())
        parts << tr("on the grid by %1").arg(formatNumber(std::accumulate(of.unmergedShift.begin(), of.unmergedShift.end(), 0.0) / static_cast<double>(of.unmergedShift.size()), 3));
    if (!of.remark.empty())
        parts << QString::fromStdString(of.remark);
    if (classChanged(of))
        parts << tr("the class changed");
    for (const auto& warning : of.warnings)
        parts << QString::fromStdString(warning);
    m_numbers->setText(parts.join(QStringLiteral(" · ")));
    m_numbers->setToolTip(parts.join(QLatin1Char('\n')));
}

void TokenPanel::setPinned(const TokenPicture& picture, const QString& title) { m_overlays->setPinned(picture, title); }
void TokenPanel::setWishes(const std::vector<report::TokenWish>& wishes) { m_overlays->setWishes(wishes); }

void TokenPanel::setDepth(int depth)
{
    m_overlays->setDepth(depth);
    m_layers->setDepth(m_overlays->depth());
    m_photos->setDepth(m_overlays->depth());
}

void TokenPanel::setStale(bool stale)
{
    m_overlays->setStale(stale);
    m_layers->setStale(stale);
}

void TokenPanel::setCaption(const QString& settings)
{
    m_overlays->setCaption(settings);
    m_layers->setCaption(settings);
}

void TokenPanel::setRunning(const QString& what)
{
    m_running->setText(what);
    m_running->setVisible(!what.isEmpty());
    m_stop->setVisible(!what.isEmpty());
}

void TokenPanel::setSummary(const QString& text)
{
    m_summary->setText(text);
    m_summary->setToolTip(text);
    m_stack->setCurrentIndex(text.isEmpty() ? 0 : 1);
    m_numbers->setVisible(!text.isEmpty());
}

void TokenPanel::setNothing(const QString& title, const QString& text, const QString& action)
{
    m_empty->setTitle(title);
    m_empty->setText(text);
    m_empty->setAction(action);
}

void TokenPanel::setProblem(const QString& sentence)
{
    if (sentence.isEmpty())
        m_notices->clear();
    else
        m_notices->showNotice(NoticeBar::Severity::Warning, sentence);
}

void TokenPanel::refreshKept()
{
    std::vector<std::int64_t> counts;
    for (int row = 0; row < m_photos->count(); ++row)
        if (const auto& picture = m_photos->picture(row); !picture.isEmpty())
            counts.push_back(picture.tokens(picture.blocks()));
    m_layers->setKept(counts);
}

QString TokenPanel::page() const { return m_pages->currentWidget() ? m_pages->currentWidget()->objectName() : QString(); }

void TokenPanel::showPage(const QString& name)
{
    for (int at = 0; at < m_pages->count(); ++at)
        if (m_pages->widget(at)->objectName() == name) {
            const QScopedValueRollback quiet(m_quiet, true);
            m_pages->setCurrentIndex(at);
        }
}

void TokenPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit shown();
}

} // namespace tamis::views
