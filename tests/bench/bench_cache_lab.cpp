// SPDX-License-Identifier: GPL-3.0-or-later
// How fast the Cache tab answers in a real window, with a real mouse: a trace opened until its first curve is on screen and until all are exact, the size cursor and the
// sliders of policies moved and dragged, what is stopped, the frame player; on the bundled trace and on Zipf traces of 1 M and 10 M requests that are made here. What is
// painted belongs to every time. Bounds asked for: first curve 500 ms, first picture 50 ms, final picture 300 ms on the bundled trace, pause 50 ms, stop 100 ms.
//   xvfb-run -a -s "-screen 0 1600x1000x24" build/release/tests/bench/bench_cache_lab [bundled | million | ten-million | frames]...
#include "app/window/cache_controller.h"
#include "app/window/cache_tab.h"
#include "app/window/main_window.h"
#include "app/window/reuse_controller.h"
#include "core/base/blas_threads.h"
#include "core/base/split_mix.h"
#include "views/cache/cache_panel.h"
#include "views/cache/cache_settings.h"
#include "views/cache/curves_page.h"
#include "views/common/chart_canvas.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/reuse/frames_page.h"
#include "views/reuse/reuse_settings.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QFile>
#include <QSlider>
#include <QStandardPaths>
#include <QStyleOptionSlider>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <vector>

using namespace tamis;
using namespace tamis::app;

namespace {
double milliseconds(const QElapsedTimer& clock) { return static_cast<double>(clock.nsecsElapsed()) / 1e6; }
double processorMs() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }
/// Of the window's thread alone: what a busy machine does not change much.
double ownMs()
{
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}
double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values.empty() ? NAN : values[values.size() / 2];
}
double most(const std::vector<double>& values) { return values.empty() ? NAN : *std::max_element(values.begin(), values.end()); }

/// The longest time between two turns of the window's thread, while it lives.
class Pauses {
public:
    Pauses()
    {
        QObject::connect(&m_ticker, &QTimer::timeout, &m_ticker, [this] {
            m_longest = std::max(m_longest, milliseconds(m_since));
            m_since.restart();
        });
        m_since.start();
        m_ticker.start(1);
    }
    double longest() const { return m_longest; }

private:
    QTimer m_ticker;
    QElapsedTimer m_since;
    double m_longest = 0;
};

/// Goes on as soon as it holds: QTest's own waiting sleeps 10 ms at a time, which would be measured.
bool waitFor(const std::function<bool()>& holds, int within)
{
    QElapsedTimer clock;
    clock.start();
    while (!holds()) {
        if (clock.elapsed() >= within)
            return false;
        QEventLoop loop;
        QTimer::singleShot(1, &loop, &QEventLoop::quit);
        loop.exec();
    }
    return true;
}

void pass(int ms)
{
    (void)waitFor([] { return false; }, ms);
}

/// Tells when a window has painted what was changed before tell().
class Painted : public QObject {
public:
    explicit Painted(QWidget& window) { window.installEventFilter(this); }
    void tell(const std::function<void()>& told) { m_told.push_back(told); }
    void forget() { m_told.clear(); }

protected:
    bool eventFilter(QObject*, QEvent* event) override
    {
        if (event->type() == QEvent::UpdateRequest && !m_told.empty())
            QMetaObject::invokeMethod(this, [this, told = std::exchange(m_told, {})] { // right behind it
                for (const auto& each : told)
                    each();
            }, Qt::QueuedConnection);
        return false;
    }

private:
    std::vector<std::function<void()>> m_told;
};

