// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Colours and measures of the window: the only place with colour literals.
#include <QColor>
#include <QFont>
#include <QObject>
#include <QPalette>

#include <array>

class QApplication;

namespace tamis::views {

/// What a colour is for. Every pair that carries text has a contrast of at least 4.5 : 1 (tst_theme).
enum class Ink {
    Window, Panel, Text, MutedText, Border, Grid, Accent, AccentText,
    Baseline, Loss, Energy, HeldOut, Warning, Error, Good, Stale,
    Selection, Outline ///< rows that are selected (with Text on them); edges of controls, 3 : 1 against Panel and Window
};

class Theme : public QObject
{
    Q_OBJECT
public:
    enum class Mode { System, Light, Dark };

    static Theme& instance();
    /// Palette, style and style sheet for the whole program; emits changed().
    void apply(QApplication& application, Mode mode);
    Mode mode() const noexcept { return m_mode; }
    bool isDark() const noexcept { return m_dark; }

    QColor color(Ink ink) const;
    /// Ten series colours that colour-blind readers can tell apart, readable on Window in both modes; repeats after ten.
    QColor seriesColor(int index) const;
    QPalette palette() const;
    /// The viridis map, t clamped to 0..1: red, green, blue in 0..1.
    static std::array<double, 3> viridis(double t);
    static QColor sequentialColor(double t); ///< viridis
    /// Blue at 0, the colour of an empty panel at 1/2, orange at 1; t clamped. Colour-blind readers tell the ends apart.
    QColor divergingColor(double t) const;
    /// Near white or near black, whichever stands out more on `ground`: at least 4.2 : 1 on any.
    QColor textOn(const QColor& ground) const;

    static constexpr int kSpacing = 8;  ///< between controls, device-independent pixels
    static constexpr int kMargin = 10;  ///< of panels
    static QFont numberFont(const QFont& base);  ///< digits of equal width
    static QFont headingFont(const QFont& base); ///< larger, semi-bold
    static QFont smallFont(const QFont& base);

signals:
    void changed();

private:
    Theme() = default;
    QString styleSheet() const;
    Mode m_mode = Mode::System;
    bool m_dark = false;
    QString m_desktop; ///< what the desktop asked for before we set a palette
};

/// WCAG 2.1 contrast ratio, 1..21.
double contrastRatio(const QColor& a, const QColor& b);

} // namespace tamis::views
