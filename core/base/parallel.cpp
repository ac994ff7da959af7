// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/parallel.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

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

Arena::Arena() : m_arena(new tbb::task_arena) {}
Arena::~Arena() { delete static_cast<tbb::task_arena*>(m_arena); }
void Arena::execute(const std::function<void()>& body) { static_cast<tbb::task_arena*>(m_arena)->execute(body); }

int threadCount()
{
    const auto allowed = static_cast<int>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
    return std::max(1, std::min(allowed, tbb::this_task_arena::max_concurrency()));
}

} // namespace tamis
