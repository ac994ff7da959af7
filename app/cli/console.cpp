// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/console.h"

#include "app/cli/interrupts.h"
#include "app/cli/json_output.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <stop_token>
#include <thread>
#include <unistd.h>

namespace tamis::cli {
namespace {
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kPatience = std::chrono::milliseconds(150); // shorter work shows no progress

void writeStream(std::FILE* stream, const std::string& text, const char* subject)
{
    if (std::fwrite(text.data(), 1, text.size(), stream) != text.size() || std::fflush(stream) != 0)
        throw Error(ErrorCode::IoFailure, std::string("could not be written: ") + std::strerror(errno), subject);
}
} // namespace

void writeStandardOutput(const std::string& text) { writeStream(stdout, text, "standard output"); }

/// One line on standard error, redrawn ten times a second by a thread of its own, erased at the end.
class Console::ProgressLine {
public:
    explicit ProgressLine(const RunContext& context)
        : m_context(context), m_thread([this](const std::stop_token& stop) { redraw(stop); })
    {
    }

private:
    void redraw(const std::stop_token& stop)
    {
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock(mutex);
        const auto finished = [&](auto time) { return wake.wait_for(lock, stop, time, [&] { return stop.stop_requested(); }); };
        if (finished(kPatience))
            return;
        do {
            const int percent = static_cast<int>(100 * m_context.fraction());
            std::fprintf(stderr, "\r\033[K%3d %%  %.70s", percent, m_context.label().c_str());
            std::fflush(stderr);
        } while (!finished(kRedraw));
        std::fputs("\r\033[K", stderr);
        std::fflush(stderr);
    }
    RunContext m_context;
    std::jthread m_thread; // last: it reads what stands above
};

struct Console::Kept {
    std::string text;
    nlohmann::ordered_json document;
};

Console::Console(const CommonOptions& common, Interrupts& interrupts)
    : m_common(common), m_interrupts(interrupts), m_context(interrupts.token(), [this](LogLevel level, const std::string& text) {
          if (level != LogLevel::Warning)
              return;
          const std::lock_guard lock(m_mutex);
          if (std::ranges::find(m_warnings, text) == m_warnings.end())
              m_warnings.push_back(text);
      })
{
    if (!common.quiet && isatty(STDERR_FILENO))
        m_progress = std::make_unique<ProgressLine>(m_context);
    m_interrupts.onStop([this] {
        endProgress();
        writeKept();
    });
}

Console::~Console() { m_interrupts.onStop({}); }

void Console::beginWriting() { m_interrupts.beginWriting(); }

void Console::print(const std::string& text)
{
    if (m_common.quiet)
        return;
    endProgress();
    {
        const std::lock_guard lock(m_mutex);
        if (m_kept)
            m_kept->text.clear(); // said now, in full
    }
    writeText(text);
}

void Console::writeText(const std::string& text) const
{
    if (m_common.json == "-")
        writeStream(stderr, text, "standard error");
    else
        writeStandardOutput(text);
}

void Console::endProgress()
{
    const std::lock_guard lock(m_progressMutex);
    m_progress.reset();
}

void Console::keep(std::string text, nlohmann::ordered_json document)
{
    document["cancelled"] = true;
    auto kept = std::make_unique<Kept>(Kept{std::move(text), std::move(document)});
    const std::lock_guard lock(m_mutex);
    m_kept = std::move(kept);
}

void Console::stopped() { m_interrupts.endStopped(); }

void Console::writeKept() const
{
    Kept kept;
    {
        const std::lock_guard lock(m_mutex);
        if (!m_kept)
            return;
        kept = *m_kept;
    }
    try {
        if (!m_common.quiet)
            writeText(kept.text);
        if (m_common.json.empty())
            return;
        const std::string text = withWarnings(std::move(kept.document));
        if (m_common.json == "-")
            writeStandardOutput(text);
        else
            writeFileAtomically(m_common.json, text);
    } catch (const std::exception& error) { // the program ends anyway
        std::fprintf(stderr, "tamis-cli: what was finished is lost: %s\n", error.what());
    }
}

std::string Console::withWarnings(nlohmann::ordered_json document) const
{
    for (const auto& warning : warnings())
        addWarning(document, warning);
    return jsonText(std::move(document));
}

std::vector<std::string> Console::warnings() const
{
    const std::lock_guard lock(m_mutex);
    return m_warnings;
}

void Console::finish(nlohmann::ordered_json document)
{
    m_context.throwIfStopped();
    endProgress();
    if (m_common.json.empty())
        return;
    const std::string text = withWarnings(std::move(document));
    if (m_common.json == "-") {
        writeStandardOutput(text);
        return;
    }
    beginWriting();
    writeFileAtomically(m_common.json, text);
}

} // namespace tamis::cli
