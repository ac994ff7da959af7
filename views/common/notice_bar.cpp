// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/notice_bar.h"

#include "views/common/icons.h"
#include "views/common/theme.h"

#include <QAccessible>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

namespace tamis::views {
namespace {
constexpr int kNoticeIcon = 16;
constexpr int kPlaceholderIcon = 48;
constexpr int kPlaceholderWidth = 420;

Ink inkOf(NoticeBar::Severity severity)
{
    switch (severity) {
    case NoticeBar::Severity::Information: return Ink::Accent;
    case NoticeBar::Severity::Warning: return Ink::Warning;
    case NoticeBar::Severity::Error: return Ink::Error;
    }
    return Ink::Text;
}

QString iconOf(NoticeBar::Severity severity)
{
    switch (severity) {
    case NoticeBar::Severity::Information: return QStringLiteral("info");
    case NoticeBar::Severity::Warning: return QStringLiteral("warning");
    case NoticeBar::Severity::Error: return QStringLiteral("error");
    }
    return {};
}
} // namespace

NoticeBar::NoticeBar(QWidget* parent)
    : QFrame(parent), m_icon(new QLabel(this)), m_text(new QLabel(this)), m_action(new QPushButton(this)), m_close(new QToolButton(this))
{
    setObjectName(QStringLiteral("notice-bar"));
    setFrameShape(QFrame::NoFrame);
    setAutoFillBackground(true);
    m_text->setObjectName(QStringLiteral("notice-text"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_text->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    m_action->setObjectName(QStringLiteral("notice-action"));
    m_close->setObjectName(QStringLiteral("notice-close"));
    m_close->setAutoRaise(true);
    m_close->setToolTip(tr("Dismiss"));
    m_close->setAccessibleName(tr("Dismiss message"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(Theme::kMargin + 4, 6, 6, 6);
    row->setSpacing(Theme::kSpacing);
    row->addWidget(m_icon, 0, Qt::AlignVCenter);
    row->addWidget(m_text, 1);
    row->addWidget(m_action);
    row->addWidget(m_close);
    connect(m_action, &QPushButton::clicked, this, &NoticeBar::actionTriggered);
    connect(m_close, &QToolButton::clicked, this, [this] {
        clear();
        emit dismissed();
    });
    connect(&Theme::instance(), &Theme::changed, this, &NoticeBar::restyle);
    hide();
}

void NoticeBar::showNotice(Severity severity, const QString& text, const QString& action)
{
    m_severity = severity;
    m_text->setText(text);
    m_action->setText(action);
    m_action->setVisible(!action.isEmpty());
    setAccessibleName(severity == Severity::Error ? tr("Error") : severity == Severity::Warning ? tr("Warning") : tr("Notice"));
    setAccessibleDescription(text);
    restyle();
    show();
    QAccessibleEvent alert(this, QAccessible::Alert);
    QAccessible::updateAccessibility(&alert);
}

void NoticeBar::clear()
{
    m_text->clear();
    hide();
}

QString NoticeBar::text() const { return m_text->text(); }

void NoticeBar::restyle()
{
    const Theme& theme = Theme::instance();
    const QColor tone = theme.color(inkOf(m_severity)), panel = theme.color(Ink::Panel);
    // A tenth of the tone keeps the text's contrast.
    const auto mix = [](int a, int b) { return (9 * a + b) / 10; };
    const QColor ground(mix(panel.red(), tone.red()), mix(panel.green(), tone.green()), mix(panel.blue(), tone.blue()));
    setStyleSheet(QStringLiteral("#notice-bar { background: %1; border: 0; border-left: 3px solid %2; }")
                      .arg(ground.name(), tone.name()));
    m_icon->setPixmap(themedIcon(iconOf(m_severity), inkOf(m_severity)).pixmap(QSize(kNoticeIcon, kNoticeIcon), devicePixelRatioF()));
    m_close->setIcon(themedIcon(QStringLiteral("close"), Ink::MutedText));
}

PlaceholderPanel::PlaceholderPanel(const QString& icon, const QString& title, const QString& text, QWidget* parent)
    : QWidget(parent), m_iconName(icon), m_icon(new QLabel(this)), m_title(new QLabel(title, this)), m_text(new QLabel(text, this)),
      m_action(new QPushButton(this))
{
    m_title->setFont(Theme::headingFont(font()));
    for (QLabel* label : {m_title, m_text}) {
        label->setTextFormat(Qt::PlainText);
        label->setAlignment(Qt::AlignCenter);
        label->setWordWrap(true);
        label->setMaximumWidth(kPlaceholderWidth);
    }
    m_icon->setAlignment(Qt::AlignCenter);
    m_action->setObjectName(QStringLiteral("placeholder-action"));
    m_action->hide();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(2 * Theme::kMargin, 2 * Theme::kMargin, 2 * Theme::kMargin, 2 * Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    column->addStretch();
    for (QWidget* widget : std::initializer_list<QWidget*>{m_icon, m_title, m_text}) {
        auto* row = new QHBoxLayout; // gives a wrapped label its full width, and centres it
        row->addStretch(1);
        row->addWidget(widget, 100);
        row->addStretch(1);
        column->addLayout(row);
    }
    column->addSpacing(Theme::kSpacing);
    column->addWidget(m_action, 0, Qt::AlignHCenter);
    column->addStretch();
    setAccessibleName(title);
    setAccessibleDescription(text);
    connect(m_action, &QPushButton::clicked, this, &PlaceholderPanel::actionTriggered);
    connect(&Theme::instance(), &Theme::changed, this, &PlaceholderPanel::restyle);
    restyle();
}

void PlaceholderPanel::setAction(const QString& text)
{
    m_action->setText(text);
    m_action->setVisible(!text.isEmpty());
}

void PlaceholderPanel::setText(const QString& text)
{
    m_text->setText(text);
    setAccessibleDescription(text);
}

void PlaceholderPanel::setTitle(const QString& title)
{
    m_title->setText(title);
    setAccessibleName(title);
}

void PlaceholderPanel::restyle()
{
    const QIcon icon = themedIcon(m_iconName, Ink::MutedText);
    m_icon->setPixmap(icon.pixmap(QSize(kPlaceholderIcon, kPlaceholderIcon), devicePixelRatioF()));
    m_icon->setVisible(!icon.isNull());
    QPalette muted = palette();
    muted.setColor(QPalette::WindowText, Theme::instance().color(Ink::MutedText));
    m_text->setPalette(muted);
}

} // namespace tamis::views
