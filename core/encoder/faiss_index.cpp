// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/faiss_index.h"

#include "core/base/error.h"

#ifdef TAMIS_FAISS
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexRefine.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/FaissException.h>
#include <faiss/utils/distances.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>

extern "C" void omp_set_num_threads(int); // of the OpenMP library that FAISS brings; its header comes with some compilers only
#endif

namespace tamis::encoder {

#ifdef TAMIS_FAISS
namespace {
using tensor::MatrixView;
using Label = faiss::Index::idx_t;
constexpr double kStepMacs = 2e7;                     // between two looks at the stop token: some 20 ms of SSE2
constexpr std::int64_t kFastScanBits = 4, kTableValues = 16;
constexpr int kBlasQueries = 20, kNever = std::numeric_limits<int>::max();

std::timed_mutex& turns()
{
    static std::timed_mutex mutex;
    return mutex;
}

/// Asked by the library between blocks of its longer loops.
class StopCallback final : public faiss::InterruptCallback {
public:
    explicit StopCallback(RunContext context) : m_context(std::move(context)) {}
    bool want_interrupt() override { return m_context.stopRequested(); }

private:
    RunContext m_context;
};

/// The library to oneself: its settings are global. Few rows at a time go without BLAS in searches, whose rounding would depend on how many
/// they are.
class Turn {
public:
    Turn(const RunContext& context, bool building) : m_lock(turns(), std::defer_lock)
    {
        while (!m_lock.try_lock_for(std::chrono::milliseconds(10)))
            context.throwIfStopped();
        omp_set_num_threads(threadCount());
        faiss::InterruptCallback::instance = std::make_unique<StopCallback>(context);
        faiss::distance_compute_blas_threshold = building ? kBlasQueries : kNever;
    }
    ~Turn() { faiss::InterruptCallback::instance.reset(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    std::unique_lock<std::timed_mutex> m_lock;
};

/// The library's failures in Tamis's words.
template <class Body> auto guarded(const RunContext& context, Body&& body)
{
    try {
        return body();
    } catch (const faiss::FaissException& failure) {
        context.throwIfStopped();
        std::string text = failure.what();
        std::ranges::replace(text, '\n', ' ');
        throw Error(ErrorCode::InvalidParameter, "FAISS refuses: " + text, "encoder.faiss");
    } catch (const std::bad_alloc&) {
        throw Error(ErrorCode::OutOfMemory, "not enough memory for the index", "encoder.faiss");
    }
}

faiss::MetricType metricOf(const FaissSettings& settings) { return settings.euclidean ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT; }
bool listed(FaissKind kind) { return kind == FaissKind::IvfFlat || kind == FaissKind::IvfPq; }
bool quantised(FaissKind kind) { return kind == FaissKind::IvfPq || kind == FaissKind::PqFastScan; }

void settle(faiss::ClusteringParameters& clustering, std::uint64_t seed)
{
    clustering.min_points_per_centroid = 1; // or it prints that there are few
    clustering.seed = static_cast<int>((1234 + seed) % std::numeric_limits<int>::max());
}

/// Some rows, all of them but with Flat and Scalar8: a search of these can only be stopped between two shards.
struct Shard {
    std::int64_t first = 0;
    std::unique_ptr<faiss::IndexFlat> quantizer;
    std::unique_ptr<faiss::Index> base;
    std::unique_ptr<faiss::IndexRefineFlat> refined; ///< before base goes
    const faiss::Index& searched() const { return refined ? static_cast<const faiss::Index&>(*refined) : *base; }
    faiss::Index& filled() { return refined ? static_cast<faiss::Index&>(*refined) : *base; }
};

class Indexes final : public FaissIndex {
public:
    Indexes(MatrixView<const float> rows, const FaissSettings& settings, const RunContext& context) : m_settings(settings), m_rows(rows.rows)
    {
        m_settings.parts = std::clamp<std::int64_t>(m_settings.parts, 1, rows.cols);
        m_settings.lists = std::clamp<std::int64_t>(m_settings.lists, 1, rows.rows);
        m_settings.probes = std::clamp<std::int64_t>(m_settings.probes, 1, m_settings.lists);
        m_settings.refine = std::max<std::int64_t>(m_settings.refine, 1);
        m_given = rows.cols;
        m_width = quantised(settings.kind) ? (rows.cols + m_settings.parts - 1) / m_settings.parts * m_settings.parts : rows.cols;
        const auto floats = static_cast<std::uint64_t>(m_rows) * static_cast<std::uint64_t>(m_width);
        requireMemory(4 * floats * (2 + (m_settings.refine > 1)), "an index of FAISS");
        context.setParts(2);
        const std::vector<float> all = padded(rows);
        const RunContext training = context.part(1, "training"), adding = context.part(1, "adding rows");
        const Turn turn(context, true);
        guarded(context, [&] {
            train(all.data());
            training.finish();
            add(all.data(), adding);
        });
    }

    std::vector<std::vector<std::int32_t>> nearest(MatrixView<const float> queries, std::size_t count, const RunContext& context) const override
    {
        const std::vector<float> all = padded(queries);
        std::vector<std::vector<std::int32_t>> found(static_cast<std::size_t>(queries.rows));
        const auto atOnce = std::max<std::int64_t>(threadCount(), static_cast<std::int64_t>(kStepMacs / stepMacs()));
        const Turn turn(context, false);
        guarded(context, [&] {
            for (std::int64_t first = 0; first < queries.rows; first += atOnce)
                search(all.data() + first * m_width, std::min(atOnce, queries.rows - first), static_cast<Label>(count), found.data() + first, context);
        });
        return found;
    }

    FaissCost cost(MatrixView<const float> samples, std::size_t count) const override
    {
        FaissCost cost;
        const auto width = static_cast<double>(m_width), rows = static_cast<double>(m_rows), parts = static_cast<double>(m_settings.parts), lists = static_cast<double>(m_settings.lists);
        const double codes = std::exp2(static_cast<double>(m_settings.kind == FaissKind::IvfPq ? m_settings.bits : kFastScanBits));
        const double codeBytes = m_settings.kind == FaissKind::IvfPq ? std::ceil(parts * static_cast<double>(m_settings.bits) / 8) : parts / 2;
        double numbers = rows * width, bytes = 4 * numbers;
        switch (m_settings.kind) {
        case FaissKind::Flat: cost.macs = rows * width, cost.bytesRead = 4 * rows * width; break;
        case FaissKind::Scalar8: cost.macs = rows * width, cost.bytesRead = bytes = rows * width; break;
        case FaissKind::IvfFlat: {
            const double visited = meanVisited(samples);
            cost.macs = (lists + visited) * width, cost.bytesRead = 4 * cost.macs;
            numbers += lists * width, bytes += 4 * lists * width;
            break;
        }
        case FaissKind::IvfPq: { // a table of the query; where distances are meant, added to one of each list that is searched
            const double visited = meanVisited(samples), tables = m_settings.euclidean ? static_cast<double>(m_settings.probes) * codes * parts : 0;
            cost.macs = (lists + codes) * width + tables + visited * parts;
            cost.bytesRead = 4 * ((lists + codes) * width + tables) + visited * codeBytes;
            numbers = rows * parts + (codes + lists) * width, bytes = rows * codeBytes + 4 * ((codes + lists) * width + (m_settings.euclidean ? lists * codes * parts : 0));
            break;
        }
        case FaissKind::PqFastScan:
            cost.macs = kTableValues * width + rows * parts;
            cost.bytesRead = 4 * kTableValues * width + rows * codeBytes;
            numbers = rows * parts + kTableValues * width, bytes = rows * codeBytes + 4 * kTableValues * width;
            break;
        }
        if (m_settings.refine > 1) {
            const double listedRows = std::min(rows, static_cast<double>(count) * static_cast<double>(m_settings.refine));
            cost.macs += listedRows * width, cost.bytesRead += 4 * listedRows * width;
            numbers += rows * width, bytes += 4 * rows * width;
        }
        cost.parameters = static_cast<std::uint64_t>(numbers), cost.bytes = static_cast<std::uint64_t>(bytes);
        return cost;
    }

private:
    std::vector<float> padded(MatrixView<const float> rows) const
    {
        if (rows.cols != m_given)
            throw Error(ErrorCode::InvalidParameter, "found queries of " + std::to_string(rows.cols) + " numbers, expected " + std::to_string(m_given), "encoder.faiss");
        std::vector<float> all(static_cast<std::size_t>(rows.rows * m_width));
        for (std::int64_t i = 0; i < rows.rows; ++i)
            std::ranges::copy(rows.row(i), all.begin() + i * m_width);
        return all;
    }

    std::int64_t shardRows() const
    {
        const bool whole = listed(m_settings.kind) || m_settings.kind == FaissKind::PqFastScan;
        return whole ? m_rows : std::max<std::int64_t>(static_cast<std::int64_t>(kStepMacs) / m_width, 1);
    }
    /// Of one query in one shard, at most.
    double stepMacs() const { return static_cast<double>(std::min(shardRows(), m_rows)) * static_cast<double>(m_settings.kind == FaissKind::PqFastScan ? m_settings.parts : m_width); }

    /// An empty index, not trained.
    Shard emptyShard() const
    {
        Shard shard;
        const auto width = static_cast<int>(m_width);
        const auto size = [](std::int64_t number) { return static_cast<std::size_t>(number); };
        if (listed(m_settings.kind))
            shard.quantizer = std::make_unique<faiss::IndexFlat>(width, metricOf(m_settings));
        switch (m_settings.kind) {
        case FaissKind::Flat: shard.base = std::make_unique<faiss::IndexFlat>(width, metricOf(m_settings)); break;
        case FaissKind::Scalar8: shard.base = std::make_unique<faiss::IndexScalarQuantizer>(width, faiss::ScalarQuantizer::QT_8bit, metricOf(m_settings)); break;
        case FaissKind::IvfFlat: {
            auto index = std::make_unique<faiss::IndexIVFFlat>(shard.quantizer.get(), size(m_width), size(m_settings.lists), metricOf(m_settings));
            settle(index->cp, m_settings.seed);
            index->nprobe = size(m_settings.probes);
            shard.base = std::move(index);
            break;
        }
        case FaissKind::IvfPq: {
            auto index = std::make_unique<faiss::IndexIVFPQ>(shard.quantizer.get(), size(m_width), size(m_settings.lists), size(m_settings.parts), size(m_settings.bits), metricOf(m_settings));
            settle(index->cp, m_settings.seed);
            settle(index->pq.cp, m_settings.seed);
            index->nprobe = size(m_settings.probes);
            shard.base = std::move(index);
            break;
        }
        case FaissKind::PqFastScan: {
            auto index = std::make_unique<faiss::IndexPQFastScan>(width, size(m_settings.parts), size(kFastScanBits), metricOf(m_settings));
            settle(index->pq.cp, m_settings.seed);
            shard.base = std::move(index);
            break;
        }
        }
        return shard;
    }

    void train(const float* rows)
    {
        for (std::int64_t first = 0; first < m_rows; first += shardRows()) {
            Shard shard = emptyShard();
            shard.first = first;
            trainBase(*shard.base, rows);
            if (m_settings.refine > 1) {
                shard.refined = std::make_unique<faiss::IndexRefineFlat>(shard.base.get());
                shard.refined->k_factor = static_cast<float>(m_settings.refine);
            }
            m_shards.push_back(std::move(shard));
        }
    }

    /// On all rows, also for a shard: a feature has one scale.
    void trainBase(faiss::Index& base, const float* rows) const
    {
        auto* scalar = dynamic_cast<faiss::IndexScalarQuantizer*>(&base);
        if (!scalar || m_shards.empty())
            return base.train(m_rows, rows);
        scalar->sq = dynamic_cast<const faiss::IndexScalarQuantizer&>(*m_shards.front().base).sq;
        scalar->is_trained = true;
    }

    void add(const float* rows, const RunContext& context)
    {
        const double each = static_cast<double>(m_width) * std::max(listed(m_settings.kind) ? static_cast<double>(m_settings.lists) : 1.0,
                                                                    m_settings.kind == FaissKind::IvfPq ? std::exp2(static_cast<double>(m_settings.bits)) : 16.0);
        const auto piece = std::max<std::int64_t>(static_cast<std::int64_t>(kStepMacs / each), 64);
        for (Shard& shard : m_shards)
            for (std::int64_t first = shard.first, end = std::min(m_rows, shard.first + shardRows()); first < end; first += piece) {
                context.throwIfStopped();
                shard.filled().add(std::min(piece, end - first), rows + first * m_width);
                context.setFraction(static_cast<double>(first) / static_cast<double>(m_rows));
            }
        context.finish();
    }

    struct Listed {
        float distance;
        Label row;
    };

    /// Of some queries, each shard's best, and of these the best.
    void search(const float* queries, std::int64_t tokens, Label count, std::vector<std::int32_t>* found, const RunContext& context) const
    {
        std::vector<std::vector<Listed>> best(static_cast<std::size_t>(tokens));
        for (const Shard& shard : m_shards) {
            context.throwIfStopped();
            const Label asked = std::min<Label>(count, shard.searched().ntotal);
            std::vector<float> distances(static_cast<std::size_t>(tokens * asked));
            std::vector<Label> labels(distances.size());
            shard.searched().search(tokens, queries, asked, distances.data(), labels.data());
            for (std::int64_t t = 0; t < tokens; ++t)
                for (auto i = static_cast<std::size_t>(t * asked); i < static_cast<std::size_t>((t + 1) * asked); ++i)
                    if (labels[i] >= 0)
                        best[static_cast<std::size_t>(t)].push_back({m_settings.euclidean ? distances[i] : -distances[i], shard.first + labels[i]});
        }
        for (std::size_t t = 0; t < best.size(); ++t) {
            auto& all = best[t];
            if (all.size() > static_cast<std::size_t>(count)) {
                const auto before = [](const Listed& a, const Listed& b) { return a.distance != b.distance ? a.distance < b.distance : a.row < b.row; };
                std::ranges::nth_element(all, all.begin() + (count - 1), before);
                all.resize(static_cast<std::size_t>(count));
            }
            for (const Listed& each : all)
                found[t].push_back(static_cast<std::int32_t>(each.row));
            std::ranges::sort(found[t]);
        }
    }

    /// Rows in the lists that are probed.
    double meanVisited(MatrixView<const float> samples) const
    {
        const auto& index = dynamic_cast<const faiss::IndexIVF&>(*m_shards.front().base);
        if (samples.rows < 1)
            return static_cast<double>(m_rows) * static_cast<double>(m_settings.probes) / static_cast<double>(m_settings.lists);
        const std::vector<float> queries = padded(samples);
        std::vector<float> distances(static_cast<std::size_t>(samples.rows * m_settings.probes));
        std::vector<Label> lists(distances.size());
        const Turn turn({}, false);
        m_shards.front().quantizer->search(samples.rows, queries.data(), m_settings.probes, distances.data(), lists.data());
        double visited = 0;
        for (const Label list : lists)
            if (list >= 0)
                visited += static_cast<double>(index.invlists->list_size(static_cast<std::size_t>(list)));
        return visited / static_cast<double>(samples.rows);
    }

    FaissSettings m_settings;
    std::int64_t m_rows, m_given = 0, m_width = 0; ///< m_width: with the zeros
    std::vector<Shard> m_shards;
};
} // namespace

bool hasFaiss() noexcept { return true; }

std::shared_ptr<const FaissIndex> faissIndex(MatrixView<const float> rows, const FaissSettings& settings, const RunContext& context)
{
    if (rows.rows < 1 || rows.rows > std::numeric_limits<std::int32_t>::max())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(rows.rows) + " rows, expected 1 to 2^31 - 1", "encoder.faiss");
    return std::make_shared<Indexes>(rows, settings, context);
}
#else
bool hasFaiss() noexcept { return false; }

std::shared_ptr<const FaissIndex> faissIndex(tensor::MatrixView<const float>, const FaissSettings&, const RunContext&)
{
    throw Error(ErrorCode::UnsupportedFeature, "found a build without FAISS, expected one with it (libfaiss-dev)", "encoder.faiss");
}
#endif

} // namespace tamis::encoder
