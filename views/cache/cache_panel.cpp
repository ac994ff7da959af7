// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/cache_panel.h"

#include "views/cache/trace_columns.h"
#include "views/common/elided_label.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/notice_bar.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

namespace tamis::views {

CachePanel::CachePanel(QWidget* parent)
    : QWidget(parent), m_summary(new ElidedLabel(this, QStringLiteral("cacheSummary"), Ink::MutedText)), m_running(mutedLabel(this, QStringLiteral("cacheRunning"))),
      m_stop(new QPushButton(themedIcon(QStringLiteral("stop")), tr("Stop"), this)), m_notices(new NoticeBar(this)), m_columns(new TraceColumns(this)), m_pages(new PageTabs(this)), m_settings(new QStackedWidget(this))
{
    setObjectName(QStringLiteral("cachePanel"));
    m_settings->setObjectName(QStringLiteral("cacheSettings"));
    m_settings->hide(); // until a dock takes it
    m_stop->setObjectName(QStringLiteral("stopCache"));
    m_stop->setToolTip(tr("Stop what is running; what is finished stays"));
    m_notices->setObjectName(QStringLiteral("cacheNotices"));
    m_pages->setObjectName(QStringLiteral("cachePages"));
    m_pages->setDocumentMode(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->addWidget(m_summary, 1);
    row->addWidget(m_running);
    row->addWidget(m_stop);
    column->addLayout(row);
    column->addWidget(m_notices);
    column->addWidget(m_columns);
    m_columns->hide();
    column->addWidget(m_pages, 1);
    connect(m_stop, &QPushButton::clicked, this, &CachePanel::stopRequested);
    connect(m_pages, &QTabWidget::currentChanged, this, [this] {
        showSettings();
        if (!m_quiet)
            emit pageShown(page());
    });
    setSummary({});
    setRunning({});
}

void CachePanel::addPage(QWidget* page, const QString& name, const QString& title, QWidget* settings)
{
    page->setObjectName(name);
    if (!settings) {
        auto* word = mutedLabel(m_settings, {});
        word->setText(tr("The settings of this page stand on it."));
        word->setWordWrap(true);
        word->setAlignment(Qt::AlignTop | Qt::AlignLeft);
        word->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
        settings = word;
    }
    m_settings->addWidget(settings);
    const QScopedValueRollback quiet(m_quiet, true); // the first page becomes the current one
    m_pages->addTab(page, title);
    showSettings();
}

void CachePanel::showPage(const QString& name)
{
    const QScopedValueRollback quiet(m_quiet, true);
    for (int at = 0; at < m_pages->count(); ++at)
        if (m_pages->widget(at)->objectName() == name)
            m_pages->setCurrentIndex(at);
}

/// Hidden settings ask for no height, so that a dock scrolls by those in sight alone.
void CachePanel::showSettings()
{
    if (m_pages->currentIndex() < 0)
        return;
    m_settings->setCurrentIndex(m_pages->currentIndex());
    for (int at = 0; at < m_settings->count(); ++at)
        m_settings->widget(at)->setSizePolicy(QSizePolicy::Preferred, at == m_settings->currentIndex() ? QSizePolicy::Preferred : QSizePolicy::Ignored);
}

QString CachePanel::page() const { return m_pages->currentWidget() ? m_pages->currentWidget()->objectName() : QString(); }
QWidget* CachePanel::settings() const { return m_settings; }

void CachePanel::setSummary(const QString& text)
{
    m_summary->setText(text.isEmpty() ? tr("No trace is open.") : text);
    m_summary->setToolTip(text);
}

void CachePanel::setRunning(const QString& what)
{
    m_running->setText(what);
    m_running->setVisible(!what.isEmpty());
    m_stop->setVisible(!what.isEmpty());
}

void CachePanel::setProblem(const QString& sentence)
{
    sentence.isEmpty() ? m_notices->clear() : m_notices->showNotice(NoticeBar::Severity::Warning, sentence);
}

void CachePanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit shown();
}

} // namespace tamis::views
