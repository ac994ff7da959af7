// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/results_file.h"

#include "core/base/atomic_file.h"
#include "core/base/memory_estimate.h"
#include "core/io/hdf5_dataset.h"
#include "core/io/json_limits.h"
#include "core/io/printable_name.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tamis::io {
namespace {

constexpr std::size_t kMaximumRuns = 1'000'000, kMaximumArrays = 10'000;
constexpr std::size_t kMaximumArrayName = 1024;
constexpr char kPending[] = ".pending"; ///< a run that is being written, or was when the program died
constexpr JsonLimits kJsonLimits{.bytes = 256u << 20};

void requireObject(const std::string& json, const std::string& subject)
{
    if (!parseJson(json, kJsonLimits, subject).is_object())
        throw Error(ErrorCode::MalformedFile, "expected a JSON object", subject);
}

std::string runSubject(const std::string& file, std::size_t number) { return file + ", run " + std::to_string(number); }

/// Runs must be numbered 0, 1, 2 ... without a gap.
std::size_t countRuns(hid_t group, const std::string& subject)
{
    std::vector<std::string> names = linkNames(group, kMaximumRuns + 1, subject + ", runs");
    std::erase(names, kPending);
    std::vector<bool> seen(names.size());
    for (const std::string& name : names) {
        std::size_t number = 0;
        const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (problem != std::errc() || end != name.data() + name.size() || number >= names.size() || seen[number] || std::to_string(number) != name)
            throw Error(ErrorCode::MalformedFile, "found the run '" + printableName(name) + "', expected runs numbered 0 to " + std::to_string(names.size() - 1), subject);
        seen[number] = true;
    }
    return names.size();
}

void requireWritable(const StoredRun& run, const std::string& subject)
{
    const auto require = [&](bool condition, const std::string& message) {
        if (!condition)
            throw Error(ErrorCode::InvalidParameter, message, subject);
    };
    require(!run.method.empty(), "a stored run needs the id of its method");
    require(std::isfinite(run.seconds) && run.seconds >= 0, "a stored run needs its seconds, finite and not negative");
    require(run.arrays.size() <= kMaximumArrays, "a stored run has too many arrays");
    for (const auto& [name, values] : run.arrays)
        require(!name.empty() && name != "." && name.size() <= kMaximumArrayName && name.find_first_of(std::string_view("/\0", 2)) == std::string::npos,
                "the array '" + printableName(name) + "' cannot be stored: expected a name without '/'");
    for (const std::string* json : {&run.parametersJson, &run.reportJson})
        try {
            requireObject(*json, subject);
        } catch (const Error& error) {
            throw Error(ErrorCode::InvalidParameter, "a stored run needs JSON objects: " + error.message(), subject);
        }
}

void writeRun(hid_t group, const StoredRun& run, const std::string& subject)
{
    writeTextAttribute(group, "method", run.method, subject);
    writeTextAttribute(group, "parameters", run.parametersJson, subject);
    writeRealAttribute(group, "seconds", run.seconds, subject);
    writeText(group, "report", run.reportJson, subject);
    const Hdf5Handle arrays = createGroup(group, "arrays", subject);
    for (const auto& [name, values] : run.arrays)
        writeFloats(arrays, name, std::span<const double>(values), {values.size()}, subject);
}

StoredRun readRun(hid_t group, const std::string& subject)
{
    StoredRun run;
    run.method = readTextAttribute(group, "method", subject);
    run.parametersJson = readTextAttribute(group, "parameters", subject);
    run.seconds = readRealAttribute(group, "seconds", subject);
    run.reportJson = readText(group, "report", subject);
    requireObject(run.parametersJson, subject + ", parameters");
    requireObject(run.reportJson, subject + ", report");
    const Hdf5Handle arrays = openGroup(group, "arrays", subject);
    for (const std::string& name : linkNames(arrays, kMaximumArrays, subject + ", arrays")) {
        const std::string arraySubject = subject + ", array '" + printableName(name) + "'";
        const FloatDataset dataset = inspectFloats(openDataset(arrays, name, subject), 1, arraySubject);
        requireMemory(8 * dataset.elements(), arraySubject);
        std::vector<double> values(dataset.elements());
        readFloats(dataset, std::span(values), arraySubject);
        run.arrays.emplace(name, std::move(values));
    }
    return run;
}

} // namespace

