// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/theme.h"

#include <QApplication>
#include <QSignalSpy>
#include <QTest>

#include <array>
#include <cmath>

using namespace tamis::views;

class TstTheme : public QObject {
    Q_OBJECT
    /// WCAG 2.1 written out a second time, from the 8-bit channels.
    static double contrast(const QColor& a, const QColor& b)
    {
        const auto luminance = [](const QColor& c) {
            const auto channel = [](int v) {
                const double s = v / 255.0;
                return s <= 0.03928 ? s / 12.92 : std::pow((s + 0.055) / 1.055, 2.4);
            };
            return 0.2126 * channel(c.red()) + 0.7152 * channel(c.green()) + 0.0722 * channel(c.blue());
        };
        double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
        return std::max(x, y) / std::min(x, y);
    }
    /// Viénot, Brettel and Mollon (1999): what a protanope (kind 0) or deuteranope (kind 1) sees, linear RGB.
    static std::array<double, 3> seenBy(int kind, const QColor& c)
    {
        const auto linear = [](double s) { return s <= 0.04045 ? s / 12.92 : std::pow((s + 0.055) / 1.055, 2.4); };
        const double r = linear(c.redF()), g = linear(c.greenF()), b = linear(c.blueF());
        const double mixed = kind == 0 ? 0.11238 * r + 0.88762 * g : 0.29275 * r + 0.70725 * g;
        const double blue = kind == 0 ? 0.00401 * r - 0.00401 * g + b : -0.02234 * r + 0.02234 * g + b;
        return {mixed, mixed, blue};
    }

private slots:
    void cleanupTestCase() { Theme::instance().apply(*qApp, Theme::Mode::Light); }

    void textIsReadable_data()
    {
        QTest::addColumn<bool>("dark");
        QTest::newRow("light") << false;
        QTest::newRow("dark") << true;
    }
    void textIsReadable()
    {
        QFETCH(bool, dark);
        Theme& theme = Theme::instance();
        theme.apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
        QCOMPARE(theme.isDark(), dark);
        QCOMPARE(contrastRatio(Qt::black, Qt::white), 21.0);
        const auto check = [&](const QColor& ink, const QColor& ground, double least, const QString& what) {
            QVERIFY2(std::abs(contrastRatio(ink, ground) - contrast(ink, ground)) < 0.01, qPrintable(what)); // 0.03928 against 0.04045
            QVERIFY2(contrast(ink, ground) >= least, qPrintable(QStringLiteral("%1: %2").arg(what).arg(contrast(ink, ground))));
        };
        for (const Ink ground : {Ink::Window, Ink::Panel}) {
            for (const Ink ink : {Ink::Text, Ink::MutedText, Ink::Accent, Ink::Baseline, Ink::Loss, Ink::Energy, Ink::HeldOut,
                                  Ink::Warning, Ink::Error, Ink::Good, Ink::Stale})
                check(theme.color(ink), theme.color(ground), 4.5, QStringLiteral("ink %1 on %2").arg(int(ink)).arg(int(ground)));
            for (int i = 0; i < 10; ++i)
                check(theme.seriesColor(i), theme.color(ground), 3, QStringLiteral("series %1").arg(i)); // graphics: WCAG 1.4.11
            check(theme.color(Ink::Outline), theme.color(ground), 3, QStringLiteral("outline"));
        }
        check(theme.color(Ink::AccentText), theme.color(Ink::Accent), 4.5, QStringLiteral("accent"));
        for (const Ink ground : {Ink::Selection, Ink::Grid})
            check(theme.color(Ink::Text), theme.color(ground), 4.5, QStringLiteral("text on selection and hover"));
        const QPalette palette = theme.palette();
        for (const auto& [ink, ground] : {std::pair{QPalette::WindowText, QPalette::Window}, {QPalette::Text, QPalette::Base},
                                          {QPalette::ButtonText, QPalette::Button}, {QPalette::ToolTipText, QPalette::ToolTipBase},
                                          {QPalette::HighlightedText, QPalette::Highlight}, {QPalette::PlaceholderText, QPalette::Base}})
            check(palette.color(ink), palette.color(ground), 4.5, QStringLiteral("palette role %1").arg(int(ink)));
    }

    void seriesStayApart()
    {
        // Straight distance in linear RGB; identical colours give 0, black and white 1.73. The first six must stay apart
        // for colour-blind eyes too; beyond that, names and hover tell.
        for (const auto mode : {Theme::Mode::Light, Theme::Mode::Dark}) {
            Theme::instance().apply(*qApp, mode);
            for (int i = 0; i < 10; ++i)
                for (int j = 0; j < i; ++j)
                    QVERIFY(Theme::instance().seriesColor(i) != Theme::instance().seriesColor(j));
            for (int kind : {0, 1})
                for (int i = 0; i < 6; ++i)
                    for (int j = 0; j < i; ++j) {
                        const auto a = seenBy(kind, Theme::instance().seriesColor(i)), b = seenBy(kind, Theme::instance().seriesColor(j));
                        const double d = std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
                        QVERIFY2(d > 0.02, qPrintable(QStringLiteral("%1 and %2: %3").arg(i).arg(j).arg(d)));
                    }
            QCOMPARE(Theme::instance().seriesColor(10), Theme::instance().seriesColor(0));
        }
    }

    void viridis()
    {
        // Table entries of matplotlib's viridis at 0, 64, 128, 191 and 255 of 255; a knot at every tenth keeps within 0.02 of them.
        const std::array<std::array<double, 4>, 5> known{{{0, 0.267004, 0.004874, 0.329415}, {64, 0.229739, 0.322361, 0.545706},
            {128, 0.127568, 0.566949, 0.550556}, {191, 0.360741, 0.785964, 0.387814}, {255, 0.993248, 0.906157, 0.143936}}};
        for (const auto& k : known)
            for (std::size_t c = 0; c < 3; ++c)
                QVERIFY2(std::abs(Theme::viridis(k[0] / 255)[c] - k[c + 1]) < 0.02, qPrintable(QStringLiteral("%1/%2").arg(k[0]).arg(c)));
        double before = -1;
        for (int i = 0; i <= 100; ++i) { // lightness grows: the map stays readable in grey
            const auto rgb = Theme::viridis(i / 100.0);
            const double grey = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
            QVERIFY(grey > before);
            before = grey;
        }
        QCOMPARE(Theme::viridis(-1), Theme::viridis(0));
        QCOMPARE(Theme::viridis(NAN), Theme::viridis(0));
        QCOMPARE(Theme::viridis(7), Theme::viridis(1));
    }

    void changesAreAnnounced()
    {
        Theme::instance().apply(*qApp, Theme::Mode::Light);
        QSignalSpy changed(&Theme::instance(), &Theme::changed);
        Theme::instance().apply(*qApp, Theme::Mode::Dark);
        QCOMPARE(changed.size(), 1);
        QVERIFY(qApp->palette().color(QPalette::Window).lightness() < 60);
    }
};

QTEST_MAIN(TstTheme)
#include "tst_theme.moc"
