// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/calibration.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/sha256.h"
#include "core/io/hdf5_dataset.h"
#include "core/io/printable_name.h"
#include "core/io/tensor_entry.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <set>

namespace tamis::io {
namespace {

constexpr std::size_t kMaximumSites = 100'000;
constexpr double kSymmetryTolerance = 1e-8;

/// The datasets of one site, their shapes checked against each other. Lives under the Hdf5Lock.
struct SiteDatasets {
    std::uint64_t count = 0;
    FloatDataset gram, mean;
    std::optional<FloatDataset> samples, heldOut, outputGradSq;
    std::uint64_t features() const { return gram.shape[0]; }
};

std::string siteSubject(const std::string& file, const std::string& site) { return file + ", site '" + printableName(site) + "'"; }
std::string datasetSubject(const std::string& site, const char* name) { return site + ", " + name; }

FloatDataset inspect(hid_t group, const char* name, std::size_t rank, const std::string& subject)
{
    return inspectFloats(openDataset(group, name, subject), rank, datasetSubject(subject, name));
}

std::optional<FloatDataset> inspectOptional(hid_t group, const char* name, std::size_t rank, const std::string& subject)
{
    if (!hasLink(group, name, subject))
        return std::nullopt;
    return inspect(group, name, rank, subject);
}

SiteDatasets inspectSite(hid_t sites, const std::string& name, const std::string& subject)
{
    const Hdf5Handle group = openGroup(sites, name, subject);
    SiteDatasets site;
    site.count = readCountAttribute(group, "count", subject);
    if (site.count == 0)
        throw Error(ErrorCode::MalformedFile, "the attribute 'count' is 0, expected at least one token", subject);
    site.gram = inspect(group, "gram", 2, subject);
    if (site.gram.shape[0] != site.gram.shape[1] || site.features() == 0)
        throw Error(ErrorCode::MalformedFile, "is " + std::to_string(site.gram.shape[0]) + " x " + std::to_string(site.gram.shape[1])
                                                  + ", expected a square matrix", datasetSubject(subject, "gram"));
    const auto agree = [&](std::uint64_t found, const char* dataset) {
        if (found != site.features())
            throw Error(ErrorCode::MalformedFile, "has " + std::to_string(found) + " features, expected " + std::to_string(site.features())
                                                      + " as in gram", datasetSubject(subject, dataset));
    };
    site.mean = inspect(group, "mean", 1, subject);
    agree(site.mean.shape[0], "mean");
    site.samples = inspectOptional(group, "samples", 2, subject);
    site.heldOut = inspectOptional(group, "heldout", 2, subject);
    site.outputGradSq = inspectOptional(group, "output_grad_sq", 1, subject);
    if (site.samples)
        agree(site.samples->shape[1], "samples");
    if (site.heldOut)
        agree(site.heldOut->shape[1], "heldout");
    return site;
}

std::uint64_t memoryOf(const SiteDatasets& site)
{
    std::uint64_t bytes = 8 * (site.gram.elements() + site.mean.elements());
    for (const auto* rows : {&site.samples, &site.heldOut, &site.outputGradSq})
        if (*rows)
            bytes += 8 * (*rows)->elements();
    return bytes;
}

template <class T> tensor::Matrix<T> readMatrix(const FloatDataset& dataset, const std::string& subject)
{
    tensor::Matrix<T> matrix(static_cast<std::int64_t>(dataset.shape[0]), static_cast<std::int64_t>(dataset.shape[1]));
    readFloats(dataset, matrix.values(), subject);
    return matrix;
}

std::vector<double> readVector(const FloatDataset& dataset, const std::string& subject)
{
    std::vector<double> values(dataset.elements());
    readFloats(dataset, std::span(values), subject);
    return values;
}

template <class T> void requireFinite(std::span<const T> values, const std::string& subject)
{
    const tensor::FiniteCount bad = tensor::countNonFinite(values);
    if (bad.total() > 0)
        throw Error(ErrorCode::NonFinite, "holds " + std::to_string(bad.nan) + " NaN and " + std::to_string(bad.infinite)
                                              + " infinite values, expected finite ones", subject);
}

/// |g_ij - g_ji| <= tolerance * max(|g_ij|, |g_ji|, sqrt(g_ii g_jj)): the last term is what |g_ij| could be at most
/// (Cauchy-Schwarz), so that entries near zero are not judged by their own rounding. In tiles, for the cache.
void requireGram(const tensor::Matrix<double>& gram, const std::string& subject)
{
    requireFinite<double>(gram.values(), subject);
    const std::int64_t n = gram.rows();
    std::vector<double> root(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
        if (gram(i, i) < 0)
            throw Error(ErrorCode::MalformedFile, "has the negative diagonal element " + std::to_string(gram(i, i)) + " at " + std::to_string(i)
                                                      + ", expected sums of squares", subject);
        root[static_cast<std::size_t>(i)] = std::sqrt(gram(i, i));
    }
    constexpr std::int64_t kTile = 64;
    for (std::int64_t rows = 0; rows < n; rows += kTile)
        for (std::int64_t cols = 0; cols <= rows; cols += kTile)
            for (std::int64_t i = rows; i < std::min(rows + kTile, n); ++i)
                for (std::int64_t j = cols; j < std::min(cols + kTile, i); ++j) {
                    const double a = gram(i, j), b = gram(j, i);
                    const double scale = std::max({std::abs(a), std::abs(b), root[static_cast<std::size_t>(i)] * root[static_cast<std::size_t>(j)]});
                    if (std::abs(a - b) > kSymmetryTolerance * scale)
                        throw Error(ErrorCode::MalformedFile, "is not symmetric: elements (" + std::to_string(i) + ", " + std::to_string(j) + ") are "
                                                                  + std::to_string(a) + " and " + std::to_string(b), subject);
                }
}

} // namespace

struct CalibrationSet::Content {
    std::filesystem::path path;
    std::string subject;
    Hdf5Handle file; ///< closes itself under the lock
    std::string modelSha256, inputs, inputsSha256;
    std::uint64_t tokens = 0;
    std::vector<std::string> names;
    std::map<std::string, std::int64_t, std::less<>> features;
    std::mutex hashMutex;
    std::string hash;
};

CalibrationSet::CalibrationSet(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
CalibrationSet::~CalibrationSet() = default;

std::shared_ptr<const CalibrationSet> CalibrationSet::open(const std::filesystem::path& path, const RunContext& context)
{
    auto content = std::make_unique<Content>();
    content->path = path;
    content->subject = path.string();
    {
        const Hdf5Lock lock;
        content->file = openHdf5(path, H5F_ACC_RDONLY);
        checkSchema(content->file, "tamis.calibration", 1, content->subject);
        content->modelSha256 = readTextAttribute(content->file, "model_sha256", content->subject);
        content->inputs = readTextAttribute(content->file, "inputs", content->subject);
        content->tokens = readCountAttribute(content->file, "tokens", content->subject);
        if (hasAttribute(content->file, "inputs_sha256", content->subject))
            content->inputsSha256 = readTextAttribute(content->file, "inputs_sha256", content->subject);
        const Hdf5Handle sites = openGroup(content->file, "sites", content->subject);
        content->names = linkNames(sites, kMaximumSites, content->subject + ", sites");
        std::sort(content->names.begin(), content->names.end(), [](const auto& a, const auto& b) { return naturalLess(a, b); });
        for (const std::string& name : content->names) {
            context.throwIfStopped();
            const SiteDatasets site = inspectSite(sites, name, siteSubject(content->subject, name));
            content->features.emplace(name, static_cast<std::int64_t>(site.features()));
        }
    }
    return std::shared_ptr<const CalibrationSet>(new CalibrationSet(std::move(content)));
}

const std::filesystem::path& CalibrationSet::path() const noexcept { return m_content->path; }
const std::string& CalibrationSet::modelSha256() const noexcept { return m_content->modelSha256; }
const std::string& CalibrationSet::inputs() const noexcept { return m_content->inputs; }
const std::string& CalibrationSet::inputsSha256() const noexcept { return m_content->inputsSha256; }
std::uint64_t CalibrationSet::tokens() const noexcept { return m_content->tokens; }
const std::vector<std::string>& CalibrationSet::siteNames() const noexcept { return m_content->names; }

std::optional<std::int64_t> CalibrationSet::features(const std::string& site) const
{
    const auto found = m_content->features.find(site);
    return found == m_content->features.end() ? std::nullopt : std::optional(found->second);
}

CalibrationSite CalibrationSet::read(const std::string& name) const
{
    if (!features(name))
        throw Error(ErrorCode::InvalidParameter, "has no site '" + name + "'", m_content->subject);
    const std::string subject = siteSubject(m_content->subject, name);
    CalibrationSite site;
    site.name = name;
    {
        const Hdf5Lock lock;
        const Hdf5Handle sites = openGroup(m_content->file, "sites", m_content->subject);
        const SiteDatasets stored = inspectSite(sites, name, subject);
        requireMemory(memoryOf(stored), subject);
        site.count = stored.count;
        site.gram = readMatrix<double>(stored.gram, datasetSubject(subject, "gram"));
        site.mean = readVector(stored.mean, datasetSubject(subject, "mean"));
        if (stored.samples)
            site.samples = readMatrix<float>(*stored.samples, datasetSubject(subject, "samples"));
        if (stored.heldOut)
            site.heldOut = readMatrix<float>(*stored.heldOut, datasetSubject(subject, "heldout"));
        if (stored.outputGradSq)
            site.outputGradSq = readVector(*stored.outputGradSq, datasetSubject(subject, "output_grad_sq"));
    }
    requireGram(site.gram, datasetSubject(subject, "gram"));
    requireFinite<double>(site.mean, datasetSubject(subject, "mean"));
    requireFinite<float>(site.samples.values(), datasetSubject(subject, "samples"));
    requireFinite<float>(site.heldOut.values(), datasetSubject(subject, "heldout"));
    requireFinite<double>(site.outputGradSq, datasetSubject(subject, "output_grad_sq"));
    return site;
}

std::string CalibrationSet::sha256(const RunContext& context) const
{
    const std::lock_guard lock(m_content->hashMutex);
    if (m_content->hash.empty())
        m_content->hash = sha256OfFiles({m_content->path}, context);
    return m_content->hash;
}

namespace {

bool namesSite(const std::string& name)
{
    return !name.empty() && name != "." && name.size() <= kMaximumNameBytes && name.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
}

/// What a reader would refuse is not written.
void requireWritable(const std::vector<CalibrationSite>& sites, const std::vector<CalibrationLink>& links, const std::string& subject)
{
    std::set<std::string> names;
    const auto fail = [&](const std::string& name, const std::string& message) {
        throw Error(ErrorCode::InvalidParameter, message, siteSubject(subject, name));
    };
    const auto requireName = [&](const std::string& name) {
        if (!namesSite(name))
            fail(name, "cannot be the name of a site: expected a tensor's name without '/'");
        if (!names.insert(name).second)
            fail(name, "is there twice");
    };
    for (const CalibrationSite& site : sites) {
        requireName(site.name);
        const std::int64_t n = site.gram.rows();
        if (n == 0 || site.gram.cols() != n || static_cast<std::int64_t>(site.mean.size()) != n || (!site.samples.empty() && site.samples.cols() != n)
            || (!site.heldOut.empty() && site.heldOut.cols() != n))
            fail(site.name, "gram, mean, samples and heldout do not have the same number of features");
        if (site.count == 0)
            fail(site.name, "counts no token");
        try {
            requireGram(site.gram, siteSubject(subject, site.name));
        } catch (const Error& error) {
            fail(site.name, error.message());
        }
    }
    for (const CalibrationLink& link : links) {
        if (std::ranges::find(sites, link.target, &CalibrationSite::name) == sites.end())
            fail(link.name, "is another name for '" + printableName(link.target) + "', which is not written");
        requireName(link.name);
    }
}

void writeSite(hid_t sites, const CalibrationSite& site, const std::string& subject)
{
    const Hdf5Handle group = createGroup(sites, site.name, subject);
    writeCountAttribute(group, "count", site.count, subject);
    const hsize_t n = static_cast<hsize_t>(site.gram.rows());
    writeFloats(group, "gram", site.gram.values(), {n, n}, subject);
    writeFloats(group, "mean", std::span<const double>(site.mean), {n}, subject);
    writeFloats(group, "samples", site.samples.values(), {static_cast<hsize_t>(site.samples.rows()), n}, subject);
    writeFloats(group, "heldout", site.heldOut.values(), {static_cast<hsize_t>(site.heldOut.rows()), n}, subject);
    if (!site.outputGradSq.empty())
        writeFloats(group, "output_grad_sq", std::span<const double>(site.outputGradSq), {site.outputGradSq.size()}, subject);
}

void writeLink(hid_t sites, const CalibrationLink& link, const CalibrationSite& target, const std::string& subject)
{
    const auto linkTo = [&](const std::string& from, hid_t to, const char* name) {
        if (H5Lcreate_hard(sites, from.c_str(), to, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
            failHdf5(ErrorCode::IoFailure, "writing failed", subject);
    };
    if (link.outputGradSq.empty() && target.outputGradSq.empty()) {
        linkTo(link.target, sites, link.name.c_str());
        return;
    }
    const Hdf5Handle group = createGroup(sites, link.name, subject);
    writeCountAttribute(group, "count", target.count, subject);
    for (const char* dataset : {"gram", "mean", "samples", "heldout"})
        linkTo(link.target + "/" + dataset, group, dataset);
    if (!link.outputGradSq.empty())
        writeFloats(group, "output_grad_sq", std::span<const double>(link.outputGradSq), {link.outputGradSq.size()}, subject);
}

} // namespace

void writeCalibration(const std::filesystem::path& path, const CalibrationHeader& header, const std::vector<CalibrationSite>& sites,
                      const std::vector<CalibrationLink>& links)
{
    const std::string subject = path.string();
    requireWritable(sites, links, subject);
    AtomicFile target(path);
    {
        const Hdf5Lock lock;
        Hdf5Handle file = createHdf5(target.temporaryPath(), subject);
        writeTextAttribute(file, "schema", "tamis.calibration/1", subject);
        writeTextAttribute(file, "model_sha256", header.modelSha256, subject);
        writeTextAttribute(file, "inputs", header.inputs, subject);
        if (!header.inputsSha256.empty())
            writeTextAttribute(file, "inputs_sha256", header.inputsSha256, subject);
        writeCountAttribute(file, "tokens", header.tokens, subject);
        Hdf5Handle group = createGroup(file, "sites", subject);
        for (const CalibrationSite& site : sites)
            writeSite(group, site, siteSubject(subject, site.name));
        for (const CalibrationLink& link : links)
            writeLink(group, link, *std::ranges::find(sites, link.target, &CalibrationSite::name), siteSubject(subject, link.name));
        if (!group.reset() || !file.reset())
            failHdf5(ErrorCode::IoFailure, "writing failed", subject);
    }
    target.commit();
}

void writeCalibration(const std::filesystem::path& path, const std::string& modelSha256, const std::string& inputs, std::uint64_t tokens,
                      const std::vector<CalibrationSite>& sites)
{
    writeCalibration(path, {modelSha256, inputs, {}, tokens}, sites);
}

} // namespace tamis::io
