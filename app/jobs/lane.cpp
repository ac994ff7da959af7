// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/lane.h"

#include "app/jobs/failure_sentence.h"
#include "core/base/parallel.h"

namespace tamis::app {

LaneCore::LaneCore(Work work, QObject* parent) : QObject(parent), m_work(std::move(work))
{
    m_poll.setInterval(100);
    connect(&m_poll, &QTimer::timeout, this, [this] { emit progressed(fraction(), label()); });
    m_worker = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

LaneCore::~LaneCore()
{
    m_worker.request_stop();
    {
        const std::lock_guard lock(m_mutex);
        m_pending.reset();
        if (m_refining)
            m_refining->request_stop();
    }
    m_wake.notify_all();
    m_worker.join();
}

quint64 LaneCore::submit(Any request)
{
    {
        const std::lock_guard lock(m_mutex);
        m_pending = Slot{++m_sequence, std::move(request)};
        if (m_refining)
            m_refining->request_stop();
    }
    ++m_counts.requests;
    m_wake.notify_all();
    setBusy(true);
    return m_sequence;
}

void LaneCore::cancel()
{
    {
        const std::lock_guard lock(m_mutex);
        m_pending.reset();
        m_ready.reset();
        if (m_refining)
            m_refining->request_stop();
    }
    m_forgetBelow = m_sequence + 1;
    setBusy(false);
}

void LaneCore::run(const std::stop_token& stop)
{
    Arena arena;
    for (;;) {
        Slot slot;
        {
            std::unique_lock lock(m_mutex);
            m_wake.wait(lock, stop, [this] { return m_pending.has_value(); });
            if (stop.stop_requested())
                return;
            slot = *std::exchange(m_pending, std::nullopt);
        }
        arena.execute([&] { serve(slot); });
    }
}

std::optional<QString> LaneCore::attempt(const std::function<void()>& body) const
{
    try {
        body();
        return {};
    } catch (...) {
        return failureSentence(std::current_exception());
    }
}

void LaneCore::serve(const Slot& slot)
{
    const Publish ignore = [](const Any&) {};
    Any coarse;
    const auto coarseFailure = attempt([&] { coarse = m_work(slot.request, Level::Coarse, RunContext(), ignore); });
    if (coarse)
        handOver({slot.sequence, slot.request, coarse, Level::Coarse, false, {}});

    std::stop_source source;
    const RunContext context(source.get_token());
    {
        const std::lock_guard lock(m_mutex);
        if (m_pending || m_worker.get_stop_token().stop_requested())
            return; // something newer: its coarse picture comes first
        m_refining = source;
        m_progress = context;
    }
    Any final;
    const auto failure = attempt([&] {
        final = m_work(slot.request, Level::Final, context, [&](const Any& partial) {
            if (!source.stop_requested())
                handOver({slot.sequence, slot.request, partial, Level::Final, true, {}});
        });
    });
    {
        const std::lock_guard lock(m_mutex);
        m_refining.reset();
        m_progress.reset();
    }
    if (source.stop_requested())
        return;
    handOver({slot.sequence, slot.request, final, Level::Final, false, failure.value_or(coarseFailure && !final ? *coarseFailure : QString())});
}

void LaneCore::handOver(Outcome outcome)
{
    const std::lock_guard lock(m_mutex);
    m_ready = std::move(outcome); // one place: a slow window gets the newest, not a queue
    if (!std::exchange(m_posted, true))
        QMetaObject::invokeMethod(this, [this] { deliver(); }, Qt::QueuedConnection);
}

void LaneCore::deliver()
{
    std::optional<Outcome> ready;
    bool idle = false;
    {
        const std::lock_guard lock(m_mutex);
        m_posted = false;
        ready = std::exchange(m_ready, std::nullopt);
        idle = !m_pending;
    }
    if (!ready || ready->sequence < m_forgetBelow || ready->sequence < m_delivered)
        return;
    m_delivered = ready->sequence;
    const bool done = ready->level == Level::Final && !ready->partial;
    if (done && idle && ready->sequence == m_sequence)
        setBusy(false);
    if (!ready->failure.isEmpty()) {
        ++m_counts.failures;
        emit failed(ready->failure);
        return;
    }
    if (!ready->result)
        return;
    ++(ready->level == Level::Coarse ? m_counts.coarse : ready->partial ? m_counts.partial : m_counts.finals);
    receive(ready->result, ready->request, ready->level, ready->partial);
}

void LaneCore::setBusy(bool busy)
{
    if (busy == m_busy)
        return;
    m_busy = busy;
    if (busy)
        m_poll.start();
    else
        m_poll.stop();
    emit busyChanged(busy);
}

double LaneCore::fraction() const
{
    const std::lock_guard lock(m_mutex);
    return m_progress ? m_progress->fraction() : 0.0;
}

QString LaneCore::label() const
{
    const std::lock_guard lock(m_mutex);
    return m_progress ? QString::fromStdString(m_progress->label()) : QString();
}

LaneCore::Counts LaneCore::counts() const { return m_counts; }

} // namespace tamis::app
