// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/lane.h"
#include "core/base/error.h"

#include <QDeadlineTimer>
#include <QElapsedTimer>
#include <QTest>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

using namespace tamis;
using namespace tamis::app;

namespace {
/// Burns processor time, as a decomposition would; sees a stop every millisecond.
void burn(int milliseconds, const RunContext& context)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (std::chrono::steady_clock::now() < end) {
        const auto slice = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
        while (std::chrono::steady_clock::now() < slice) {
        }
        context.throwIfStopped();
    }
}

using IntLane = Lane<int, int>;
} // namespace

class TstLane : public QObject
{
    Q_OBJECT
private slots:
    void aSliderDragDrawsPicturesAllTheWay()
    {
        // 60 events 8 ms apart, 20 ms of coarse and 200 ms of final work each: pure cancel-on-new would draw nothing. A busy machine
        // may take four times the events.
        std::vector<int> shown;
        IntLane lane(
            [](int value, Level level, const RunContext& context, const auto&) {
                burn(level == Level::Coarse ? 20 : 200, context);
                return std::make_shared<const int>(value);
            },
            [&](const auto& result, int request, Level, bool) {
                QCOMPARE(*result, request);
                shown.push_back(*result);
            });
        QElapsedTimer sinceTick;
        qint64 longestGap = 0;
        QTimer ticker;
        connect(&ticker, &QTimer::timeout, this, [&] { longestGap = std::max(longestGap, sinceTick.restart()); });
        sinceTick.start();
        ticker.start(1);
        int last = 0;
        for (int i = 0; i < 240 && (i < 60 || shown.size() < 10); ++i) {
            lane.request(last = i);
            QTest::qWait(8);
        }
        const auto during = shown.size();
        QTRY_VERIFY_WITH_TIMEOUT(!lane.isBusy(), 30000);
        qInfo("pictures while dragging: %zu, longest pause of the window's thread: %lld ms", during, static_cast<long long>(longestGap));
        QVERIFY2(during >= 10, "fewer than 10 pictures while dragging");
        QVERIFY(std::is_sorted(shown.begin(), shown.end()));
        QCOMPARE(shown.back(), last);
        QCOMPARE(lane.counts().finals, 1);
    }
    void requestsDoNotWaitForTheWorker()
    {
        // The worker holds out until the window's thread lets it go: one that waited for it would see it give up.
        std::atomic<bool> go = false, gaveUp = false;
        std::atomic<int> begun = 0;
        int received = 0;
        IntLane lane(
            [&](int value, Level level, const RunContext&, const auto&) {
                ++begun;
                const int holding = value == 1 ? int(Level::Coarse) : int(Level::Final); // of 1 the first level, of 2 the second
                for (const QDeadlineTimer patience(20'000); int(level) == holding && !go; std::this_thread::sleep_for(std::chrono::milliseconds(1)))
                    if (patience.hasExpired()) {
                        gaveUp = true;
                        break;
                    }
                return std::make_shared<const int>(value);
            },
            [&](const auto& result, int, Level, bool) { received = *result; });
        for (const int value : {1, 2}) {
            const int before = begun;
            go = false;
            lane.request(value);
            QTRY_COMPARE(begun.load(), before + value);
            lane.request(10 * value);
            go = true;
            QTRY_VERIFY_WITH_TIMEOUT(!lane.isBusy(), 30000);
            QCOMPARE(received, 10 * value);
            QVERIFY2(!gaveUp, "a request waited for the worker");
        }
    }
    void aNewRequestStopsTheRefinement()
    {
        std::atomic<bool> stopped = false;
        IntLane lane(
            [&](int value, Level level, const RunContext& context, const auto&) -> std::shared_ptr<const int> {
                if (level == Level::Coarse)
                    return nullptr;
                try {
                    burn(value == 0 ? 20000 : 1, context);
                } catch (const Error&) {
                    stopped = true;
                    throw;
                }
                return std::make_shared<const int>(value);
            },
            [](const auto&, int, Level, bool) {});
        lane.request(0);
        QTest::qWait(50);
        QElapsedTimer clock;
        clock.start();
        lane.request(1);
        QTRY_VERIFY_WITH_TIMEOUT(!lane.isBusy(), 30000);
        qInfo("from request to result past a cancelled refinement: %lld ms", static_cast<long long>(clock.elapsed()));
        QVERIFY(stopped);
        QVERIFY(clock.elapsed() < 10000); // half of what burn() takes unless it is stopped
        QCOMPARE(lane.counts().finals, 1);
        QCOMPARE(lane.counts().failures, 0);
    }
    void aResultOfACancelledRequestIsNotShown()
    {
        int received = 0;
        IntLane lane(
            [](int value, Level, const RunContext& context, const auto&) {
                burn(20, context);
                return std::make_shared<const int>(value);
            },
            [&](const auto&, int, Level, bool) { ++received; });
        lane.request(1);
        QTest::qWait(5);
        lane.cancel();
        QVERIFY(!lane.isBusy());
        QTest::qWait(100);
        QCOMPARE(received, 0);
    }
    void cancellingDuringTheCoarseLevelStartsNoRefinement()
    {
        std::atomic<bool> coarseBegan = false;
        std::atomic<int> coarseEnded = 0, refinements = 0;
        int received = 0;
        IntLane lane(
            [&](int value, Level level, const RunContext& context, const auto&) {
                if (level == Level::Coarse) {
                    coarseBegan = true;
                    burn(30, context);
                    ++coarseEnded;
                } else {
                    ++refinements;
                }
                return std::make_shared<const int>(value);
            },
            [&](const auto& result, int, Level, bool) { received = *result; });
        lane.request(1);
        while (!coarseBegan)
            std::this_thread::yield();
        lane.cancel();
        QVERIFY(!lane.isBusy());
        QTRY_COMPARE(coarseEnded.load(), 1);
        // The worker is free for the next request only when it is through with the cancelled one: no need to wait for nothing.
        lane.request(2);
        QTRY_VERIFY(!lane.isBusy());
        QCOMPARE(received, 2);
        QCOMPARE(refinements.load(), 1); // of 2, none of 1
    }
    void aFailedRefinementLeavesTheCoarsePicture()
    {
        // The window's thread is away until both levels are through: what the first one drew must still be shown.
        std::atomic<bool> refined = false;
        int received = 0, levels = 0;
        QStringList order;
        IntLane lane(
            [&](int value, Level level, const RunContext&, const auto&) {
                if (level == Level::Final) {
                    refined = true;
                    throw Error(ErrorCode::NonFinite, "has no spectrum", "blocks.0");
                }
                return std::make_shared<const int>(value);
            },
            [&](const auto& result, int, Level level, bool) {
                received = *result;
                levels += level == Level::Coarse ? 1 : 100;
                order << "picture";
            });
        connect(&lane, &LaneCore::failed, this, [&](const QString& text) { order << text; });
        lane.request(7);
        while (!refined)
            std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(30)); // until the failure is handed over, too
        QTRY_VERIFY(!lane.isBusy());
        QCOMPARE(received, 7);
        QCOMPARE(levels, 1);
        QCOMPARE(order, (QStringList{"picture", "blocks.0: has no spectrum"}));
        QCOMPARE(lane.counts().coarse, 1);
        QCOMPARE(lane.counts().failures, 1);
    }
    void partialResultsArrive()
    {
        std::vector<bool> partials;
        IntLane lane(
            [](int, Level level, const RunContext&, const auto& publish) -> std::shared_ptr<const int> {
                if (level == Level::Coarse)
                    return nullptr;
                publish(std::make_shared<const int>(1));
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
                return std::make_shared<const int>(2);
            },
            [&](const auto&, int, Level, bool partial) { partials.push_back(partial); });
        lane.request(1);
        QTRY_VERIFY(!lane.isBusy());
        QCOMPARE(partials, (std::vector<bool>{true, false}));
    }
    void everyExceptionIsOneSentence()
    {
        QString sentence;
        IntLane lane(
            [](int value, Level level, const RunContext&, const auto&) -> std::shared_ptr<const int> {
                if (level == Level::Coarse)
                    return nullptr;
                if (value == 0)
                    throw Error(ErrorCode::MalformedFile, "is torn", "a.bin", 7);
                if (value == 1)
                    throw std::bad_alloc();
                if (value == 2)
                    throw std::out_of_range("index\n  7");
                throw 42;
            },
            [](const auto&, int, Level, bool) {});
        connect(&lane, &LaneCore::failed, this, [&](const QString& text) { sentence = text; });
        const QStringList expected{"a.bin: is torn (at byte 7)", "The system has no memory left for this.",
                                   "Something unexpected failed: index 7", "Something failed without saying what."};
        for (int i = 0; i < 4; ++i) {
            sentence.clear();
            lane.request(i);
            QTRY_COMPARE(sentence, expected[i]);
        }
    }
    void goingAwayWhileBusyIsQuick()
    {
        QElapsedTimer clock;
        {
            IntLane lane(
                [](int value, Level level, const RunContext& context, const auto&) {
                    burn(level == Level::Coarse ? 20 : 20000, context);
                    return std::make_shared<const int>(value);
                },
                [](const auto&, int, Level, bool) {});
            lane.request(1);
            QTest::qWait(60);
            clock.start();
        }
        qInfo("destroyed in %lld ms", static_cast<long long>(clock.elapsed()));
        QVERIFY(clock.elapsed() < 10000); // half of what burn() takes unless it is stopped
    }
};

QTEST_GUILESS_MAIN(TstLane)
#include "tst_lane.moc"
