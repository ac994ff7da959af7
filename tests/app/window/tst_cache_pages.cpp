// SPDX-License-Identifier: GPL-3.0-or-later
// Every page of the Cache tab in the window, with a trace and a model open, in light and dark, as large as a small screen and as a usual one: no word, button or box of
// the page or of its settings is cut off or lies outside of what holds it. TAMIS_SHOTS=<folder> keeps the pictures; QT_SCALE_FACTOR=2 makes them for fine screens.
#include "app/window/fleet_controller.h"
#include "app/window/hierarchy_controller.h"
#include "app/window/reuse_controller.h"
#include "core/fleet/method.h"
#include "tests/app/window/desk.h"
#include "views/cache/cache_panel.h"
#include "views/common/elided_label.h"
#include "views/common/theme.h"

#include <QAbstractButton>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTabWidget>
#include <QTest>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
QString nameOf(const QWidget* widget)
{
    const auto* label = qobject_cast<const QLabel*>(widget);
    const auto* button = qobject_cast<const QAbstractButton*>(widget);
    return QStringLiteral("%1 '%2' \"%3\" of %4x%5").arg(QLatin1String(widget->metaObject()->className()), widget->objectName(), label ? label->text() : button ? button->text() : QString()).arg(widget->width()).arg(widget->height());
}

/// What is wrong with a widget that is seen; empty: nothing. Labels that are made to be cut (ElidedLabel) say so themselves.
QString problemOf(const QWidget* widget, const QWidget* top)
{
    if (const auto* label = qobject_cast<const QLabel*>(widget); label && !label->text().isEmpty() && !dynamic_cast<const views::ElidedLabel*>(widget)) {
        if (label->wordWrap() ? label->heightForWidth(label->width()) > label->height() : label->minimumSizeHint().width() > label->width())
            return QStringLiteral("cut off, needs %1x%2").arg(label->minimumSizeHint().width()).arg(label->wordWrap() ? label->heightForWidth(label->width()) : label->minimumSizeHint().height());
    } else if (const auto* button = qobject_cast<const QAbstractButton*>(widget); button && (button->minimumSizeHint().width() > button->width() || button->minimumSizeHint().height() > button->height())) {
        return QStringLiteral("needs %1x%2").arg(button->minimumSizeHint().width()).arg(button->minimumSizeHint().height());
    } else if (const auto* box = qobject_cast<const QComboBox*>(widget)) {
        if (box->minimumSizeHint().width() > box->width())
            return QStringLiteral("needs %1").arg(box->minimumSizeHint().width());
    }
    if (qobject_cast<const QLabel*>(widget) || qobject_cast<const QAbstractButton*>(widget) || qobject_cast<const QComboBox*>(widget))
        for (const QWidget* holder = widget; holder != top && (holder = holder->parentWidget());) { // sideways: downwards one scrolls
            const int left = widget->mapTo(holder, QPoint(0, 0)).x();
            if (left < 0 || left + widget->width() > holder->width())
                return QStringLiteral("reaches from %1 to %2 in %3").arg(left).arg(left + widget->width()).arg(nameOf(holder));
        }
    return {};
}

QStringList problemsIn(const QWidget* top)
{
    QStringList found;
    for (const QWidget* widget : top->findChildren<QWidget*>())
        if (widget->isVisible() && !widget->size().isEmpty())
            if (const QString problem = problemOf(widget, top); !problem.isEmpty())
                found << nameOf(widget) + QStringLiteral(": ") + problem;
    return found;
}
} // namespace

class TstCachePages : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_cache_pages"); }

private slots:
    void nothingIsCutOff()
    {
        Desk desk;
        QVERIFY(desk.open(dataset("vit20")));
        desk.window.document().change("few", {}, [](SessionState& state) { state.cache.policies = std::vector<std::string>{"cache.lru", "cache.lru-k", "cache.arc", "cache.s3-fifo", "cache.w-tinylfu"}; state.cache.policy = "cache.lru-k"; state.cache.beside = "cache.lru"; state.selection.cacheStep = 60; state.selection.reuseFrame = 34; });
        desk.window.showLab(&desk.window.cachePanel());
        auto& cache = desk.window.cache().cache();
        cache.openBundled();
        const auto idle = [&] { return !desk.window.jobs().isRunning() && cache.sources() && !cache.isBusy(); };
        QVERIFY(desk.waitFor(idle));
        makeRoom(desk.window);
        QStringList problems;
        for (const QSize size : {QSize(1600, 1000), QSize(1280, 800)})
            for (const auto mode : {views::Theme::Mode::Light, views::Theme::Mode::Dark}) {
                desk.window.resize(size);
                views::Theme::instance().apply(*qApp, mode);
                const auto look = [&](const QString& page, const std::function<bool()>& ready) {
                    desk.window.cachePanel().showPage(page.section(QLatin1Char(' '), 0, 0));
                    QTest::qWait(50);
                    QVERIFY2(QTest::qWaitFor(ready, 120000), qPrintable(page));
                    QTest::qWait(150);
                    const QString title = QStringLiteral("%1-%2-%3").arg(QString(page).replace(QLatin1Char(' '), QLatin1Char('-')), mode == views::Theme::Mode::Dark ? "dark" : "light").arg(size.width());
                    QCOMPARE(desk.window.size(), size); // and no page asks for more, and none but one scrolls
                    QVERIFY2(page == "steps" || qobject_cast<QScrollArea*>(desk.window.findChild<QTabWidget*>("labs")->currentWidget())->horizontalScrollBar()->maximum() == 0, qPrintable(title));
                    savePicture(desk.window, title);
                    for (const QWidget* top : std::initializer_list<const QWidget*>{&desk.window.cachePanel(), desk.window.cachePanel().settings()->parentWidget()})
                        for (const QString& problem : problemsIn(top))
                            problems << title + QStringLiteral(": ") + problem;
                };
                look("curves", idle);
                look("steps", idle);
                look("levels", [&] { return desk.window.cache().levels().isUpToDate(); });
                for (const auto& method : fleet::methods())
                    if (method.server != fleet::Need::Required) {
                        desk.window.document().change("method", {}, [&](SessionState& state) { state.fleet.method = method.declaration.id; });
                        look("devices " + QString::fromStdString(method.declaration.id), [&] { return desk.window.cache().fleet().isUpToDate(); });
                    }
                look("frames", [&] { return desk.window.cache().reuse().isUpToDate(); });
            }
        problems.removeDuplicates();
        QVERIFY2(problems.isEmpty(), qPrintable(problems.join(QLatin1Char('\n'))));
    }
};

QTEST_MAIN(TstCachePages)
#include "tst_cache_pages.moc"
