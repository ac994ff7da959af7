// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QLabel;
class QPushButton;
class QStackedWidget;
class QTabWidget;

namespace tamis::views {

class NoticeBar;
class PlaceholderPanel;

/// The low-rank lab's tab: pages one beside the other, a bar above them that says what runs. What the user asks for is an
/// intent of a page; nothing is computed here.
class LowRankPanel : public QWidget {
    Q_OBJECT
public:
    explicit LowRankPanel(QWidget* parent = nullptr);

    /// Takes `page`, which gets a tab of its own after those that are there. `name` is its objectName and the session's name of it.
    /// `settings`, if any, is taken too and stands in settings() while the page is shown.
    void addPage(QWidget* page, const QString& title, const QString& name, QWidget* settings = nullptr);
    /// The shown page's settings: for the dock beside the panel, which may take it as its own.
    QWidget* settings() const;
    void showPage(const QString& name); ///< none of that name: nothing happens; no pageShown
    QString page() const;               ///< name of the page that is shown; empty without pages
    QWidget* page(const QString& name) const;

    void setModelOpen(bool open);                 ///< closed: the pages give way to a word about what to open
    void setEmptyState(const QString& title, const QString& text);
    void setSummary(const QString& text);         ///< what is open, in the bar
    void setRunning(const QString& what);         ///< a job that Stop ends: "Comparing"; empty: none
    NoticeBar* notices() const { return m_notices; }

signals:
    void pageShown(const QString& name); ///< by the user
    void stopRequested();
    void cameIntoSight(); ///< the panel, or another of its pages, was shown

protected:
    void showEvent(QShowEvent* event) override;

private:
    void showSettings();

    QTabWidget* m_pages;
    QStackedWidget* m_settings;
    QLabel* m_noSettings;
    NoticeBar* m_notices;
    PlaceholderPanel* m_empty;
    QLabel *m_summary, *m_running;
    QPushButton* m_stop;
    bool m_quiet = false;
};

} // namespace tamis::views
