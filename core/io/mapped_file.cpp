// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/mapped_file.h"

#include "core/base/error.h"

#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tamis::io {
namespace {

// The access that this thread is in the middle of; the signal handler jumps back to it when a page of it is gone.
struct Access {
    sigjmp_buf back;
    const std::byte* begin;
    const std::byte* end;
    Access* outer;
};
thread_local Access* t_access = nullptr;
struct sigaction g_previous = {};

void onBusError(int signal, siginfo_t* cause, void* context)
{
    Access* access = t_access;
    const auto* address = static_cast<const std::byte*>(cause->si_addr);
    if (access != nullptr && address >= access->begin && address < access->end)
        siglongjmp(access->back, 1);
    if ((g_previous.sa_flags & SA_SIGINFO) != 0 && g_previous.sa_sigaction != nullptr) {
        g_previous.sa_sigaction(signal, cause, context);
    } else if (g_previous.sa_handler != SIG_DFL && g_previous.sa_handler != SIG_IGN) {
        g_previous.sa_handler(signal);
    } else { // not ours: end as the system would
        std::signal(signal, SIG_DFL);
        std::raise(signal);
    }
}

void installBusErrorGuard()
{
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action = {};
        action.sa_sigaction = onBusError;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        sigaction(SIGBUS, &action, &g_previous);
    });
}

// False when a page of `bytes` was gone. No local changes after sigsetjmp, so none needs to be volatile.
[[gnu::noinline]] bool readsThrough(std::span<const std::byte> bytes, void (*visitor)(std::span<const std::byte>, void*) noexcept, void* object)
{
    Access access{.back = {}, .begin = bytes.data(), .end = bytes.data() + bytes.size(), .outer = t_access};
    if (sigsetjmp(access.back, 1) != 0) {
        t_access = access.outer;
        return false;
    }
    t_access = &access;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    visitor(bytes, object);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    t_access = access.outer;
    return true;
}

[[noreturn]] void failShrunk(const std::string& subject, std::uint64_t offset, std::uint64_t need, std::uint64_t found)
{
    throw Error(ErrorCode::IoFailure,
                "the file shrank after it was opened: found " + std::to_string(found) + " bytes, expected at least " + std::to_string(need),
                subject, offset);
}
} // namespace

MappedFile::MappedFile(std::filesystem::path path, int descriptor, const std::byte* data, std::uint64_t size)
    : m_path(std::move(path)), m_descriptor(descriptor), m_bytes(data), m_size(size)
{
}

MappedFile::~MappedFile()
{
    if (m_bytes != nullptr)
        ::munmap(const_cast<std::byte*>(m_bytes), m_size);
    ::close(m_descriptor);
}

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& file)
{
    const auto fail = [&](const std::string& message) { throw Error(ErrorCode::IoFailure, message, file.string()); };
    // O_NONBLOCK: a FIFO must not block the open. It means nothing for a regular file.
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        fail(std::string("cannot be opened: ") + std::strerror(errno));
    // From here the object owns the descriptor, whatever is thrown.
    std::shared_ptr<MappedFile> mapped(new MappedFile(file, descriptor, nullptr, 0));
    struct stat status = {};
    if (::fstat(descriptor, &status) != 0)
        fail(std::string("cannot be read: ") + std::strerror(errno));
    if (S_ISDIR(status.st_mode))
        fail("is a directory, expected a file");
    if (!S_ISREG(status.st_mode))
        fail("is not a regular file");
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > 0) {
        void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
        if (address == MAP_FAILED)
            fail(std::string("cannot be mapped: ") + std::strerror(errno));
        mapped->m_bytes = static_cast<const std::byte*>(address);
        mapped->m_size = size;
    }
    installBusErrorGuard();
    return mapped;
}

void MappedFile::copy(std::uint64_t offset, std::span<std::byte> destination, const std::string& subject) const
{
    visit(offset, destination.size(), subject, [destination](std::span<const std::byte> bytes) noexcept {
        if (!bytes.empty())
            std::memcpy(destination.data(), bytes.data(), bytes.size());
    });
}

void MappedFile::visitGuarded(std::uint64_t offset, std::uint64_t size, const std::string& subject, Visitor visitor, void* object) const
{
    if (offset > m_size || size > m_size - offset)
        throw Error(ErrorCode::InvalidParameter,
                    std::to_string(size) + " bytes were asked for, the file has " + std::to_string(m_size), subject, offset);
    struct stat status = {};
    if (::fstat(m_descriptor, &status) != 0)
        throw Error(ErrorCode::IoFailure, std::string("cannot be read: ") + std::strerror(errno), subject, offset);
    const auto now = static_cast<std::uint64_t>(status.st_size);
    if (now < offset + size)
        failShrunk(subject, offset, offset + size, now);
    if (size == 0) {
        visitor({}, object);
        return;
    }
    if (readsThrough({m_bytes + offset, size}, visitor, object))
        return;
    // Also a disk that cannot deliver a page raises SIGBUS.
    if (::fstat(m_descriptor, &status) == 0 && static_cast<std::uint64_t>(status.st_size) < offset + size)
        failShrunk(subject, offset, offset + size, static_cast<std::uint64_t>(status.st_size));
    throw Error(ErrorCode::IoFailure, "the system could not deliver the bytes (read error)", subject, offset);
}

} // namespace tamis::io
