// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QWidget>

class QLabel;
class QPushButton;
class QStackedWidget;
class QTabWidget;

namespace tamis::views {

class NoticeBar;
class TraceColumns;

/// The tab of caches: a line that says what is open and what runs, notices, and pages that labs hang in. What the user asks for is a signal.
class CachePanel : public QWidget {
    Q_OBJECT
public:
    explicit CachePanel(QWidget* parent = nullptr);

    /// Becomes the last page and its parent; `name` is its object name and what showPage() takes. `settings` stand in the dock beside the panel
    /// while the page is shown; nullptr: the page has its own.
    void addPage(QWidget* page, const QString& name, const QString& title, QWidget* settings = nullptr);
    void showPage(const QString& name); ///< another name: nothing happens; no pageShown
    QString page() const;               ///< its name; empty: there is none
    QWidget* settings() const;          ///< of the page that is shown, for the dock beside the panel, which takes it as its own

    void setSummary(const QString& text); ///< what is open; empty: nothing
    void setRunning(const QString& what); ///< what Stop ends; empty: nothing
    void setProblem(const QString& sentence); ///< empty: none
    TraceColumns* columns() const { return m_columns; } ///< hidden until the owner shows it

signals:
    void pageShown(const QString& name); ///< by the user
    void shown();                        ///< the panel came into sight
    void stopRequested();

protected:
    void showEvent(QShowEvent* event) override;

private:
    void showSettings();

    bool m_quiet = false;
    QLabel *m_summary, *m_running;
    QPushButton* m_stop;
    NoticeBar* m_notices;
    TraceColumns* m_columns;
    QTabWidget* m_pages;
    QStackedWidget* m_settings; ///< [pages]
};

} // namespace tamis::views
