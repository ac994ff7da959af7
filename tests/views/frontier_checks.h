// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What every page that compares points promises, whatever the points are. A page has chart(), setComparison(), setRunning(),
// setDisabledReason(), compareRequested() and pointActivated().
#include "views/common/figure_export.h"
#include "views/common/frontier_chart.h"

#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include <memory>

namespace tamis::views::checks {

/// A page on screen with `comparison`.
template <class Page, class Comparison>
std::unique_ptr<Page> pageWith(std::shared_ptr<Comparison> comparison)
{
    auto page = std::make_unique<Page>();
    page->resize(1000, 580);
    page->show();
    if (!QTest::qWaitForWindowExposed(page.get()))
        QTest::qFail("the page was not exposed", __FILE__, __LINE__);
    page->setComparison(comparison);
    return page;
}

/// Hover tells of the point at `index`, and of none in the corner. Returns the lines.
inline QStringList hovered(FrontierChart& chart, int index)
{
    QTest::mouseMove(&chart, chart.toPixel(index).toPoint());
    const QStringList lines = chart.hoverLines();
    QTest::mouseMove(&chart, {2, 2});
    if (!chart.hoverLines().isEmpty())
        QTest::qFail("something is told where no point is", __FILE__, __LINE__);
    return lines;
}

/// A click makes `clicked` current and one beside all points none; Right and Enter the point at `right`; from there `lefts` times Left and
/// Enter that at `left`.
template <class Page>
void clickAndKeysChoose(Page& page, int clicked, int right, int lefts, int left)
{
    auto* chart = page.chart();
    QSignalSpy activated(&page, &Page::pointActivated);
    QTest::mouseClick(chart, Qt::LeftButton, {}, chart->toPixel(clicked).toPoint());
    QCOMPARE(activated.size(), 1);
    QCOMPARE(activated.last().first().toInt(), clicked);
    QTest::mouseClick(chart, Qt::LeftButton, {}, {3, 3});
    QCOMPARE(activated.size(), 1);
    chart->setFocus();
    QTest::keyClick(chart, Qt::Key_Right);
    QTest::keyClick(chart, Qt::Key_Return);
    QCOMPARE(activated.last().first().toInt(), right);
    for (int i = 0; i < lefts; ++i)
        QTest::keyClick(chart, Qt::Key_Left);
    QTest::keyClick(chart, Qt::Key_Enter);
    QCOMPARE(activated.last().first().toInt(), left);
    QCOMPARE(activated.size(), 3);
}

/// `state` counts the points of `comparison`, cut to three, while they come and after they were stopped.
template <class Page, class Comparison>
void stateCountsWhatIsMissing(Page& page, const QLabel& state, std::shared_ptr<Comparison> comparison)
{
    const auto planned = QString::number(comparison->planned);
    comparison->points.resize(3);
    page.setRunning(true);
    page.setComparison(comparison);
    QCOMPARE(state.text(), QStringLiteral("3 of %1 points").arg(planned));
    page.setRunning(false);
    QCOMPARE(state.text(), QStringLiteral("3 of %1 points, stopped").arg(planned));
}

template <class Page>
void buttonSaysWhyNot(Page& page, const char* name, const QString& reason)
{
    auto* button = page.template findChild<QPushButton*>(name);
    QSignalSpy asked(&page, &Page::compareRequested);
    page.setDisabledReason(reason);
    QTest::mouseClick(button, Qt::LeftButton);
    QVERIFY(asked.isEmpty());
    QVERIFY(button->toolTip().contains(reason));
    page.setDisabledReason({});
    QTest::mouseClick(button, Qt::LeftButton);
    QCOMPARE(asked.size(), 1);
}

/// The caption, a heading, a row a point. Returns the table.
inline QString tableOf(const FrontierChart& chart, const QString& caption, int points)
{
    const QString table = figureTable(chart);
    if (!table.startsWith("# " + caption + '\n') || table.count('\n') != points + 2)
        QTest::qFail(qPrintable("another table: " + table), __FILE__, __LINE__);
    return table;
}

/// Without a comparison nothing is shown, told or made current.
template <class Page>
void nothingComparedIsEmpty(Page& page)
{
    page.setComparison(nullptr);
    auto* chart = page.chart();
    QSignalSpy activated(&page, &Page::pointActivated);
    QCOMPARE(chart->shownPoints(), 0);
    chart->setFocus();
    QTest::keyClick(chart, Qt::Key_Right);
    QTest::keyClick(chart, Qt::Key_Return);
    QVERIFY(activated.isEmpty());
    QVERIFY(chart->hoverLines().isEmpty());
    QVERIFY(!chart->grab().isNull());
}

} // namespace tamis::views::checks
