// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Messages in place: a strip instead of a modal dialogue, and what an empty panel says.
#include <QFrame>

class QLabel;
class QPushButton;
class QToolButton;

namespace tamis::views {

/// Hidden until show*(); a more severe message replaces a lesser one, the same or a lesser severity replaces too. Plain text.
class NoticeBar : public QFrame {
    Q_OBJECT
public:
    enum class Severity { Information, Warning, Error };
    Q_ENUM(Severity)

    explicit NoticeBar(QWidget* parent = nullptr);
    void showNotice(Severity severity, const QString& text, const QString& action = {});
    void clear(); ///< no signal
    QString text() const;
    Severity severity() const { return m_severity; }

signals:
    void actionTriggered();
    void dismissed(); ///< by the user

private:
    void restyle();
    Severity m_severity = Severity::Information;
    QLabel* m_icon;
    QLabel* m_text;
    QPushButton* m_action;
    QToolButton* m_close;
};

/// Centred title, explanation and optionally one action: for panels that have nothing to show yet.
class PlaceholderPanel : public QWidget {
    Q_OBJECT
public:
    PlaceholderPanel(const QString& icon, const QString& title, const QString& text, QWidget* parent = nullptr);
    void setAction(const QString& text); ///< empty: no button
    void setText(const QString& text);
    void setTitle(const QString& title);

signals:
    void actionTriggered();

private:
    void restyle();
    QString m_iconName;
    QLabel* m_icon;
    QLabel* m_title;
    QLabel* m_text;
    QPushButton* m_action;
};

} // namespace tamis::views