/// Zipf(1.0) over `objects`, 64-bit ids.
QString zipfTrace(const QTemporaryDir& folder, const char* name, std::size_t requests, std::size_t objects)
{
    std::vector<double> sums(objects);
    double sum = 0;
    for (std::size_t r = 0; r < objects; ++r)
        sums[r] = sum += 1.0 / static_cast<double>(r + 1);
    std::vector<std::uint64_t> ids(requests);
    std::uint64_t state = 1;
    for (auto& id : ids)
        id = mixedBits(static_cast<std::uint64_t>(std::ranges::upper_bound(sums, sum * static_cast<double>(nextBits(state) >> 11U) * 0x1p-53) - sums.begin()));
    QFile file(folder.filePath(QLatin1String(name)));
    if (!file.open(QIODevice::WriteOnly) || file.write(reinterpret_cast<const char*>(ids.data()), static_cast<qint64>(8 * ids.size())) != static_cast<qint64>(8 * ids.size()))
        std::printf("%s cannot be written\n", name);
    return file.fileName();
}

struct Bench {
    MainWindow window{QString()};
    Painted painted{window};
    QString what;

    void show(const char* name)
    {
        what = QLatin1String(name);
        window.resize(1560, 960);
        window.show();
        (void)QTest::qWaitForWindowExposed(&window);
    }
    CacheController& cache() { return window.cache().cache(); }
    views::CurvesPage& page() { return cache().curvesPage(); }
    views::ChartCanvas* canvas() { return page().chart()->canvas(); }
    void say(const char* measured, const QString& figures) const { std::printf("%-12s %-38s %s\n", qPrintable(what), measured, qPrintable(figures)); }
    bool idle(int within) { return waitFor([this] { return !window.jobs().isRunning() && cache().sources() && !cache().isBusy(); }, within); }

    /// Asked-for times of `round`: of the first and of the last picture after `edit`, milliseconds, and the longest pause while it is dragged.
    struct Shown {
        std::function<void(const std::function<void(bool)>&)> listen; ///< calls back with every picture, whether it is the final one
        std::function<void()> forget;
        std::function<bool()> settled;
    };
    void pictures(const char* measured, const Shown& shown, const std::function<void(int)>& edit, int rounds, int within)
    {
        std::vector<double> first, last, own;
        for (int round = 0; round < rounds; ++round) {
            QElapsedTimer clock;
            double began = -1, whole = -1;
            const double before = ownMs();
            shown.listen([&](bool final) {
                if (began < 0)
                    own.push_back(ownMs() - before);
                began = began < 0 ? milliseconds(clock) : began;
                whole = final && whole < 0 ? milliseconds(clock) : whole;
            });
            clock.start();
            edit(round);
            (void)waitFor([&] { return whole >= 0; }, within);
            shown.forget();
            (void)waitFor([&] { return shown.settled(); }, within);
            first.push_back(began);
            if (whole >= 0)
                last.push_back(whole);
        }
        say(measured, QString("first picture %1 ms of 50 (at most %2; %3 ms of the window's thread), final picture %4 (of %5 moves)")
                          .arg(median(first), 0, 'f', 1).arg(most(first), 0, 'f', 1).arg(median(own), 0, 'f', 1).arg(last.size() == first.size() ? QString("%1 ms").arg(median(last), 0, 'f', 0) : QString("not within %1 s").arg(within / 1000)).arg(rounds));
    }
    /// 60 moves, 8 ms apart.
    void drag(const char* measured, const Shown& shown, const std::function<void(int)>& edit)
    {
        int count = 0;
        shown.listen([&](bool) { ++count; });
        QElapsedTimer clock;
        double pause = 0;
        const double before = ownMs();
        clock.start();
        {
            const Pauses pauses;
            for (int i = 0; i < 60; ++i) {
                edit(i);
                pass(8);
            }
            pause = pauses.longest();
        }
        shown.forget();
        say(measured, QString("dragged: %1 pictures of 60 moves in %2 ms, longest pause of the window's thread %3 ms, its processor time a move %4 ms").arg(count).arg(milliseconds(clock), 0, 'f', 0).arg(pause, 0, 'f', 1).arg((ownMs() - before) / 60, 0, 'f', 1));
    }

