// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Finished operators of a long run, one file each, and a journal that says which they are. A file is renamed into place before the
// journal (replaced as a whole, synced) names it with its hash, so a process that is killed at any moment loses only the operator
// that it was working on.
#include "core/base/run_context.h"
#include "core/nn/linear_op.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct Part {
    std::string name;   ///< of the matrix
    std::string layout; ///< nn::LinearOp::kind()
    std::int64_t rank = 0;
    double loss = 0, energy = 0;
};

class PartStore {
public:
    /// Opens or makes `directory`. `key`: what decides the results, a line "name value" each. Throws Error{InvalidParameter} when
    /// the directory holds a run of another key (the first line that differs), Error{MalformedFile} for a file that is no
    /// journal, Error{IoFailure}.
    PartStore(std::filesystem::path directory, std::vector<std::string> key);

    /// The finished part of that name; nothing when it is not in the journal or when its file is missing or has another hash
    /// (then it is to be written again).
    std::optional<Part> find(const std::string& name, const RunContext& context = {}) const;
    /// Appends to the journal. Throws Error{IoFailure, InvalidParameter (a name or layout with a tab or line break)}.
    void write(const Part& part, const std::vector<nn::NamedTensor>& tensors, const RunContext& context = {});
    /// One safetensors file of the parts of these names; appears whole. Memory does not grow with the parts. Throws
    /// Error{InvalidParameter} for a part that is not there.
    void assemble(const std::vector<std::string>& names, const std::filesystem::path& target, const RunContext& context = {}) const;
    /// Removes the parts' files; the journal stays.
    void removeParts() const;

    static constexpr const char* kJournal = "journal.tsv";

private:
    struct Entry {
        Part part;
        std::string file, sha256;
    };
    void read(const std::string& text);
    void save() const;
    std::filesystem::path m_directory;
    std::vector<std::string> m_key;
    std::vector<Entry> m_entries;             ///< in the order in which they were finished
    std::map<std::string, std::size_t> m_at;  ///< name -> the last entry of it
};

} // namespace tamis::lowrank
