// SPDX-License-Identifier: GPL-3.0-or-later
// Content keys, bounds, one maker a key however many ask, and what is left after a failure.
#include "core/lowrank/decomposition_cache.h"

#include "core/base/error.h"
#include "core/lowrank/decomposition.h"
#include "tests/core/spectrum/small_workspace.h"

#include <QTest>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace tamis;
using namespace tamis::lowrank;

namespace {
struct Sized {
    int value = 0;
    std::uint64_t size = 0;
    std::uint64_t bytes() const noexcept { return size; }
};

std::function<Sized()> making(int value, std::uint64_t size, std::atomic<int>& count)
{
    return [value, size, &count] {
        ++count;
        return Sized{value, size};
    };
}
} // namespace

class TestDecompositionCache : public QObject {
    Q_OBJECT
private slots:
    void partsDoNotRunTogether()
    {
        QVERIFY(cacheKey({"ab", "c"}) != cacheKey({"a", "bc"}));
        QVERIFY(cacheKey({"a", ""}) != cacheKey({"a"}));
        QCOMPARE(cacheKey({"a", "b"}), cacheKey({"a", "b"}));
    }
    void leastRecentlyUsedGoes()
    {
        DecompositionCache cache(100);
        std::atomic<int> made = 0;
        QCOMPARE(cache.get<Sized>("a", making(1, 40, made))->value, 1);
        QCOMPARE(cache.get<Sized>("b", making(2, 40, made))->value, 2);
        QCOMPARE(cache.get<Sized>("a", making(9, 40, made))->value, 1); // used again
        QCOMPARE(cache.get<Sized>("c", making(3, 40, made))->value, 3); // b must go
        QCOMPARE(made.load(), 3);
        QCOMPARE(cache.use().bytes, 80u);
        QCOMPARE(cache.use().entries, 2u);
        QCOMPARE(cache.get<Sized>("a", making(9, 40, made))->value, 1);
        QCOMPARE(cache.get<Sized>("b", making(4, 40, made))->value, 4);
        const auto large = cache.get<Sized>("d", making(5, 101, made)); // beyond the limit: given, not kept, nothing else lost
        QCOMPARE(large->value, 5);
        QCOMPARE(cache.use().entries, 2u);
        cache.clear();
        QCOMPARE(cache.use().bytes, 0u);
        QCOMPARE(cache.get<Sized>("a", making(7, 40, made))->value, 7);
    }
    void manyAskOneMakes()
    {
        DecompositionCache cache(1000);
        std::atomic<int> made = 0, right = 0;
        const auto slow = [&] {
            ++made;
            std::this_thread::sleep_for(std::chrono::milliseconds(60));
            return Sized{42, 8};
        };
        std::vector<std::thread> threads;
        for (int i = 0; i < 6; ++i)
            threads.emplace_back([&] { right += cache.get<Sized>("key", slow)->value == 42; });
        for (auto& thread : threads)
            thread.join();
        QCOMPARE(made.load(), 1);
        QCOMPARE(right.load(), 6);
        QCOMPARE(cache.use().hits, 5u);
    }
    void aFailureLeavesNothingAndTheNextMakesIt()
    {
        DecompositionCache cache(1000);
        std::atomic<int> tries = 0;
        const auto failsOnce = [&] {
            const int now = ++tries;
            std::this_thread::sleep_for(std::chrono::milliseconds(30));
            if (now == 1)
                throw Error(ErrorCode::OutOfMemory, "no");
            return Sized{now, 8};
        };
        std::atomic<int> failed = 0, made = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i)
            threads.emplace_back([&] {
                try {
                    (void)cache.get<Sized>("key", failsOnce);
                    ++made;
                } catch (const Error&) {
                    ++failed;
                }
            });
        for (auto& thread : threads)
            thread.join();
        QCOMPARE(failed.load(), 1);
        QCOMPARE(made.load(), 2);
        QCOMPARE(tries.load(), 2);
    }
    void waitingSeesAStop()
    {
        DecompositionCache cache(1000);
        std::atomic<bool> begun = false, release = false;
        std::thread maker([&] {
            (void)cache.get<Sized>("key", [&] {
                begun = true;
                while (!release)
                    std::this_thread::sleep_for(std::chrono::milliseconds(1));
                return Sized{1, 8};
            });
        });
        while (!begun)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        std::stop_source source;
        source.request_stop();
        std::atomic<int> unused = 0;
        bool cancelled = false;
        try {
            (void)cache.get<Sized>("key", making(2, 8, unused), RunContext(source.get_token()));
        } catch (const Error& error) {
            cancelled = error.code() == ErrorCode::Cancelled;
        }
        release = true;
        maker.join();
        QVERIFY(cancelled);
        QCOMPARE(unused.load(), 0);
    }
    void theSameContentIsTheSameDecomposition()
    {
        const test::SmallWorkspace workspace({{"a", test::gaussian(8, 6, 1)}}, {test::makeSite("a", test::gaussian(30, 6, 2), 10, test::gaussian(5, 6, 3))});
        Inputs inputs;
        inputs.checkpoint = workspace.inputs().checkpoint;
        inputs.calibration = workspace.inputs().calibration;
        const io::MatrixRef& matrix = inputs.checkpoint->layout().matrices.front();
        const auto first = decompositionOf(inputs, matrix, {Preconditioner::OutputPca, 0.5, 0});
        // alpha means nothing to it: the same object, also for a set that was opened anew
        inputs.calibration = io::CalibrationSet::open(inputs.calibration->path());
        QCOMPARE(decompositionOf(inputs, matrix, {Preconditioner::OutputPca, 0.7, 0}).get(), first.get());
        QVERIFY(decompositionOf(inputs, matrix, {Preconditioner::OutputPca, 0.5, 0.1}).get() != first.get());
        QVERIFY(decompositionOf(inputs, matrix, {Preconditioner::Eigen, 0.5, 0}).get() != first.get());
        QVERIFY(decompositionOf(inputs, matrix, {Preconditioner::AbsMean, 0.5, 0}).get() != decompositionOf(inputs, matrix, {Preconditioner::AbsMean, 0.7, 0}).get());
        const test::SmallWorkspace other({{"a", test::gaussian(8, 6, 9)}}, {test::makeSite("a", test::gaussian(30, 6, 2), 10, test::gaussian(5, 6, 3))});
        inputs.checkpoint = other.inputs().checkpoint;
        QVERIFY(decompositionOf(inputs, other.inputs().checkpoint->layout().matrices.front(), {Preconditioner::OutputPca, 0.5, 0}).get() != first.get());
        inputs.calibration = nullptr;
        QVERIFY_THROWS_EXCEPTION(Error, decompositionOf(inputs, matrix, {}));
    }
};

QTEST_GUILESS_MAIN(TestDecompositionCache)
#include "tst_decomposition_cache.moc"
