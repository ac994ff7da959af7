// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"
#include "views/tokens/token_picture.h"

#include <QWidget>

#include <vector>

class QBoxLayout;
class QComboBox;
class QLabel;
class QSlider;
class QToolButton;

namespace tamis::views {

class ClassBars;
class ExportButton;
class TokenOverlayView;

/// What stands beside the reduced photo.
enum class Beside { Whole, Pinned, Nothing };

/// One photo reduced, beside the whole model or settings that were pinned: pointer, zoom and depth are one, the classes of both stand
/// together. What is asked for by hand is a signal.
class OverlayPage : public QWidget {
    Q_OBJECT
public:
    explicit OverlayPage(QWidget* parent = nullptr);

    void setReduced(const TokenPicture& picture, const QString& title);
    void setWhole(const TokenPicture& picture);
    void setPinned(const TokenPicture& picture, const QString& title); ///< empty title: nothing is pinned
    void setBeside(Beside beside); ///< without a signal; Pinned only where something is
    Beside beside() const noexcept { return m_beside; }
    void setWishes(const std::vector<report::TokenWish>& wishes);
    void setWishable(bool wishable, const QString& reason); ///< of the reduced photo; the reason why not, a sentence
    void setDepth(int depth); ///< without a signal
    int depth() const;
    void setShade(TokenShade shade); ///< without a signal
    TokenShade shade() const;
    void setStale(bool stale);
    void setCaption(const QString& settings);
    void setEmptyText(const QString& text);

    TokenOverlayView* reduced() const { return m_reduced; }
    TokenOverlayView* other() const { return m_other; }
    ClassBars* classes() const { return m_classes; }

signals:
    void depthChanged(int depth);
    void shadeChanged(tamis::views::TokenShade shade);
    void besideChanged(tamis::views::Beside beside);
    void pinRequested();
    void wishRequested(int sourceToken, tamis::report::TokenWish wish);
    void jsonRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void buildControls(QBoxLayout* column);
    void buildViews(QBoxLayout* column);
    void buildExports(QBoxLayout* row);
    void link(TokenOverlayView* from, TokenOverlayView* to);
    void changeDepth(int depth);
    void showBeside();
    void showDepth();
    void showClasses();

    TokenPicture m_whole, m_pinned;
    QString m_pinnedTitle, m_reducedTitle;
    Beside m_beside = Beside::Whole;
    QComboBox *m_shade = nullptr, *m_besideChoice = nullptr;
    QSlider* m_depth = nullptr;
    QLabel* m_depthText = nullptr;
    QToolButton* m_pin = nullptr;
    TokenOverlayView *m_other, *m_reduced;
    ClassBars* m_classes;
};

} // namespace tamis::views
