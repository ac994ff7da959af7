// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/capture.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/measure/capture_state.h"
#include "core/measure/forward.h"
#include "core/measure/row_strata.h"
#include "core/train/output_gradients.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <unordered_map>

namespace tamis::measure {
namespace {
using Clock = std::chrono::steady_clock;
constexpr std::size_t kMostSamplesAtOnce = 64;
constexpr std::size_t kShared = ~std::size_t{0};

/// q, k and v of one block may read one input, and so may up and gate; no others.
int sharingGroup(io::Role role)
{
    switch (role) {
    case io::Role::Query:
    case io::Role::Key:
    case io::Role::Value: return 1;
    case io::Role::Up:
    case io::Role::Gate: return 2;
    default: return 0;
    }
}

bool sameValues(kernels::ConstRows a, const tensor::Matrix<float>& b)
{
    if (a.rows != b.rows() || a.cols != b.cols())
        return false;
    for (std::int64_t i = 0; i < a.rows; ++i)
        if (std::memcmp(a.data + i * a.stride, b.data() + i * b.cols(), static_cast<std::size_t>(a.cols) * sizeof(float)) != 0)
            return false;
    return true;
}

/// What is to be done with one sample.
struct SampleTask {
    std::size_t index = 0, ordinal = 0;
    bool heldOut = false;
    std::string name;
};

class Capture {
public:
    Capture(const nn::Model& model, const SampleSource& source, const CaptureOptions& options, const RunContext& context)
        : m_model(model), m_source(source), m_options(options), m_context(context), m_split(source.count(), options.heldOut, options.seed),
          m_quota{m_split.calibrationCount(), options.rows, options.seed},
          m_heldOutQuota{m_split.heldOutCount(), options.heldOutRows, options.seed}, m_statePath(captureStatePath(options.out))
    {
        if (options.gradients && model.spec().vision())
            m_vitTape = train::VitOnTape<float>::load(*options.gradients, context);
        else if (options.gradients)
            m_decoderTape.reset(new train::DecoderOnTape<float>(train::DecoderOnTape<float>::load(*options.gradients, context))); // it cannot move
    }

    CaptureReport run();

private:
    class Direct;
    class Buffered;
    /// Copies of one sample's inputs, one a site, and what belongs to them.
    struct Record {
        SampleTask task;
        LoadedSample loaded;
        std::vector<tensor::Matrix<float>> inputs;
    };

    SampleTask task(std::size_t index) const
    {
        return {index, m_split.ordinal(index), m_split.heldOut(index), m_source.name(index)};
    }
    CaptureKey key() const;
    void resume();
    void adopt(CaptureState state);
    void runOne(std::size_t index);
    void runBatch(std::size_t first, std::size_t count);
    std::size_t siteOf(const nn::LinearSlot& slot) const;
    void requireAll(std::size_t inputs, const SampleTask& task) const;
    void add(std::size_t site, kernels::ConstRows x, const SampleTask& task);
    std::size_t declare(const nn::LinearSlot& slot, std::int64_t features);
    std::vector<train::OutputGradient> gradientsOf(const LoadedSample& sample);
    void addGradients(const LoadedSample& sample);
    std::vector<double> meanGradients(const std::string& name) const;
    void finishSample(const SampleTask& task, const LoadedSample& sample);
    void saveState();
    void write();

    const nn::Model& m_model;
    const SampleSource& m_source;
    const CaptureOptions& m_options;
    const RunContext& m_context;
    HeldOutSplit m_split;
    RowQuota m_quota, m_heldOutQuota;
    std::filesystem::path m_statePath;
    CaptureState m_state;
    std::optional<train::VitOnTape<float>> m_vitTape; ///< for gradients, one or the other
    std::unique_ptr<train::DecoderOnTape<float>> m_decoderTape;
    std::unordered_map<std::string, std::size_t> m_sites; ///< by name; kShared: another's
    std::uint64_t m_sampleBytes = 0;                      ///< of one sample's distinct inputs
    ScratchPool m_single{true, m_context}, m_several{false, m_context};
    std::vector<Record> m_records; ///< reused batch after batch
    Clock::time_point m_saved = Clock::now();
};

/// One sample at a time: inputs go into the sums at once. The first one tells which sites there are.
class Capture::Direct : public nn::Observer {
public:
    Direct(Capture& capture, const SampleTask& task, bool first) : m_capture(capture), m_task(task), m_first(first) {}
    std::uint64_t bytes() const noexcept { return m_bytes; }
    std::size_t inputs() const noexcept { return m_inputs; }

