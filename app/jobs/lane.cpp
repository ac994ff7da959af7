// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/lane.h"

#include "app/jobs/failure_sentence.h"
#include "core/base/parallel.h"

namespace tamis::app {
namespace {
/// The window has the cores for so long to paint a coarse picture, which a final one that computes on all of them would delay; one that takes less is painted with it.
constexpr std::chrono::milliseconds kPainting(30);
} // namespace

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
    std::optional<Slot> replaced; // goes after the lock: what it owns may take a while
    {
        const std::lock_guard lock(m_mutex);
        replaced = std::exchange(m_pending, Slot{++m_sequence, std::move(request)});
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
        m_picture.reset();
        m_end.reset();
        m_forgetBelow = m_sequence + 1;
        if (m_refining)
            m_refining->request_stop();
    }
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
    if (coarse) {
        handOver(Picture{slot.sequence, slot.request, coarse, Level::Coarse, false}, {});
        std::unique_lock lock(m_mutex);
        if (m_lastFinal > kPainting)
            m_wake.wait_for(lock, m_worker.get_stop_token(), kPainting, [this] { return m_pending.has_value(); });
    }

    std::stop_source source;
    const RunContext context(source.get_token());
    {
        const std::lock_guard lock(m_mutex);
        if (m_pending || slot.sequence < m_forgetBelow || m_worker.get_stop_token().stop_requested())
            return; // something newer, whose coarse picture comes first, or nobody waits for this one
        m_refining = source;
        m_progress = context;
    }
    Any final;
    const auto start = std::chrono::steady_clock::now();
    const auto failure = attempt([&] {
        final = m_work(slot.request, Level::Final, context, [&](const Any& partial) {
            if (!source.stop_requested())
                handOver(Picture{slot.sequence, slot.request, partial, Level::Final, true}, {});
        });
    });
    {
        const std::lock_guard lock(m_mutex);
        m_refining.reset();
        m_progress.reset();
        m_lastFinal = std::chrono::steady_clock::now() - start;
    }
    if (source.stop_requested())
        return;
    std::optional<Picture> picture;
    if (final)
        picture = Picture{slot.sequence, slot.request, final, Level::Final, false};
    handOver(std::move(picture), End{slot.sequence, failure.value_or(coarseFailure && !final ? *coarseFailure : QString())});
}

void LaneCore::handOver(std::optional<Picture> picture, std::optional<End> end)
{
    const std::lock_guard lock(m_mutex);
    if (picture && picture->result)
        m_picture = std::move(picture); // one place: a slow window gets the newest, not a queue
    if (end)
        m_end = std::move(end);
    if (!std::exchange(m_posted, true))
        QMetaObject::invokeMethod(this, [this] { deliver(); }, Qt::QueuedConnection);
}

void LaneCore::deliver()
{
    std::optional<Picture> picture;
    std::optional<End> end;
    {
        const std::lock_guard lock(m_mutex);
        m_posted = false;
        picture = std::exchange(m_picture, std::nullopt);
        end = std::exchange(m_end, std::nullopt);
        if (picture && picture->sequence < m_forgetBelow)
            picture.reset();
        if (end && end->sequence < m_forgetBelow)
            end.reset();
    }
    if (end && end->sequence == m_sequence)
        setBusy(false);
    if (picture && picture->sequence >= m_delivered) {
        m_delivered = picture->sequence;
        ++(picture->level == Level::Coarse ? m_counts.coarse : picture->partial ? m_counts.partial : m_counts.finals);
        receive(picture->result, picture->request, picture->level, picture->partial);
    }
    if (end && !end->failure.isEmpty() && end->sequence >= m_delivered) {
        ++m_counts.failures;
        emit failed(end->failure);
    }
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