    Shown curvesShown()
    {
        static QMetaObject::Connection connection;
        return {[this](const std::function<void(bool)>& told) {
                    connection = QObject::connect(&cache(), &CacheController::curvesShown, &cache(), [this, told](bool complete, bool) { painted.tell([told, complete] { told(complete); }); });
                },
                [this] { QObject::disconnect(connection); painted.forget(); }, [this] { return !cache().isBusy(); }};
    }
    Shown sizeShown()
    {
        static QMetaObject::Connection connection;
        return {[this](const std::function<void(bool)>& told) {
                    connection = QObject::connect(&cache(), &CacheController::sizeShown, &cache(), [this, told](bool exact) { painted.tell([told, exact] { told(exact); }); });
                },
                [this] { QObject::disconnect(connection); painted.forget(); }, [this] { return !cache().sizesLane().isBusy(); }};
    }

    void open(const QString& trace)
    {
        window.showLab(&window.cachePanel());
        double first = -1, sampled = -1, exact = -1;
        QElapsedTimer clock;
        const Shown shown = curvesShown();
        shown.listen([&](bool complete) {
            const auto drawn = std::ranges::count_if(cache().curves(), [](const auto& each) { return !each.curve.points.empty(); });
            first = first < 0 && drawn > 0 ? milliseconds(clock) : first;
            sampled = sampled < 0 && drawn == std::ssize(cache().curves()) ? milliseconds(clock) : sampled;
            exact = complete ? milliseconds(clock) : exact;
        });
        double read = -1, pause = 0;
        const auto reading = QObject::connect(&cache(), &CacheController::traceChanged, &cache(), [&] { read = milliseconds(clock); });
        const auto failing = QObject::connect(&cache(), &CacheController::failed, &cache(), [this](const QString& sentence) { say("failed", sentence); });
        clock.start();
        {
            const Pauses pauses;
            trace.isEmpty() ? cache().openBundled() : cache().open(trace);
            (void)waitFor([&] { return sampled >= 0; }, 60000);
            pause = pauses.longest();
        }
        say("opened", QString("read %1 ms, first curve on screen %2 ms (%3 ms behind the reading, of 500), a curve of every policy %4 ms; longest pause %5 ms")
                          .arg(read, 0, 'f', 0).arg(first, 0, 'f', 0).arg(first - read, 0, 'f', 0).arg(sampled, 0, 'f', 0).arg(pause, 0, 'f', 1));
        if (!cache().sources())
            std::exit(1); // said above
        if (cache().sources()->trace.requests() < 5'000'000) {
            const Pauses pauses;
            (void)waitFor([&] { return exact >= 0 && !cache().isBusy(); }, 300000);
            say("", QString("all curves exact after %1 s; longest pause meanwhile %2 ms").arg(exact / 1000, 0, 'f', 2).arg(pauses.longest(), 0, 'f', 1));
        }
        shown.forget();
        QObject::disconnect(reading);
        QObject::disconnect(failing);
    }

    /// The line in the chart, pressed and moved.
    void cursor(const char* policy, int within)
    {
        cache().setFocused(QLatin1String(policy));
        (void)waitFor([this] { return !cache().sizesLane().isBusy(); }, within);
        const double least = page().chart()->series().front().points.front().x, largest = page().chart()->series().front().points.back().x;
        const auto at = [&](double share) { return canvas()->toPixel(least * std::pow(largest / least, share), 0.5).toPoint(); };
        const auto to = [&](double share) { QTest::mouseMove(canvas()->viewport(), at(share)); };
        const auto start = canvas()->toPixel(static_cast<double>(cache().size()), 0.5).toPoint();
        QTest::mousePress(canvas()->viewport(), Qt::LeftButton, {}, start);
        const QByteArray line = QByteArray("size cursor, ") + policy;
        pictures(line, sizeShown(), [&](int round) { to(0.05 + 0.1 * round); }, 9, within);
        drag(line, sizeShown(), [&](int i) { to(0.1 + 0.013 * i); });
        QTest::mouseRelease(canvas()->viewport(), Qt::LeftButton, {}, at(0.5));
        (void)waitFor([this] { return !cache().sizesLane().isBusy(); }, within);
    }

