// SPDX-License-Identifier: GPL-3.0-or-later
// The threads of an arena work behind the window's: at the nice value of TAMIS_NICE, and nobody else's changes.
#include "core/base/parallel.h"

#include <QTest>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

using namespace tamis;

namespace {
int niceOfThisThread() { return getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); }
} // namespace

class TstArena : public QObject {
    Q_OBJECT
private slots:
    void threadsYieldToTheWindow()
    {
        qputenv("TAMIS_NICE", "7");
        const int own = niceOfThisThread();
        std::mutex mutex;
        std::set<int> seen;
        std::jthread([&] {
            Arena arena;
            arena.execute([&] {
                parallelFor({}, 64, [&](std::size_t) {
                    std::this_thread::sleep_for(std::chrono::milliseconds(1)); // so that every thread takes part
                    const std::lock_guard lock(mutex);
                    seen.insert(niceOfThisThread());
                });
            });
        }).join();
        QCOMPARE(seen, std::set<int>{std::max(7, own)});
        QCOMPARE(niceOfThisThread(), own);
        parallelFor({}, 1, [&](std::size_t) {}); // outside of arenas
        QCOMPARE(niceOfThisThread(), own);
    }
};

QTEST_GUILESS_MAIN(TstArena)
#include "tst_arena.moc"
