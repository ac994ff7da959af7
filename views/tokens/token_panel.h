// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"
#include "views/tokens/token_picture.h"

#include <QWidget>

#include <vector>

class QLabel;
class QPushButton;
class QStackedWidget;
class QTabWidget;
class QVBoxLayout;

namespace tamis::views {

class LayersPage;
class NoticeBar;
class OverlayPage;
class PlaceholderPanel;
class TokenParetoPage;
class TokenPhotoModel;
class TokenSettings;
class TokenStrip;
class TokenTrainingPage;

/// The token lab's tab: a photo with its tokens, what fewer of them cost block by block and over the folder, the folder's photos below. What
/// the user asks for is an intent; nothing is computed here.
class TokenPanel : public QWidget {
    Q_OBJECT
public:
    explicit TokenPanel(QWidget* parent = nullptr);

    /// Of the chosen photo. Empty pictures: none.
    void setPictures(const TokenPicture& whole, const TokenPicture& reduced, const QString& title);
    void setPinned(const TokenPicture& picture, const QString& title);
    void setWishes(const std::vector<report::TokenWish>& wishes);
    void setDepth(int depth); ///< in all views; without a signal
    void setStale(bool stale);
    void setCaption(const QString& settings);
    void setRunning(const QString& what);     ///< a job that Stop ends; empty: none
    void setSummary(const QString& text);     ///< what is open; empty: nothing, and the word what to open
    void setNothing(const QString& title, const QString& text, const QString& action); ///< what the empty state says
    void setProblem(const QString& sentence); ///< empty: none
    void refreshKept();                       ///< the folder's counts, after its photos changed
    void showPage(const QString& name); ///< "tokens", "layers", "compare", "training"; another: nothing happens; no pageShown
    QString page() const;

    TokenSettings* settings() const { return m_settings; } ///< for the dock beside the panel, which may take it as its own
    OverlayPage* overlays() const { return m_overlays; }
    LayersPage* layers() const { return m_layers; }
    TokenParetoPage* compare() const { return m_compare; }
    TokenTrainingPage* training() const { return m_training; }
    TokenStrip* strip() const { return m_strip; }
    TokenPhotoModel& photos() const { return *m_photos; }

signals:
    void pageShown(const QString& name); ///< by the user
    void shown();                        ///< the panel came into sight
    void openRequested();                ///< from the empty state
    void openPhotosRequested();
    void stopRequested();
    void depthChanged(int depth);
    void pinRequested();
    void photoChosen(const QString& name);
    void wishRequested(int sourceToken, tamis::report::TokenWish wish);
    void jsonRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void showEvent(QShowEvent* event) override;

private:
    void buildHead(QVBoxLayout* column);
    void buildPages();
    void showNumbers(const TokenPicture& reduced);

    bool m_quiet = false;
    QLabel *m_summary = nullptr, *m_running = nullptr, *m_numbers = nullptr;
    QPushButton* m_stop = nullptr;
    NoticeBar* m_notices;
    QStackedWidget* m_stack;
    PlaceholderPanel* m_empty;
    QTabWidget* m_pages;
    TokenPhotoModel* m_photos;
    TokenSettings* m_settings;
    OverlayPage* m_overlays;
    LayersPage* m_layers;
    TokenParetoPage* m_compare;
    TokenTrainingPage* m_training;
    TokenStrip* m_strip;
};

} // namespace tamis::views
