// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_lab_panel.h"

#include "views/addressing/addressing_bench.h"
#include "views/attention/attention_compare_page.h"
#include "views/attention/attention_maps_page.h"
#include "views/attention/attention_settings.h"
#include "views/attention/attention_training_page.h"
#include "views/attention/head_comparison_model.h"
#include "views/attention/heads_page.h"
#include "views/attention/length_page.h"
#include "views/attention/sparse_page.h"
#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {

AttentionLabPanel::AttentionLabPanel(PhotoModel& photos, QWidget* parent)
    : QWidget(parent), m_notices(new NoticeBar(this)), m_stack(new QStackedWidget(this)), m_pages(new PageTabs(this)), m_settings(new AttentionSettings(photos, this)),
      m_maps(new AttentionMapsPage(this)), m_heads(new HeadsPage(this)), m_compare(new AttentionComparePage(this)), m_training(new AttentionTrainingPage(this)), m_length(new LengthPage(this)), m_sparse(new SparsePage(this)), m_addressing(new AddressingBench(this))
{
    setObjectName(QStringLiteral("attentionLabPanel"));
    m_settings->hide(); // until a dock takes it
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing / 2);
    buildHead(column);
    m_notices->setObjectName(QStringLiteral("attentionLabNotices"));
    column->addWidget(m_notices);
    m_empty = new PlaceholderPanel(QStringLiteral("matrix"), {}, {}, m_stack);
    m_empty->setObjectName(QStringLiteral("attentionLabEmpty"));
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &AttentionLabPanel::openRequested);
    m_stack->addWidget(m_empty);
    buildPages();
    column->addWidget(m_stack, 1);
    setNothing(tr("No model is open"), tr("Open a directory with config.json and weights to put cheaper attention in place of its own."), {});
    setSummary({});
    setRunning({});
}

void AttentionLabPanel::buildHead(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    m_summary = new ElidedLabel(this, QStringLiteral("attentionLabSummary"), Ink::MutedText);
    m_running = mutedLabel(this, QStringLiteral("attentionLabRunning"));
    m_stop = new QPushButton(themedIcon(QStringLiteral("stop")), tr("Stop"), this);
    m_stop->setObjectName(QStringLiteral("stopAttention"));
    m_stop->setToolTip(tr("Stop what is running; what is finished stays"));
    connect(m_stop, &QPushButton::clicked, this, &AttentionLabPanel::stopRequested);
    row->addWidget(m_summary, 1);
    row->addWidget(m_running);
    row->addWidget(m_stop);
    column->addLayout(row);
    m_bar = new QWidget(this);
    auto* bar = new QHBoxLayout(m_bar);
    bar->setContentsMargins(0, 0, 0, 0);
    m_layer = labelledCombo(m_bar, bar, tr("&Layer"), QStringLiteral("labLayer"), tr("Block whose attention is seen closely, on all pages"));
    m_head = labelledCombo(m_bar, bar, tr("&Head"), QStringLiteral("labHead"), tr("Query head that is seen closely, on all pages"));
    m_badge = inkedLabel(m_bar, QStringLiteral("labOwnChoice"), Ink::HeldOut);
    bar->addWidget(m_badge);
    m_refining = inkedLabel(m_bar, QStringLiteral("labRefining"), Ink::Stale);
    bar->addWidget(m_refining);
    m_numbers = new ElidedLabel(m_bar, QStringLiteral("attentionLabNumbers"), Ink::Text);
    bar->addWidget(m_numbers, 1);
    column->addWidget(m_bar);
    connect(m_layer, &QComboBox::activated, this, [this] { chooseHead(m_layer->currentIndex(), m_head->currentIndex()); });
    connect(m_head, &QComboBox::activated, this, [this] { chooseHead(m_layer->currentIndex(), m_head->currentIndex()); });
}

void AttentionLabPanel::buildPages()
{
    m_pages->setObjectName(QStringLiteral("attentionLabPages"));
    m_pages->setDocumentMode(true);
    const auto add = [this](auto* page, const QString& title, const char* name) {
        page->setObjectName(QLatin1String(name));
        m_pages->addTab(page, title);
        connect(page, &std::remove_pointer_t<decltype(page)>::exportRequested, this, &AttentionLabPanel::exportRequested);
    };
    add(m_maps, tr("Maps"), "maps");
    add(m_heads, tr("Heads"), "heads");
    add(m_compare, tr("Compare"), "compare");
    add(m_training, tr("Train"), "training");
    add(m_length, tr("Length"), "length");
    add(m_sparse, tr("Sparse"), "sparse");
    add(m_addressing, tr("Addressing"), "addressing");
    m_stack->addWidget(m_pages);
    connect(m_pages, &QTabWidget::currentChanged, this, [this] {
        if (!m_quiet)
            emit pageShown(page());
    });
    connect(m_heads, &HeadsPage::headChosen, this, &AttentionLabPanel::chooseHead);
    connect(m_settings, &AttentionSettings::placeChosen, this, &AttentionLabPanel::chooseHead);
    connect(m_maps, &AttentionMapsPage::queryShown, m_sparse, &SparsePage::setQuery);
}