    /// A slider's handle, pressed and moved.
    struct Handle {
        QSlider* slider;
        QPoint at(double share) const
        {
            QStyleOptionSlider option;
            option.initFrom(slider);
            option.orientation = Qt::Horizontal;
            option.minimum = slider->minimum();
            option.maximum = slider->maximum();
            option.sliderPosition = slider->minimum() + static_cast<int>(share * (slider->maximum() - slider->minimum()));
            return slider->style()->subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderHandle, slider).center();
        }
        double share() const { return static_cast<double>(slider->value() - slider->minimum()) / (slider->maximum() - slider->minimum()); }
        void press() const { QTest::mousePress(slider, Qt::LeftButton, {}, at(share())); }
        void to(double share) const { QTest::mouseMove(slider, at(share)); }
        void release(double share) const { QTest::mouseRelease(slider, Qt::LeftButton, {}, at(share)); }
    };
    void slider(const char* policy, const char* name, int rounds, int within)
    {
        cache().setFocused(QLatin1String(policy));
        (void)waitFor([this] { return !cache().isBusy(); }, within);
        auto* found = cache().settings().findChild<QSlider*>(QLatin1String(name) + QStringLiteral("-slider"));
        if (!found || !found->isVisible())
            return say(name, "no such slider is in sight");
        const Handle handle{found};
        const QByteArray line = QByteArray(policy) + ", " + name;
        handle.press();
        pictures(line, curvesShown(), [&](int round) { handle.to(0.15 + 0.08 * round); }, rounds, within);
        drag(line, curvesShown(), [&](int i) { handle.to(0.1 + 0.013 * i); });
        pictures(line + ", panels", sizeShown(), [&](int round) { handle.to(0.15 + 0.08 * round); }, rounds, within);
        handle.release(0.5);
    }

    /// From a stop until the process computes nothing any more.
    void stopped(const char* measured, const std::function<void()>& begin)
    {
        begin();
        QTest::qWait(300);
        QElapsedTimer clock;
        clock.start();
        cache().stop();
        const double answered = milliseconds(clock);
        double quiet = 0;
        for (double before = processorMs(), at = milliseconds(clock); milliseconds(clock) < 3000;) {
            QTest::qSleep(4); // the window's thread itself takes nothing
            const double now = processorMs(), then = milliseconds(clock);
            if (now - before > 0.5 * (then - at))
                quiet = then;
            before = now;
            at = then;
        }
        say(measured, QString("the window goes on after %1 ms, nothing is computed any more after %2 ms of 100").arg(answered, 0, 'f', 1).arg(quiet, 0, 'f', 0));
    }
};
void frames(Bench& bench)
{
    MainWindow& window = bench.window;
    window.open(QStringLiteral(TAMIS_SOURCE_DIR "/datasets/vit20"));
    (void)waitFor([&] { return window.workspaces().workspace() && window.spectrum().isUpToDate() && window.model().report(); }, 60000);
    window.showLab(&window.cachePanel());
    window.cachePanel().showPage(QStringLiteral("frames"));
    auto& lab = window.cache().reuse();
    QElapsedTimer clock;
    clock.start();
    (void)waitFor([&] { return lab.isUpToDate(); }, 120000);
    bench.say("opened", QString("all frames of the bundled sequence after %1 s").arg(milliseconds(clock) / 1000, 0, 'f', 2));
    auto* page = window.cachePanel().findChild<views::FramesPage*>();
    constexpr int kFrame = 30;
    window.document().select([](Selection& selection) { selection.reuseFrame = kFrame; });
    QTest::qWait(200);
    static QMetaObject::Connection connection;
    const auto shown = [&](bool answers) {
        return Bench::Shown{[&lab, &bench, answers](const std::function<void(bool)>& told) {
                                connection = QObject::connect(&lab, &ReuseController::pictureShown, &lab, [&lab, &bench, told, answers](bool whole) {
                                    const auto& frames = lab.shown()->runs.front()->frames;
                                    const bool last = answers ? frames.size() > kFrame && std::isfinite(frames[kFrame].featureError) : whole;
                                    bench.painted.tell([told, last] { told(last); });
                                });
                            },
                            [&bench] { QObject::disconnect(connection); bench.painted.forget(); }, [&lab] { return lab.isUpToDate(); }};
    };
    auto* found = page->settings()->findChild<QSlider*>(QStringLiteral("threshold-slider"));
    if (!found)
        return bench.say("threshold", "no such slider");
    const Bench::Handle handle{found};
    handle.press();
    bench.pictures("threshold, to the frame's answer", shown(true), [&](int round) { handle.to(0.10 + 0.02 * round); }, 9, 30000);
    bench.pictures("threshold, to all frames", shown(false), [&](int round) { handle.to(0.11 + 0.03 * round); }, 3, 60000);
    bench.drag("threshold", shown(false), [&](int i) { handle.to(0.05 + 0.01 * i); });
    handle.release(0.2);
    (void)waitFor([&] { return lab.isUpToDate(); }, 60000);
}
} // namespace

