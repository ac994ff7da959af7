// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A run that is asked to stop while it is under way, not before.
#include "core/base/error.h"
#include "core/base/run_context.h"
#include "tests/core/base/stop_clock.h"

#include <QTest>

#include <atomic>
#include <thread>

namespace tamis::test {

/// Asks once run(context) has come as far as `fraction` and `after` went by since.
template <class Run> void verifyStopsMidRun(Run&& run, double fraction, std::chrono::milliseconds after = {})
{
    std::stop_source stop;
    const RunContext context(stop.get_token());
    StopClock clock;
    std::atomic<bool> isOver = false, wasAsked = false;
    std::jthread stopper([&] {
        while (context.fraction() < fraction && !isOver)
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        std::this_thread::sleep_for(after);
        if (isOver)
            return;
        clock.ask(stop);
        wasAsked = true;
    });
    ErrorCode code{};
    bool left = false;
    try {
        run(context);
    } catch (const Error& error) {
        code = error.code();
        left = true;
    }
    isOver = true;
    stopper.join();
    QVERIFY2(wasAsked, "was over before it could be asked");
    QVERIFY2(left, "was not stopped");
    QCOMPARE(code, ErrorCode::Cancelled);
    QVERIFY2(clock.seconds() < kSoonSeconds, std::to_string(clock.seconds()).c_str());
}

} // namespace tamis::test