void AttentionLabPanel::setReport(std::shared_ptr<const report::AttentionReport> report)
{
    m_report = std::move(report);
    if (!m_report) {
        m_heads->setHeads({}, 0);
        m_maps->setReport(nullptr, nullptr, {});
        m_sparse->setReport(nullptr);
        m_settings->setBlocks(0, {});
        m_numbers->clear();
        return;
    }
    fillChoices();
    if (!m_report->heads.empty())
        m_heads->setHeads(m_report->heads, m_report->averagedSamples);
    const auto& view = m_report->view;
    m_heads->setChosen(view.layer, view.head);
    const auto& model = m_heads->heads();
    m_maps->setReport(m_report, model.head(model.rowOf(view.layer, view.head)), model.methodTitle(view.layer, view.head));
    m_sparse->setReport(m_report);
    m_settings->setPlace(view.layer, view.head);
    showNumbers();
    showBadge();
}

void AttentionLabPanel::fillChoices()
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
    const auto layer = static_cast<std::size_t>(m_report->view.layer);
    fill(m_layer, m_report->layers, m_report->view.layer);
    fill(m_head, layer < m_report->headsOfLayer.size() ? static_cast<int>(m_report->headsOfLayer[layer]) : 0, static_cast<int>(m_report->view.head));
}

void AttentionLabPanel::setChoices(const GeneralChoice& general, const std::vector<OwnChoice>& own)
{
    m_heads->setChoices(general, own);
    m_settings->setChoices(own);
    showBadge();
}

void AttentionLabPanel::chooseHead(int layer, int head)
{
    if (!m_report || m_quiet || layer < 0 || layer >= static_cast<int>(m_report->headsOfLayer.size()))
        return;
    head = std::clamp(head, 0, static_cast<int>(m_report->headsOfLayer[static_cast<std::size_t>(layer)]) - 1);
    m_heads->setChosen(layer, head);
    m_settings->setPlace(layer, head);
    if (layer != m_report->view.layer || head != m_report->view.head)
        emit headChosen(layer, head);
}

/// What the present choices cost in all; those of the last complete report until there is another.
void AttentionLabPanel::showNumbers()
{
    if (!m_report->complete)
        return;
    const auto& r = *m_report;
    const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
    QStringList parts{tr("attention %1 MACs, exact %2 (%3)").arg(formatCount(number(r.attentionMacs)), formatCount(number(r.wholeAttentionMacs)), formatChange(number(r.wholeAttentionMacs), number(r.attentionMacs))),
                      tr("model %1 MACs (%2)").arg(formatCount(number(r.macs)), formatChange(number(r.wholeMacs), number(r.macs))),
                      r.wholeLiveBytes > 0 ? tr("scratch %1, exact %2").arg(formatBytes(number(r.liveBytes)), formatBytes(number(r.wholeLiveBytes))) : tr("scratch %1").arg(formatBytes(number(r.liveBytes)))};
    m_numbers->setText(parts.join(QStringLiteral(" · ")));
    m_numbers->setToolTip(parts.join(QLatin1Char('\n')));
    QStringList warnings;
    for (const auto& warning : r.warnings)
        warnings << words(warning);
    if (!warnings.isEmpty())
        setProblem(warnings.join(QLatin1Char(' ')));
}

void AttentionLabPanel::showBadge()
{
    const auto* own = m_report ? m_heads->heads().ownChoice(m_report->view.layer, m_report->view.head) : nullptr;
    m_badge->setText(!own ? QString() : own->head < 0 ? tr("◤ own choice of the block: %1").arg(own->title) : tr("◤ own choice: %1").arg(own->title));
    m_badge->setVisible(own != nullptr);
}

void AttentionLabPanel::setPhoto(const QImage& photo) { m_maps->setPhoto(photo); }

void AttentionLabPanel::setStale(bool stale)
{
    m_refining->setText(stale ? tr("refining…") : QString());
    m_heads->setStale(stale);
}

void AttentionLabPanel::setCaption(const QString& settings)
{
    m_maps->setCaption(settings);
    m_heads->setCaption(settings);
    m_training->setCaption(settings);
    m_length->setCaption(settings);
    m_sparse->setCaption(settings);
}

void AttentionLabPanel::setRunning(const QString& what)
{
    m_running->setText(what);
    m_running->setVisible(!what.isEmpty());
    m_stop->setVisible(!what.isEmpty());
}

void AttentionLabPanel::setSummary(const QString& text)
{
    m_summary->setText(text);
    m_summary->setToolTip(text);
    m_stack->setCurrentIndex(text.isEmpty() ? 0 : 1);
    m_bar->setVisible(!text.isEmpty());
}

void AttentionLabPanel::setNothing(const QString& title, const QString& text, const QString& action)
{
    m_empty->setTitle(title);
    m_empty->setText(text);
    m_empty->setAction(action);
}

void AttentionLabPanel::setProblem(const QString& sentence)
{
    sentence.isEmpty() ? m_notices->clear() : m_notices->showNotice(NoticeBar::Severity::Warning, sentence);
}

QString AttentionLabPanel::page() const { return m_pages->currentWidget() ? m_pages->currentWidget()->objectName() : QString(); }
int AttentionLabPanel::layer() const { return std::max(m_layer->currentIndex(), 0); }
int AttentionLabPanel::head() const { return std::max(m_head->currentIndex(), 0); }

void AttentionLabPanel::showPage(const QString& name)
{
    for (int at = 0; at < m_pages->count(); ++at)
        if (m_pages->widget(at)->objectName() == name) {
            const QScopedValueRollback quiet(m_quiet, true);
            m_pages->setCurrentIndex(at);
        }
}

void AttentionLabPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit shown();
}

} // namespace tamis::views
