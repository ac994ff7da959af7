// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/low_rank_panel.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/notice_bar.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVariant>
#include <QVBoxLayout>

namespace tamis::views {
namespace {
constexpr const char* kSettings = "settings"; ///< property of a page
} // namespace

LowRankPanel::LowRankPanel(QWidget* parent)
    : QWidget(parent), m_pages(new PageTabs(this)), m_settings(new QStackedWidget(this)), m_notices(new NoticeBar(this)),
      m_empty(new PlaceholderPanel(QStringLiteral("model"), tr("No model is open"),
                                   tr("Open a directory with config.json and weights to compress it by low-rank methods and compare them."), this))
{
    setObjectName(QStringLiteral("lowRankPanel"));
    m_empty->setObjectName(QStringLiteral("lowRankEmpty"));
    m_notices->setObjectName(QStringLiteral("lowRankNotices"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    auto* row = new QHBoxLayout;
    row->setSpacing(Theme::kSpacing);
    m_summary = mutedLabel(this, QStringLiteral("lowRankSummary"));
    m_summary->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_summary->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_running = mutedLabel(this, QStringLiteral("lowRankRunning"));
    m_stop = new QPushButton(themedIcon(QStringLiteral("stop")), tr("Stop"), this);
    m_stop->setObjectName(QStringLiteral("stopLowRank"));
    m_stop->setToolTip(tr("Stop what is running; what is finished stays"));
    connect(m_stop, &QPushButton::clicked, this, &LowRankPanel::stopRequested);
    row->addWidget(m_summary, 1);
    row->addWidget(m_running);
    row->addWidget(m_stop);
    column->addLayout(row);
    column->addWidget(m_notices);
    m_pages->setObjectName(QStringLiteral("lowRankPages"));
    m_pages->setDocumentMode(true);
    column->addWidget(m_pages, 1);
    column->addWidget(m_empty, 1);
    m_settings->setObjectName(QStringLiteral("lowRankSettings"));
    m_settings->hide(); // until a dock takes it
    m_noSettings = mutedLabel(m_settings, QStringLiteral("noLowRankSettings"));
    m_noSettings->setText(tr("This page has no settings."));
    m_noSettings->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    m_settings->addWidget(m_noSettings);
    connect(m_pages, &QTabWidget::currentChanged, this, [this] {
        showSettings();
        if (!m_quiet)
            emit pageShown(page());
        emit cameIntoSight();
    });
    setModelOpen(false);
    setRunning({});
}

void LowRankPanel::addPage(QWidget* page, const QString& title, const QString& name, QWidget* settings)
{
    page->setObjectName(name);
    if (settings) {
        m_settings->addWidget(settings);
        page->setProperty(kSettings, QVariant::fromValue<QWidget*>(settings));
    }
    m_quiet = true;
    m_pages->addTab(page, title);
    m_quiet = false;
    showSettings();
}

QWidget* LowRankPanel::settings() const { return m_settings; }

void LowRankPanel::showSettings()
{
    auto* wanted = m_pages->currentWidget() ? m_pages->currentWidget()->property(kSettings).value<QWidget*>() : nullptr;
    m_settings->setCurrentWidget(wanted ? wanted : m_noSettings);
}

QWidget* LowRankPanel::page(const QString& name) const
{
    for (int index = 0; index < m_pages->count(); ++index)
        if (m_pages->widget(index)->objectName() == name)
            return m_pages->widget(index);
    return nullptr;
}

QString LowRankPanel::page() const { return m_pages->currentWidget() ? m_pages->currentWidget()->objectName() : QString(); }

void LowRankPanel::showPage(const QString& name)
{
    if (QWidget* wanted = page(name)) {
        m_quiet = true;
        m_pages->setCurrentWidget(wanted);
        m_quiet = false;
    }
}

void LowRankPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit cameIntoSight();
}

void LowRankPanel::setModelOpen(bool open)
{
    m_pages->setVisible(open);
    m_empty->setVisible(!open);
    m_summary->setVisible(open);
}

void LowRankPanel::setEmptyState(const QString& title, const QString& text)
{
    m_empty->setTitle(title);
    m_empty->setText(text);
}

void LowRankPanel::setSummary(const QString& text)
{
    m_summary->setText(text);
    m_summary->setToolTip(text);
}

void LowRankPanel::setRunning(const QString& what)
{
    m_running->setText(what);
    m_running->setVisible(!what.isEmpty());
    m_stop->setVisible(!what.isEmpty());
}

} // namespace tamis::views
