// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/theme.h"

#include "views/common/icons.h"

#include <QApplication>
#include <QStyleFactory>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
struct Pair {
    const char* light;
    const char* dark;
};

Pair pairOf(Ink ink)
{
    switch (ink) {
    case Ink::Window: return {"#f5f6f8", "#1e2126"};
    case Ink::Panel: return {"#ffffff", "#272b31"};
    case Ink::Text: return {"#1b1f24", "#e6e9ed"};
    case Ink::MutedText: return {"#565e6a", "#a3acb8"};
    case Ink::Border: return {"#cfd5dd", "#3d434c"};
    case Ink::Grid: return {"#e4e8ed", "#353a42"};
    case Ink::Accent: return {"#1f5fbf", "#6aa5f5"};
    case Ink::AccentText: return {"#ffffff", "#10151c"};
    case Ink::Baseline: return {"#687080", "#9aa3af"};
    case Ink::Loss: return {"#b4441f", "#f0936b"};
    case Ink::Energy: return {"#0b7a57", "#4fc79b"};
    case Ink::HeldOut: return {"#7a3fa8", "#c39be8"};
    case Ink::Warning: return {"#8a5a00", "#e8b44a"};
    case Ink::Error: return {"#b3261e", "#f28b82"};
    case Ink::Good: return {"#1c7c3c", "#67c587"};
    case Ink::Stale: return {"#8a5a00", "#e8b44a"};
    case Ink::Selection: return {"#d5e4fb", "#2d4a73"};
    case Ink::Outline: return {"#838b96", "#767f8b"};
    }
    return {"#000000", "#ffffff"};
}

// Okabe and Ito's palette, darkened for light paper and lightened for dark, filled up to ten.
constexpr Pair kSeries[] = {{"#0b62a8", "#5ab0ee"}, {"#b35400", "#f2994a"}, {"#007a5a", "#3fc79a"}, {"#a8356f", "#e58bb8"},
                            {"#6b46b8", "#b49cf0"}, {"#6b5500", "#e2c542"}, {"#0b7a8f", "#56cfe1"}, {"#a3352a", "#f28b82"},
                            {"#4d6b1f", "#a8cf5f"}, {"#55606e", "#b4bdc9"}};

double linear(double channel)
{
    return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
}

double luminance(const QColor& c)
{
    return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF());
}
} // namespace

Theme& Theme::instance()
{
    static Theme theme;
    return theme;
}

void Theme::apply(QApplication& application, Mode mode)
{
    m_mode = mode;
    if (mode == Mode::System && m_desktop.isEmpty())
        m_desktop = application.palette().color(QPalette::Window).lightness() < 128 ? QStringLiteral("dark") : QStringLiteral("light");
    application.setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
    m_dark = mode == Mode::Dark || (mode == Mode::System && m_desktop == QStringLiteral("dark"));
    application.setPalette(palette());
    application.setStyleSheet(styleSheet());
    emit changed();
}

QColor Theme::color(Ink ink) const { return QColor(m_dark ? pairOf(ink).dark : pairOf(ink).light); }

QColor Theme::seriesColor(int index) const
{
    const auto& pair = kSeries[static_cast<std::size_t>(std::max(index, 0)) % std::size(kSeries)];
    return QColor(m_dark ? pair.dark : pair.light);
}

QPalette Theme::palette() const
{
    QPalette p;
    p.setColor(QPalette::Window, color(Ink::Window));
    p.setColor(QPalette::WindowText, color(Ink::Text));
    p.setColor(QPalette::Base, color(Ink::Panel));
    p.setColor(QPalette::AlternateBase, color(Ink::Window));
    p.setColor(QPalette::Text, color(Ink::Text));
    p.setColor(QPalette::Button, color(Ink::Panel));
    p.setColor(QPalette::ButtonText, color(Ink::Text));
    p.setColor(QPalette::ToolTipBase, color(Ink::Panel));
    p.setColor(QPalette::ToolTipText, color(Ink::Text));
    p.setColor(QPalette::PlaceholderText, color(Ink::MutedText));
    p.setColor(QPalette::Highlight, color(Ink::Accent));
    p.setColor(QPalette::HighlightedText, color(Ink::AccentText));
    p.setColor(QPalette::Link, color(Ink::Accent));
    p.setColor(QPalette::Mid, color(Ink::Border));
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        p.setColor(QPalette::Disabled, role, color(Ink::Baseline));
    p.setColor(QPalette::Disabled, QPalette::Highlight, color(Ink::Border));
    return p;
}

