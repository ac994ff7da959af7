// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/interrupts.h"

#include "core/base/error.h"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <semaphore.h>
#include <unistd.h>
#include <utility>

namespace tamis::cli {
namespace {
constexpr long kGraceNanoseconds = 80'000'000;
sem_t g_signals; // posted by the handler: sem_post is async-signal-safe

void onSignal(int)
{
    const int kept = errno;
    sem_post(&g_signals);
    errno = kept;
}

void installHandler(void (*handler)(int))
{
    struct sigaction action = {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

void waitForSignal()
{
    while (sem_wait(&g_signals) != 0 && errno == EINTR) {
    }
}

/// False when nothing came within the grace.
bool waitThroughGrace()
{
    timespec end = {};
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += kGraceNanoseconds;
    end.tv_sec += end.tv_nsec / 1'000'000'000;
    end.tv_nsec %= 1'000'000'000;
    int result = 0;
    while ((result = sem_timedwait(&g_signals, &end)) != 0 && errno == EINTR) {
    }
    return result == 0;
}

[[noreturn]] void leaveNow()
{
    constexpr char kErase[] = "\r\033[K", kLine[] = "tamis-cli: cancelled\n";
    if (isatty(STDERR_FILENO))
        (void)!write(STDERR_FILENO, kErase, sizeof kErase - 1);
    (void)!write(STDERR_FILENO, kLine, sizeof kLine - 1);
    _exit(130);
}
} // namespace

Interrupts::Interrupts()
{
    sem_init(&g_signals, 0, 0);
    m_watcher = std::thread([this] { watch(); });
    installHandler(onSignal);
}

Interrupts::~Interrupts()
{
    installHandler(SIG_DFL);
    m_closing = true;
    sem_post(&g_signals);
    m_watcher.join();
    sem_destroy(&g_signals);
}

void Interrupts::beginWriting()
{
    m_writing = true;
    if (m_stop.stop_requested())
        throw Error(ErrorCode::Cancelled, "stopped on request");
}

void Interrupts::onStop(std::function<void()> keep)
{
    const std::lock_guard lock(m_mutex);
    m_keep = std::move(keep);
}

void Interrupts::keepResults()
{
    const std::lock_guard lock(m_mutex);
    if (const auto keep = std::exchange(m_keep, {}))
        keep();
}

void Interrupts::endStopped()
{
    while (m_ending.exchange(true))
        pause(); // the other thread ends the program
    keepResults();
}

void Interrupts::watch()
{
    waitForSignal();
    if (m_closing)
        return;
    m_stop.request_stop();
    const bool second = waitThroughGrace();
    if (m_closing)
        return;
    if (second)
        leaveNow();
    if (!m_writing && !m_ending.exchange(true)) {
        keepResults();
        leaveNow();
    }
    waitForSignal();
    if (!m_closing)
        leaveNow();
}

} // namespace tamis::cli
