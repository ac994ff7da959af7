// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Parallel loops with stop and progress. Results must not depend on the number of threads: reduce over fixed tiles.
#include "core/base/run_context.h"

#include <cstddef>
#include <functional>

namespace tamis {

/// Calls body(i) for i in [0, count) on the threads of the current arena, one index a task. Checks for a stop before each
/// index; the first exception of a body, or Error{Cancelled}, leaves the loop.
void parallelFor(const RunContext& context, std::size_t count, const std::function<void(std::size_t)>& body);

/// Caps the number of threads of the process from now until the returned guard goes (--threads). 0: all cores.
class ThreadLimit {
public:
    explicit ThreadLimit(int threads);
    ~ThreadLimit();
    ThreadLimit(const ThreadLimit&) = delete;
    ThreadLimit& operator=(const ThreadLimit&) = delete;

private:
    void* m_control = nullptr;
};

/// A set of threads of its own: loops inside execute() do not take turns with those of other arenas.
class Arena {
public:
    Arena();
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    void execute(const std::function<void()>& body);

private:
    void* m_arena;
};

/// Threads that parallelFor may use now.
int threadCount();

} // namespace tamis