int main(int argc, char** argv)
{
    prepareBlas(argv);
    QStandardPaths::setTestModeEnabled(true);
    QApplication application(argc, argv);
    QCoreApplication::setOrganizationName(QStringLiteral("TamisBench"));
    views::Theme::instance().apply(application, views::Theme::Mode::Light);
    const QStringList asked = application.arguments().mid(1);
    const auto wanted = [&](const char* part) { return asked.isEmpty() || asked.contains(QLatin1String(part)); };
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const QTemporaryDir folder;
    if (wanted("bundled")) {
        Bench bench;
        bench.show("bundled");
        bench.open({});
        bench.cursor("cache.lru", 60000);
        bench.cursor("cache.arc", 60000);
        bench.slider("cache.lru-k", "k", 9, 60000);
        bench.slider("cache.w-tinylfu", "window", 9, 60000);
        bench.slider("cache.lru", "hard", 5, 60000);
        bench.cursor("cache.gbm", 60000); // last: it is drawn from then on, and takes longer than all others together
    }
    if (wanted("million")) {
        Bench bench;
        bench.show("1 M");
        bench.open(zipfTrace(folder, "zipf-1m.le64", 1'000'000, 100'000));
        bench.cursor("cache.lru", 10000);
        bench.cursor("cache.arc", 10000);
        bench.slider("cache.lru-k", "k", 3, 10000);
        bench.cursor("cache.gbm", 10000);
    }
    if (wanted("ten-million")) {
        Bench bench;
        bench.show("10 M");
        const QString trace = zipfTrace(folder, "zipf-10m.le64", 10'000'000, 1'000'000);
        bench.open(trace);
        bench.stopped("stop of the exact curves", [] {});
        bench.cursor("cache.lru", 10000);
        bench.cursor("cache.arc", 10000);
        bench.stopped("stop of the cursor's whole", [&] { bench.cache().setSize(1000, true); });
        bench.slider("cache.lru-k", "k", 3, 10000);
        bench.stopped("stop of curves under a slider", [] {});
        bench.stopped("stop of reading", [&] { bench.cache().open(trace); });
        QElapsedTimer clock;
        clock.start();
        bench.cache().close();
        bench.say("closed", QString("%1 ms").arg(milliseconds(clock), 0, 'f', 1));
    }
    if (wanted("frames")) {
        Bench bench;
        bench.show("frames");
        frames(bench);
    }
    return 0;
}
