// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a verb talks through: tables for people, JSON for scripts, progress on a terminal.
#include "app/cli/options.h"
#include "core/base/run_context.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tamis::cli {

class Interrupts;

class Console {
public:
    Console(const CommonOptions& common, Interrupts& interrupts);
    ~Console();
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    const CommonOptions& common() const noexcept { return m_common; }
    const RunContext& context() const noexcept { return m_context; }
    /// Files are about to be written: see Interrupts::beginWriting().
    void beginWriting();
    /// Text for people: standard output, or standard error when the JSON goes to standard output; nothing with --quiet.
    void print(const std::string& text);
    /// What a stop from now on leaves behind, instead of what was said here before: the text is printed and the document written as
    /// by print() and finish(), with "cancelled": true. Any thread.
    void keep(std::string text, nlohmann::ordered_json document);
    /// The run has left its work because it was stopped: leaves behind what was kept.
    void stopped();
    /// Warnings that core logged so far, without repetitions.
    std::vector<std::string> warnings() const;
    /// Ends the run: erases the progress line, writes the document where --json says (with the warnings of core and of
    /// the numbers that are not finite added to "warnings"), or nothing without --json. Throws Error{IoFailure}.
    void finish(nlohmann::ordered_json document);

private:
    class ProgressLine;
    struct Kept;
    void writeKept() const;
    void writeText(const std::string& text) const;
    std::string withWarnings(nlohmann::ordered_json document) const; ///< as JSON
    void endProgress();
    CommonOptions m_common;
    Interrupts& m_interrupts;
    mutable std::mutex m_mutex; ///< guards m_warnings and m_kept
    std::vector<std::string> m_warnings;
    RunContext m_context;
    std::unique_ptr<Kept> m_kept; ///< null: nothing is finished
    std::mutex m_progressMutex;   ///< guards m_progress
    std::unique_ptr<ProgressLine> m_progress;
};

/// All of `text` to standard output. Throws Error{IoFailure} (a full disk, a closed pipe).
void writeStandardOutput(const std::string& text);

} // namespace tamis::cli
