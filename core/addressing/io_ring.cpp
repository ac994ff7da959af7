// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/io_ring.h"

#include "core/base/error.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace tamis::addressing {
namespace {
constexpr unsigned kMaximumEntries = 4096;
constexpr std::chrono::microseconds kLookAgain{200};

int setup(unsigned entries, io_uring_params& parameters) { return static_cast<int>(::syscall(__NR_io_uring_setup, entries, &parameters)); }

long enterKernel(int descriptor, unsigned submit, unsigned atLeast, unsigned flags) { return ::syscall(__NR_io_uring_enter, descriptor, submit, atLeast, flags, nullptr, 0); }

/// A piece of memory that the kernel shares; unmapped at the end.
struct Shared {
    void* data = MAP_FAILED;
    std::size_t bytes = 0;
    ~Shared()
    {
        if (data != MAP_FAILED)
            ::munmap(data, bytes);
    }
    bool map(int descriptor, std::size_t size, off_t which)
    {
        bytes = size;
        data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, which);
        return data != MAP_FAILED;
    }
    template <class T> T* at(std::uint32_t offset) const { return reinterpret_cast<T*>(static_cast<std::byte*>(data) + offset); }
};

unsigned acquire(unsigned* value) { return std::atomic_ref(*value).load(std::memory_order_acquire); }
void release(unsigned* value, unsigned to) { std::atomic_ref(*value).store(to, std::memory_order_release); }
} // namespace

struct IoRing::Queues {
    ~Queues()
    {
        if (descriptor >= 0)
            ::close(descriptor);
    }
    int descriptor = -1;
    Enter enter = enterKernel;
    unsigned entries = 0, pushed = 0; ///< pushed: not handed over yet
    unsigned underWay = 0;            ///< handed over, not taken out as a completion
    Shared submission, completion, slots;
    unsigned *submissionTail = nullptr, *submissionHead = nullptr, *submissionMask = nullptr, *submissionArray = nullptr;
    unsigned *completionHead = nullptr, *completionTail = nullptr, *completionMask = nullptr;
    io_uring_cqe* completions = nullptr;
};

const std::string& IoRing::unavailable()
{
    static const std::string reason = [] {
        io_uring_params parameters{};
        const int descriptor = setup(1, parameters);
        if (descriptor < 0)
            return std::string("the kernel refuses io_uring: ") + std::strerror(errno);
        ::close(descriptor);
        return std::string();
    }();
    return reason;
}

IoRing::IoRing(unsigned entries, Enter enter) : m_queues(std::make_unique<Queues>())
{
    if (entries < 1 || entries > kMaximumEntries)
        throw Error(ErrorCode::InvalidParameter, "found a queue of " + std::to_string(entries) + " reads, expected 1 to " + std::to_string(kMaximumEntries), "depth");
    Queues& q = *m_queues;
    if (enter)
        q.enter = enter;
    io_uring_params parameters{};
    q.descriptor = setup(entries, parameters);
    if (q.descriptor < 0)
        throw Error(ErrorCode::UnsupportedFeature, std::string("the kernel refuses io_uring: ") + std::strerror(errno), "io_uring");
    const std::size_t submissionBytes = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    const std::size_t completionBytes = parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe);
    if (!q.submission.map(q.descriptor, submissionBytes, IORING_OFF_SQ_RING) || !q.completion.map(q.descriptor, completionBytes, IORING_OFF_CQ_RING)
        || !q.slots.map(q.descriptor, parameters.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES))
        throw Error(ErrorCode::UnsupportedFeature, std::string("the queues of io_uring cannot be mapped: ") + std::strerror(errno), "io_uring");
    q.entries = parameters.sq_entries;
    q.submissionHead = q.submission.at<unsigned>(parameters.sq_off.head);
    q.submissionTail = q.submission.at<unsigned>(parameters.sq_off.tail);
    q.submissionMask = q.submission.at<unsigned>(parameters.sq_off.ring_mask);
    q.submissionArray = q.submission.at<unsigned>(parameters.sq_off.array);
    q.completionHead = q.completion.at<unsigned>(parameters.cq_off.head);
    q.completionTail = q.completion.at<unsigned>(parameters.cq_off.tail);
    q.completionMask = q.completion.at<unsigned>(parameters.cq_off.ring_mask);
    q.completions = q.completion.at<io_uring_cqe>(parameters.cq_off.cqes);
}

IoRing::~IoRing() { drain(); }

/// Without the system call that may just have failed: completions are put into the queue whenever this thread returns from the kernel.
void IoRing::drain() noexcept
{
    Queues& q = *m_queues;
    if (q.pushed > 0) // the kernel reads this queue in a call alone: what it did not take is taken back
        release(q.submissionTail, *q.submissionTail - q.pushed);
    q.pushed = 0;
    while (q.underWay > 0) {
        Completion ended;
        if (!pop(ended))
            std::this_thread::sleep_for(kLookAgain);
    }
}

unsigned IoRing::entries() const noexcept { return m_queues->entries; }

bool IoRing::push(int descriptor, std::uint64_t offset, void* to, std::uint32_t bytes, std::uint64_t tag) noexcept
{
    Queues& q = *m_queues;
    const unsigned tail = *q.submissionTail; // only this side writes it
    if (tail - acquire(q.submissionHead) >= q.entries)
        return false;
    const unsigned slot = tail & *q.submissionMask;
    io_uring_sqe& entry = q.slots.at<io_uring_sqe>(0)[slot];
    std::memset(&entry, 0, sizeof entry);
    entry.opcode = IORING_OP_READ;
    entry.fd = descriptor;
    entry.off = offset;
    entry.addr = reinterpret_cast<std::uintptr_t>(to);
    entry.len = bytes;
    entry.user_data = tag;
    q.submissionArray[slot] = slot;
    release(q.submissionTail, tail + 1);
    ++q.pushed;
    return true;
}

void IoRing::submit(unsigned atLeast)
{
    Queues& q = *m_queues;
    for (;;) {
        const unsigned ready = acquire(q.completionTail) - *q.completionHead;
        if (q.pushed == 0 && ready >= atLeast)
            return;
        const long taken = q.enter(q.descriptor, q.pushed, atLeast, atLeast > 0 ? IORING_ENTER_GETEVENTS : 0U);
        if (taken >= 0) {
            q.pushed -= static_cast<unsigned>(taken);
            q.underWay += static_cast<unsigned>(taken);
        } else if (const int reason = errno; reason != EINTR && reason != EAGAIN && reason != EBUSY) {
            drain();
            throw Error(ErrorCode::IoFailure, std::string("io_uring took no reads: ") + std::strerror(reason), "io_uring");
        }
    }
}

bool IoRing::pop(Completion& completion) noexcept
{
    Queues& q = *m_queues;
    const unsigned head = *q.completionHead; // only this side writes it
    if (head == acquire(q.completionTail))
        return false;
    const io_uring_cqe& entry = q.completions[head & *q.completionMask];
    completion = {entry.user_data, entry.res};
    release(q.completionHead, head + 1);
    --q.underWay;
    return true;
}

} // namespace tamis::addressing