QString Theme::styleSheet() const
{
    registerIcons();
    QString sheet = QStringLiteral(R"(
QToolTip { color: $text; background: $panel; border: 1px solid $border; padding: 4px; }
QDockWidget { font-weight: 600; }
QDockWidget::title { background: $window; padding: 6px 8px; border-bottom: 1px solid $border; }
QHeaderView { background: $window; border: 0; }
QHeaderView::section { background: $window; color: $muted; border: 0; border-bottom: 1px solid $border; padding: 5px 8px; }
QTableView, QTreeView, QListView { background: $panel; border: 0; gridline-color: $grid; outline: 0;
  selection-background-color: $selection; selection-color: $text; }
QTableView::item { padding: 0 6px; }
QTableView::item:focus { border: 1px solid $accent; }
QLineEdit, QAbstractSpinBox, QComboBox { background: $panel; color: $text; border: 1px solid $outline; border-radius: 4px;
  padding: 3px 6px; selection-background-color: $accent; selection-color: $onaccent; }
QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus { border-color: $accent; }
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled { color: $baseline; border-color: $border; }
QAbstractSpinBox { padding-right: 2px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { subcontrol-origin: border; width: 18px; border: 0; background: transparent; }
QAbstractSpinBox::up-button { subcontrol-position: top right; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; }
QAbstractSpinBox::up-arrow { image: url(:/icons/up-$mode.svg); width: 8px; height: 8px; }
QAbstractSpinBox::down-arrow { image: url(:/icons/down-$mode.svg); width: 8px; height: 8px; }
QComboBox::drop-down { border: 0; width: 20px; }
QComboBox::down-arrow { image: url(:/icons/down-$mode.svg); width: 10px; height: 10px; }
QComboBox QAbstractItemView { border: 1px solid $border; }
QCheckBox::indicator, QGroupBox::indicator { width: 15px; height: 15px; border: 1px solid $outline; border-radius: 3px; background: $panel; }
QCheckBox::indicator:checked, QGroupBox::indicator:checked { background: $accent; border-color: $accent; image: url(:/icons/tick-$mode.svg); }
QCheckBox::indicator:focus { border-color: $accent; }
QPushButton { background: $panel; color: $text; border: 1px solid $outline; border-radius: 4px; padding: 4px 12px; }
QPushButton:hover, QToolButton:hover { background: $grid; }
QPushButton:pressed, QToolButton:pressed { background: $border; }
QPushButton:default { background: $accent; color: $onaccent; border-color: $accent; }
QPushButton:disabled { color: $baseline; border-color: $border; }
QPushButton:focus, QToolButton:focus { border-color: $accent; }
QToolButton { border: 1px solid transparent; border-radius: 4px; padding: 3px; }
QToolButton:checked { background: $selection; }
QToolButton::menu-indicator { image: none; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $border; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::sub-page:horizontal:disabled { background: $outline; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -6px 0; border: 2px solid $panel; border-radius: 8px; background: $accent; }
QSlider::handle:horizontal:focus { border-color: $text; }
QSlider::handle:horizontal:disabled { background: $outline; }
QScrollBar { background: transparent; border: 0; }
QScrollBar:vertical { width: 11px; }
QScrollBar:horizontal { height: 11px; }
QScrollBar::handle { background: $border; border-radius: 3px; margin: 2px; min-width: 28px; min-height: 28px; }
QScrollBar::handle:hover { background: $outline; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: $window; }
QStatusBar { color: $muted; }
QMainWindow::separator { background: $window; width: 5px; height: 5px; }
QTabBar { qproperty-drawBase: 0; }
QTabBar::tab { padding: 7px 14px; color: $muted; border: 0; border-bottom: 2px solid transparent; background: transparent; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:focus { background: $grid; }
QTabWidget::pane { border: 0; border-top: 1px solid $border; }
)");
    sheet.replace(QLatin1String("$mode"), m_dark ? QLatin1String("dark") : QLatin1String("light"));
    const auto put = [&](const char* name, Ink ink) { sheet.replace(QLatin1String(name), color(ink).name()); };
    put("$onaccent", Ink::AccentText);
    put("$selection", Ink::Selection);
    put("$outline", Ink::Outline);
    put("$baseline", Ink::Baseline);
    put("$accent", Ink::Accent);
    put("$text", Ink::Text);
    put("$panel", Ink::Panel);
    put("$border", Ink::Border);
    put("$window", Ink::Window);
    put("$grid", Ink::Grid);
    put("$muted", Ink::MutedText);
    return sheet;
}

std::array<double, 3> Theme::viridis(double t)
{
    // matplotlib's viridis (CC0) at every tenth, interpolated linearly: within 0.02 of the 256-entry table.
    static constexpr double knots[11][3] = {{0.267, 0.005, 0.329}, {0.283, 0.141, 0.458}, {0.254, 0.265, 0.530},
                                            {0.207, 0.372, 0.553}, {0.164, 0.471, 0.558}, {0.128, 0.567, 0.551},
                                            {0.135, 0.659, 0.518}, {0.267, 0.749, 0.441}, {0.478, 0.821, 0.318},
                                            {0.741, 0.873, 0.150}, {0.993, 0.906, 0.144}};
    const double x = std::clamp(std::isfinite(t) ? t : 0.0, 0.0, 1.0) * 10;
    const int i = std::min(static_cast<int>(x), 9);
    std::array<double, 3> rgb{};
    for (std::size_t c = 0; c < 3; ++c)
        rgb[c] = knots[i][c] + (x - i) * (knots[i + 1][c] - knots[i][c]);
    return rgb;
}

QColor Theme::sequentialColor(double t)
{
    const auto rgb = viridis(t);
    return QColor::fromRgbF(static_cast<float>(rgb[0]), static_cast<float>(rgb[1]), static_cast<float>(rgb[2]));
}

QColor Theme::divergingColor(double t) const
{
    const double x = 2 * std::clamp(std::isfinite(t) ? t : 0.5, 0.0, 1.0) - 1;
    const QColor middle = color(Ink::Panel), end = seriesColor(x < 0 ? 0 : 1);
    const auto mix = [&](int a, int b) { return static_cast<int>(std::lround(a + std::abs(x) * (b - a))); };
    return QColor(mix(middle.red(), end.red()), mix(middle.green(), end.green()), mix(middle.blue(), end.blue()));
}

QColor Theme::textOn(const QColor& ground) const
{
    const QColor light(pairOf(Ink::AccentText).light), dark(pairOf(Ink::AccentText).dark);
    return contrastRatio(light, ground) > contrastRatio(dark, ground) ? light : dark;
}

QFont Theme::numberFont(const QFont& base)
{
    QFont font = base; // DejaVu Sans and Noto Sans have digits of equal width
    font.setStyleHint(QFont::SansSerif);
    return font;
}

QFont Theme::headingFont(const QFont& base)
{
    QFont font = base;
    font.setPointSizeF(base.pointSizeF() * 1.35);
    font.setWeight(QFont::DemiBold);
    return font;
}

QFont Theme::smallFont(const QFont& base)
{
    QFont font = base;
    font.setPointSizeF(base.pointSizeF() * 0.88);
    return font;
}

double contrastRatio(const QColor& a, const QColor& b)
{
    const double la = luminance(a), lb = luminance(b);
    return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

} // namespace tamis::views