struct ResultsFile::Content {
    std::filesystem::path path;
    std::string subject;
    Access access = Access::Read;
    Hdf5Handle file, group; ///< close themselves under the lock, the group first
    std::size_t runs = 0;
};

ResultsFile::ResultsFile(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
ResultsFile::~ResultsFile() = default;

std::unique_ptr<ResultsFile> ResultsFile::create(const std::filesystem::path& path)
{
    const std::string subject = path.string();
    AtomicFile target(path);
    {
        const Hdf5Lock lock;
        Hdf5Handle file = createHdf5(target.temporaryPath(), subject);
        writeTextAttribute(file, "schema", "tamis.results/1", subject);
        Hdf5Handle group = createGroup(file, "runs", subject);
        if (!group.reset() || !file.reset())
            failHdf5(ErrorCode::IoFailure, "writing failed", subject);
    }
    target.commit();
    return open(path, Access::Append);
}

std::unique_ptr<ResultsFile> ResultsFile::open(const std::filesystem::path& path, Access access)
{
    auto content = std::make_unique<Content>();
    content->path = path;
    content->subject = path.string();
    content->access = access;
    const Hdf5Lock lock;
    content->file = openHdf5(path, access == Access::Append ? H5F_ACC_RDWR : H5F_ACC_RDONLY);
    checkSchema(content->file, "tamis.results", 1, content->subject);
    content->group = openGroup(content->file, "runs", content->subject);
    content->runs = countRuns(content->group, content->subject);
    if (access == Access::Append && hasLink(content->group, kPending, content->subject) && H5Ldelete(content->group, kPending, H5P_DEFAULT) < 0)
        failHdf5(ErrorCode::IoFailure, "a half-written run cannot be dropped", content->subject);
    return std::unique_ptr<ResultsFile>(new ResultsFile(std::move(content)));
}

const std::filesystem::path& ResultsFile::path() const noexcept { return m_content->path; }

std::size_t ResultsFile::runs() const
{
    const Hdf5Lock lock;
    return m_content->runs;
}

std::size_t ResultsFile::append(const StoredRun& run)
{
    Content& content = *m_content;
    if (content.access != Access::Append)
        throw Error(ErrorCode::InvalidParameter, "was opened for reading, expected for appending", content.subject);
    const Hdf5Lock lock;
    const std::string subject = runSubject(content.subject, content.runs);
    requireWritable(run, subject);
    try {
        Hdf5Handle group = createGroup(content.group, kPending, subject);
        writeRun(group, run, subject);
        if (!group.reset())
            failHdf5(ErrorCode::IoFailure, "writing failed", subject);
    } catch (...) {
        H5Ldelete(content.group, kPending, H5P_DEFAULT);
        throw;
    }
    if (H5Lmove(content.group, kPending, content.group, std::to_string(content.runs).c_str(), H5P_DEFAULT, H5P_DEFAULT) < 0
        || H5Fflush(content.file, H5F_SCOPE_GLOBAL) < 0)
        failHdf5(ErrorCode::IoFailure, "writing failed", subject);
    return content.runs++;
}

StoredRun ResultsFile::read(std::size_t number) const
{
    const Hdf5Lock lock;
    if (number >= m_content->runs)
        throw Error(ErrorCode::InvalidParameter, "has no run " + std::to_string(number) + ", it has " + std::to_string(m_content->runs), m_content->subject);
    const std::string subject = runSubject(m_content->subject, number);
    return readRun(openGroup(m_content->group, std::to_string(number), subject), subject);
}

} // namespace tamis::io
