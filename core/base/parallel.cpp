// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/parallel.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_scheduler_observer.h>

#include <algorithm>
#include <cstdlib>
#ifdef __linux__
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace tamis {

void parallelFor(const RunContext& context, std::size_t count, const std::function<void(std::size_t)>& body)
{
    tbb::task_group_context group(tbb::task_group_context::isolated);
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, count, 1),
        [&](const tbb::blocked_range<std::size_t>& range) {
            for (std::size_t i = range.begin(); i != range.end(); ++i) {
                context.throwIfStopped();
                body(i);
            }
        },
        tbb::simple_partitioner(), group);
    context.throwIfStopped();
}

ThreadLimit::ThreadLimit(int threads)
{
    if (threads > 0)
        m_control = new tbb::global_control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
}

ThreadLimit::~ThreadLimit() { delete static_cast<tbb::global_control*>(m_control); }

namespace {
/// 10, a tenth of the weight of the window's thread; TAMIS_NICE in the environment, 0 to 19, instead.
int niceOfArenas()
{
    const char* given = std::getenv("TAMIS_NICE");
    return given && *given ? std::clamp(std::atoi(given), 0, 19) : 10;
}


#ifdef __linux__
int lowered(id_t thread) { return setpriority(PRIO_PROCESS, thread, std::max(niceOfArenas(), getpriority(PRIO_PROCESS, thread))); }
#endif

/// Threads in an arena work behind a window: where the cores do not suffice the window paints first.
class Behind final : public tbb::task_scheduler_observer {
public:
    explicit Behind(tbb::task_arena& arena) : tbb::task_scheduler_observer(arena) { observe(true); }
    ~Behind() override { observe(false); }
    void on_scheduler_entry(bool) override
    {
#ifdef __linux__
        thread_local const int once = lowered(static_cast<id_t>(gettid())); // of this thread alone; where it fails all goes on as before
        (void)once;
#endif
    }
};

struct ArenaBehind {
    tbb::task_arena arena;
    Behind behind{arena};
};
} // namespace

Arena::Arena() : m_arena(new ArenaBehind) {}
Arena::~Arena() { delete static_cast<ArenaBehind*>(m_arena); }
void Arena::execute(const std::function<void()>& body) { static_cast<ArenaBehind*>(m_arena)->arena.execute(body); }

int threadCount()
{
    const auto allowed = static_cast<int>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
    return std::max(1, std::min(allowed, tbb::this_task_arena::max_concurrency()));
}

} // namespace tamis
