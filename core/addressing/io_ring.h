// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The kernel's asynchronous reads (io_uring), by its system calls alone. Reference: linux/io_uring.h, io_uring_setup(2), io_uring_enter(2).
#include <cstdint>
#include <memory>
#include <string>

namespace tamis::addressing {

/// One submission and one completion queue. Not thread-safe.
class IoRing {
public:
    struct Completion {
        std::uint64_t tag = 0;
        int result = 0; ///< bytes read, or minus the system's error number
    };

    /// Why this system gives no ring, in words; empty: it does. Asked once.
    static const std::string& unavailable();

    /// `entries`: reads that can be under way at once, 1 to 4096. Throws Error{UnsupportedFeature (the kernel refuses, with its reason),
    /// InvalidParameter}.
    explicit IoRing(unsigned entries) : IoRing(entries, nullptr) {}
    /// io_uring_enter(2) of a ring: hands over `submit` reads, waits for `atLeast` completions. The number taken, or -1 with errno.
    using Enter = long (*)(int descriptor, unsigned submit, unsigned atLeast, unsigned flags);
    /// `enter` in place of the system's, for what cannot be provoked; null: the system's.
    IoRing(unsigned entries, Enter enter);
    /// Waits for the reads that are under way.
    ~IoRing();
    IoRing(const IoRing&) = delete;
    IoRing& operator=(const IoRing&) = delete;

    unsigned entries() const noexcept;
    /// Puts a read into the submission queue; false when it is full. `to` must live until the completion came.
    bool push(int descriptor, std::uint64_t offset, void* to, std::uint32_t bytes, std::uint64_t tag) noexcept;
    /// Hands over what was pushed and waits until `atLeast` completions are there. Throws Error{IoFailure} when all that was under way has ended, and
    /// forgets it, so that destinations may be freed: no completion of it comes, and nothing that was pushed is read any more.
    void submit(unsigned atLeast);
    /// The next completion; false when there is none yet.
    bool pop(Completion& completion) noexcept;

private:
    void drain() noexcept;
    struct Queues;
    std::unique_ptr<Queues> m_queues;
};

} // namespace tamis::addressing
