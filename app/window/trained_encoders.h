// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Encoders that took long to train: kept while the program runs, written to files and read back.
#include "app/window/encoder_request.h"
#include "core/base/run_context.h"
#include "core/report/series.h"

#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace tamis::app {

/// Thread-safe.
class TrainedEncoders {
public:
    struct Entry {
        int number = 0;         ///< from 1, given by keep()
        EncoderRequest request; ///< that it was trained for; parameters complete
        encoder::Built built;
        double seconds = 0;     ///< of training; 0: it comes from a file
        std::filesystem::path file; ///< written to or read from; empty: it is only here
    };
    /// In place of one of the same settings. Returns its number, which no other one had.
    int keep(Entry entry);
    void setFile(int number, const std::filesystem::path& file);
    void forget(int number);
    /// Of the same method and complete parameters, for the same autoencoder and k, whatever tokens it is measured on.
    std::optional<Entry> find(const EncoderRequest& request) const;
    std::optional<Entry> at(int number) const;
    std::vector<Entry> entries() const; ///< newest first
    static constexpr std::size_t kMost = 16; ///< the oldest goes

private:
    mutable std::mutex m_mutex;
    std::deque<Entry> m_entries; ///< newest first
    int m_last = 0;
};

/// How a training tells and is told; each may be empty.
struct TrainingTalk {
    std::function<void(const std::vector<report::Series>&)> seen; ///< losses so far, ten times a second, on the thread that trains
    std::function<bool()> enough; ///< true: it ends with the best so far
};

/// Trains (or builds) what is asked for. Throws tamis::Error.
TrainedEncoders::Entry buildEncoder(const EncoderRequest& request, const RunContext& context, const TrainingTalk& talk = {});

/// Throws Error{InvalidParameter} where nothing was trained, and what writing throws.
void saveTrained(const TrainedEncoders::Entry& entry, const std::filesystem::path& file, const RunContext& context);
/// For the autoencoder of `sources`, whatever k the file says. Throws Error{InvalidParameter} for one that was trained for another autoencoder
/// or by a method that there is not, and what reading and restoring throw.
TrainedEncoders::Entry openTrained(const std::filesystem::path& file, const SourcesPointer& sources, const RunContext& context);

} // namespace tamis::app