    void linearInput(std::size_t, const nn::LinearSlot& slot, kernels::ConstRows x) override
    {
        m_capture.m_context.throwIfStopped();
        if (m_first && !m_capture.m_sites.contains(slot.name) && shares(slot, x)) {
            m_capture.m_sites.emplace(slot.name, kShared);
            m_capture.m_state.links.push_back({slot.name, m_previous->name, {}});
            return;
        }
        if (m_first && !m_capture.m_sites.contains(slot.name))
            m_capture.m_sites.emplace(slot.name, m_capture.declare(slot, x.cols));
        const std::size_t site = m_capture.siteOf(slot);
        if (site == kShared)
            return;
        ++m_inputs;
        m_bytes += static_cast<std::uint64_t>(x.rows) * static_cast<std::uint64_t>(x.cols) * sizeof(float);
        m_capture.add(site, x, m_task);
        if (m_first)
            remember(slot, x);
    }

private:
    /// The place alone does not tell: scratch memory is used again. The values decide, within one block's q, k, v or up, gate.
    bool shares(const nn::LinearSlot& slot, kernels::ConstRows x) const
    {
        return m_previous && sharingGroup(slot.role) != 0 && sharingGroup(slot.role) == sharingGroup(m_previous->role)
               && slot.layer == m_previous->layer && x.data == m_place && sameValues(x, m_values);
    }
    void remember(const nn::LinearSlot& slot, kernels::ConstRows x)
    {
        m_previous = &slot;
        m_place = x.data;
        m_values = tensor::Matrix<float>(x.rows, x.cols);
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::ranges::copy(x.row(i), m_values.data() + i * x.cols);
    }
    Capture& m_capture;
    const SampleTask& m_task;
    bool m_first;
    std::uint64_t m_bytes = 0;
    std::size_t m_inputs = 0;
    const nn::LinearSlot* m_previous = nullptr;
    const float* m_place = nullptr;
    tensor::Matrix<float> m_values;
};

/// One of several samples in parallel: inputs are copied, and summed sample after sample when all have run.
class Capture::Buffered : public nn::Observer {
public:
    Buffered(const Capture& capture, Record& record) : m_capture(capture), m_record(record) {}
    std::size_t inputs() const noexcept { return m_inputs; }
    void linearInput(std::size_t, const nn::LinearSlot& slot, kernels::ConstRows x) override
    {
        m_capture.m_context.throwIfStopped();
        const std::size_t site = m_capture.siteOf(slot);
        if (site == kShared)
            return;
        ++m_inputs;
        auto& copy = m_record.inputs[site];
        if (copy.rows() != x.rows || copy.cols() != x.cols)
            copy = tensor::Matrix<float>(x.rows, x.cols);
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::ranges::copy(x.row(i), copy.data() + i * x.cols);
    }

private:
    const Capture& m_capture;
    Record& m_record;
    std::size_t m_inputs = 0;
};

std::size_t Capture::declare(const nn::LinearSlot& slot, std::int64_t features)
{
    requireMemory(8 * static_cast<std::uint64_t>(features) * static_cast<std::uint64_t>(features), "the second moments of '" + slot.name + "'");
    m_state.sums.emplace_back(slot.name, features);
    return m_state.sums.size() - 1;
}

std::size_t Capture::siteOf(const nn::LinearSlot& slot) const
{
    const auto found = m_sites.find(slot.name);
    if (found == m_sites.end())
        throw Error(ErrorCode::InvalidParameter, "ran the operator '" + slot.name + "', which no sample before it ran");
    return found->second;
}

void Capture::requireAll(std::size_t inputs, const SampleTask& task) const
{
    if (inputs != m_state.sums.size())
        throw Error(ErrorCode::InvalidParameter, "ran " + std::to_string(inputs) + " linear operators with an input of their own, expected "
                                                     + std::to_string(m_state.sums.size()) + " as in the samples before it", task.name);
}

void Capture::add(std::size_t site, kernels::ConstRows x, const SampleTask& task)
{
    const auto kept = keptRows(task.heldOut ? m_heldOutQuota : m_quota, task.ordinal, x.rows);
    if (task.heldOut)
        m_state.sums[site].addHeldOut(x, kept, task.name);
    else
        m_state.sums[site].add(x, kept, task.name, m_context);
}

/// Sample by sample, so that batches and interruptions do not show in the sums.
std::vector<train::OutputGradient> Capture::gradientsOf(const LoadedSample& sample)
{
    if (m_decoderTape)
        return train::outputGradients(*m_decoderTape, sample.tokens, static_cast<std::int64_t>(sample.tokens.size()), RunContext(m_context.stopToken()), 1);
    const std::span<const float> image = sample.image;
    const std::int32_t label = sample.label;
    return train::outputGradients(*m_vitTape, {{&image, 1}, label < 0 ? std::span<const std::int32_t>() : std::span(&label, 1)}, RunContext(m_context.stopToken()));
}

void Capture::addGradients(const LoadedSample& sample)
{
    const auto means = gradientsOf(sample);
    const auto tokens = static_cast<std::uint64_t>(m_model.embeddedTokens(sample.view()));
    if (m_state.gradients.empty())
        for (const auto& mean : means)
            m_state.gradients.push_back({mean.name, 0, std::vector<double>(mean.squares.size())});
    const auto sizes = [](const auto& gradient) { return gradient.squares.size(); };
    if (!std::ranges::equal(means, m_state.gradients, {}, sizes, sizes))
        throw Error(ErrorCode::MalformedFile, "the state of an interrupted capture has gradients of other operators than the model", m_statePath.string());
    for (std::size_t i = 0; i < means.size(); ++i) {
        GradientSum& sum = m_state.gradients[i];
        sum.count += tokens;
        for (std::size_t j = 0; j < sum.squares.size(); ++j)
            sum.squares[j] += means[i].squares[j] * static_cast<double>(tokens);
    }
}

void Capture::finishSample(const SampleTask& task, const LoadedSample& sample)
{
    if (!task.heldOut) {
        m_state.tokens += static_cast<std::uint64_t>(m_model.embeddedTokens(sample.view()));
        if (m_options.gradients)
            addGradients(sample);
    }
    m_state.nextSample = task.index + 1;
}

void Capture::runOne(std::size_t index)
{
    const SampleTask sample = task(index);
    LoadedSample loaded;
    loadChecked(m_source, index, m_model, loaded);
    Direct observer(*this, sample, m_sites.empty());
    const ScratchPool::Lease scratch(m_single);
    observe(m_model, loaded, *scratch, observer);
    requireAll(observer.inputs(), sample);
    m_sampleBytes = observer.bytes();
    finishSample(sample, loaded);
}

void Capture::runBatch(std::size_t first, std::size_t count)
{
    m_records.resize(std::max(m_records.size(), count));
    parallelFor(m_context, count, [&](std::size_t i) {
        Record& record = m_records[i];
        record.task = task(first + i);
        record.inputs.resize(m_state.sums.size());
        loadChecked(m_source, first + i, m_model, record.loaded);
        Buffered observer(*this, record);
        const ScratchPool::Lease scratch(m_several);
        observe(m_model, record.loaded, *scratch, observer);
        requireAll(observer.inputs(), record.task);
    });
    // A site takes the samples in their order; which thread does it does not matter, nor which site is refused first.
    std::vector<std::exception_ptr> refused(m_state.sums.size());
    parallelFor(m_context, m_state.sums.size(), [&](std::size_t site) {
        try {
            for (std::size_t i = 0; i < count; ++i)
                add(site, m_records[i].inputs[site].view(), m_records[i].task);
        } catch (const Error&) {
            refused[site] = std::current_exception();
        }
    });
    for (const std::exception_ptr& each : refused)
        if (each)
            std::rethrow_exception(each);
    for (std::size_t i = 0; i < count; ++i)
        finishSample(m_records[i].task, m_records[i].loaded);
}

CaptureKey Capture::key() const
{
    char fraction[40];
    std::snprintf(fraction, sizeof fraction, "%a", m_options.heldOut);
    return {m_options.modelSha256, m_source.sha256(m_context),
            "samples " + std::to_string(m_source.count()) + ", held out " + fraction + ", rows " + std::to_string(m_options.rows) + " and "
                + std::to_string(m_options.heldOutRows) + ", seed " + std::to_string(m_options.seed)
                + (m_options.gradients ? ", gradients" : "")};
}

void Capture::resume()
{
    if (!m_options.resume || !std::filesystem::exists(m_statePath))
        return;
    CaptureState state = readCaptureState(m_statePath, m_context);
    const auto refuse = [&](const char* what, const std::string& found, const std::string& expected) {
        throw Error(ErrorCode::InvalidParameter, std::string("the interrupted capture had another ") + what + ": found " + found + ", expected "
                                                     + expected + "; remove the file or do not resume", m_statePath.string());
    };
    if (state.key.modelSha256 != m_state.key.modelSha256)
        refuse("model", "SHA-256 " + state.key.modelSha256, m_state.key.modelSha256);
    if (state.key.inputsSha256 != m_state.key.inputsSha256)
        refuse("set of samples", "SHA-256 " + state.key.inputsSha256, m_state.key.inputsSha256);
    if (state.key.settings != m_state.key.settings)
        refuse("setting", "'" + state.key.settings + "'", "'" + m_state.key.settings + "'");
    if (state.nextSample == 0 || state.nextSample > m_source.count() || state.sums.empty())
        throw Error(ErrorCode::MalformedFile, "the state of an interrupted capture claims " + std::to_string(state.nextSample) + " of "
                                                  + std::to_string(m_source.count()) + " samples", m_statePath.string());
    adopt(std::move(state));
}

/// Its numbers are not trusted: sites must be the model's, shared ones must share one that is there.
void Capture::adopt(CaptureState state)
{
    const auto require = [&](const std::string& name, const std::string& target, std::int64_t features, std::size_t site) {
        const nn::LinearSlot* slot = m_model.find(name);
        if (!slot || !*slot || slot->op->inFeatures() != features || !m_sites.emplace(name, site).second)
            throw Error(ErrorCode::MalformedFile, "the state of an interrupted capture has the site '" + name + "' with the sums of '" + target
                                                      + "', which the model has not once in this size", m_statePath.string());
    };
    for (std::size_t i = 0; i < state.sums.size(); ++i)
        require(state.sums[i].name(), state.sums[i].name(), state.sums[i].features(), i);
    for (const auto& link : state.links) {
        const auto target = std::ranges::find(state.sums, link.target, &GramAccumulator::name);
        require(link.name, link.target, target == state.sums.end() ? -1 : target->features(), kShared);
    }
    m_state = std::move(state);
}

void Capture::saveState()
{
    if (m_options.stateSeconds < 0 || std::chrono::duration<double>(Clock::now() - m_saved).count() < m_options.stateSeconds)
        return;
    writeCaptureState(m_statePath, m_state, m_context);
    m_saved = Clock::now(); // after writing, so that writing never takes most of the time
}

std::vector<double> Capture::meanGradients(const std::string& name) const
{
    std::vector<double> means;
    const auto found = std::ranges::find(m_state.gradients, name, &GradientSum::name);
    if (found != m_state.gradients.end())
        for (const double squares : found->squares)
            means.push_back(squares / static_cast<double>(found->count));
    return means;
}

void Capture::write()
{
    std::string inputs = m_source.description();
    if (m_split.heldOutCount() > 0)
        inputs += "; " + std::to_string(m_split.heldOutCount()) + " of the " + std::to_string(m_split.count()) + " samples held out";
    const io::CalibrationHeader header{m_options.modelSha256, inputs, m_state.key.inputsSha256, m_state.tokens};
    std::vector<io::CalibrationSite> sites;
    for (GramAccumulator& sums : m_state.sums) {
        m_context.throwIfStopped();
        sites.push_back(sums.site());
        sites.back().outputGradSq = meanGradients(sums.name());
        sums = GramAccumulator(sums.name(), 0); // one site at a time is in memory twice
    }
    for (auto& link : m_state.links)
        link.outputGradSq = meanGradients(link.name);
    io::writeCalibration(m_options.out, header, sites, m_state.links);
    std::error_code ignored; // a state that stays behind is refused or overwritten by the next capture
    std::filesystem::remove(m_statePath, ignored);
}

CaptureReport Capture::run()
{
    const auto start = Clock::now();
    m_state.key = key();
    resume();
    CaptureReport report;
    report.resumedFrom = m_state.nextSample;
    const std::size_t count = m_source.count();
    bool known = false; // how much memory a sample takes
    while (m_state.nextSample < count) {
        m_context.throwIfStopped();
        const auto next = static_cast<std::size_t>(m_state.nextSample);
        const std::size_t fitting = known ? std::min<std::uint64_t>(kMostSamplesAtOnce, m_options.bufferBytes / std::max<std::uint64_t>(1, m_sampleBytes)) : 1;
        if (fitting < 2)
            runOne(next);
        else
            runBatch(next, std::min(fitting, count - next));
        known = true;
        m_context.setFraction(static_cast<double>(m_state.nextSample) / static_cast<double>(count));
        if (m_state.nextSample < count)
            saveState();
    }
    report.samples = m_split.calibrationCount();
    report.heldOutSamples = m_split.heldOutCount();
    report.tokens = m_state.tokens;
    for (const auto& sums : m_state.sums)
        report.sites.push_back({sums.name(), sums.features(), sums.count(), {}});
    for (const auto& link : m_state.links) {
        const auto target = std::ranges::find(m_state.sums, link.target, &GramAccumulator::name);
        report.sites.push_back({link.name, target->features(), target->count(), link.target});
    }
    write();
    report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return report;
}

} // namespace

std::filesystem::path captureStatePath(const std::filesystem::path& out) { return out.string() + ".partial"; }

CaptureReport captureCalibration(const nn::Model& model, const SampleSource& source, const CaptureOptions& options, const RunContext& context)
{
    return Capture(model, source, options, context).run();
}

} // namespace tamis::measure
