// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/content_key.h"

#include "core/base/error.h"
#include "core/reuse/content_index.h"
#include "core/reuse/motion_field.h"
#include "core/reuse/perceptual_hash.h"
#include "core/reuse/recent_entries.h"
#include "core/reuse/token_hash.h"
#include "core/reuse/whole_frame.h"

#include <algorithm>
#include <cmath>

namespace tamis::reuse {

namespace {
using report::PatchSource;

constexpr double kMostBytes = 2.0 * (1u << 30);

struct KeySettings {
    std::string key;
    int radius;
    std::int64_t components, tables, bits;
    std::size_t entries;
    std::uint64_t seed;
};

KeySettings keySettings(const Parameters& parameters, std::uint64_t seed)
{
    return {parameters.text("key"), static_cast<int>(parameters.integer("radius")), parameters.integer("components"), parameters.integer("tables"), parameters.integer("bits"), static_cast<std::size_t>(parameters.integer("entries")), seed};
}

/// Of dHash or pHash.
double hashMacs(const KeySettings& settings, std::int64_t rows, std::int64_t cols) { return settings.key == "dhash" ? differenceHashMacs(rows, cols) : cosineHashMacs(rows, cols); }

/// Whole frames: the answer of an entry whose key is near.
class FrameKeys final : public FrameReuser {
public:
    FrameKeys(const ReuserInputs& inputs, const KeySettings& settings)
        : m_model(inputs.model), m_preprocess(inputs.sequence->preprocess), m_settings(settings), m_recent(settings.entries), m_hamming(settings.entries),
          m_tables(static_cast<std::size_t>(settings.tables)), m_cells(cellsOf(inputs.model->gridRows()) * cellsOf(inputs.model->gridColumns())),
          m_planes(settings.tables, settings.bits, m_cells * std::min(settings.components, inputs.model->width()), settings.seed), m_x(m_model->tokens(), m_model->width())
    {
    }
    void restart() override
    {
        m_recent.clear();
        m_hamming.clear();
        m_tables.clear();
        m_entries.clear();
        m_axes = {};
        m_frame = 0;
    }
    void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) override
    {
        beginAnswer(*m_model, answer);
        const bool pixels = m_settings.key != "pca-lsh";
        const auto found = pixels ? findByPixels(frame, answer) : findByTokens(frame, answer, scratch);
        const std::int32_t number = m_frame++;
        if (found) {
            Entry& entry = m_entries[*found];
            m_recent.use(*found);
            answer.answer = entry.answer;
            answer.hits = 1;
            answer.foundIn.push_back(entry.frame);
            std::ranges::fill(answer.patches, PatchSource::Fetched);
            return;
        }
        answer.misses = 1;
        if (pixels) {
            m_model->embed(frame.image, m_x.view(), scratch);
            answer.macs += m_model->embeddingMacs();
        }
        runWhole(*m_model, m_x.view(), m_state, answer, scratch);
        const std::size_t slot = m_recent.take();
        m_entries.resize(std::max(m_entries.size(), slot + 1));
        m_entries[slot] = {answer.answer, m_described, number};
        if (pixels)
            m_hamming.put(slot, m_key);
        else
            m_tables.put(slot, m_keys);
    }

private:
    struct Entry {
        Answer answer;
        std::vector<float> described; ///< pca-lsh
        std::int32_t frame = -1;
    };
    /// Cells of four patches a side, whose embedded patches are averaged.
    static std::int64_t cellsOf(std::int64_t patches) { return (patches + 3) / 4; }

    std::optional<std::size_t> findByPixels(const Frame& frame, FrameAnswer& answer)
    {
        const auto grey = greyOf(frame.image, m_preprocess);
        m_key = m_settings.key == "dhash" ? differenceHash(grey.view()) : cosineHash(grey.view());
        const double macs = 3 * static_cast<double>(grey.size()) + hashMacs(m_settings, grey.rows(), grey.cols()) + static_cast<double>(m_recent.size());
        answer.macs += macs;
        answer.overheadMacs += macs;
        return m_hamming.find(m_key, m_settings.radius);
    }
    std::optional<std::size_t> findByTokens(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch)
    {
        const TokenModel& model = *m_model;
        model.embed(frame.image, m_x.view(), scratch);
        answer.macs += model.embeddingMacs();
        if (m_axes.empty()) {
            m_axes = PrincipalAxes({m_x.data() + model.prefix() * m_x.cols(), model.patches(), m_x.cols(), m_x.cols()}, m_settings.components, scratch.context());
            answer.overheadMacs += PrincipalAxes::fitMacs(model.patches(), m_x.cols());
        }
        const std::int64_t across = cellsOf(model.gridColumns()), components = m_axes.components();
        std::vector<float> point(static_cast<std::size_t>(components));
        std::vector<float> counts(static_cast<std::size_t>(m_cells));
        m_described.assign(static_cast<std::size_t>(m_cells * components), 0.0f);
        for (std::int64_t p = 0; p < model.patches(); ++p) {
            const auto cell = static_cast<std::size_t>(p / model.gridColumns() / 4 * across + p % model.gridColumns() / 4);
            m_axes.project(m_x.view().row(model.prefix() + p), point);
            for (std::size_t c = 0; c < point.size(); ++c)
                m_described[cell * point.size() + c] += point[c];
            counts[cell] += 1;
        }
        for (std::size_t cell = 0; cell < counts.size(); ++cell)
            for (std::size_t c = 0; c < point.size(); ++c)
                m_described[cell * point.size() + c] /= counts[cell];
        m_keys = m_planes.keys(m_described);
        const auto candidates = m_tables.candidates(m_keys);
        answer.overheadMacs += static_cast<double>(model.patches()) * (m_axes.projectMacs() + static_cast<double>(components)) + m_planes.macs() + static_cast<double>((1 + candidates.size()) * m_described.size()); // means of cells: a sum a patch, a quotient a cell
        answer.macs += answer.overheadMacs;
        std::optional<std::size_t> best;
        double least = 0;
        for (const std::size_t slot : candidates) {
            double distance = 0;
            for (std::size_t i = 0; i < m_described.size(); ++i)
                distance += std::pow(static_cast<double>(m_described[i]) - static_cast<double>(m_entries[slot].described[i]), 2);
            if (!best || distance < least) {
                best = slot;
                least = distance;
            }
        }
        return best;
    }
    std::shared_ptr<const TokenModel> m_model;
    inputs::ImagePreprocess m_preprocess;
    KeySettings m_settings;
    RecentEntries m_recent;
    HammingIndex m_hamming;
    TableIndex m_tables;
    std::int64_t m_cells;
    Hyperplanes m_planes;
    PrincipalAxes m_axes; ///< of the first frame's patches
    std::vector<Entry> m_entries;
    tensor::Matrix<float> m_x;
    TokenState m_state;
    std::vector<float> m_described;
    std::vector<std::uint64_t> m_keys;
    std::uint64_t m_key = 0;
    std::int32_t m_frame = 0;
};

/// Patches: keys, values and hidden row of an entry whose key is near; the others run over them.
class PatchKeys final : public FrameReuser {
public:
    PatchKeys(const ReuserInputs& inputs, const KeySettings& settings, bool anywhere, double collision)
        : m_model(inputs.model), m_preprocess(inputs.sequence->preprocess), m_settings(settings), m_anywhere(anywhere), m_collision(collision), m_recent(settings.entries), m_hamming(settings.entries),
          m_tables(static_cast<std::size_t>(settings.tables)), m_planes(settings.tables, settings.bits, std::min(settings.components, inputs.model->width()), settings.seed),
          m_x(m_model->tokens(), m_model->width()), m_plain(m_model->tokens(), m_model->width())
    {
        if (const double bytes = 4 * static_cast<double>(settings.entries) * (m_model->stateFloats() + static_cast<double>(m_model->width())); bytes > kMostBytes)
            throw Error(ErrorCode::LimitExceeded, "found " + std::to_string(settings.entries) + " entries, whose features take " + std::to_string(static_cast<std::uint64_t>(bytes) >> 20U) + " MiB, expected at most " +
                                                      std::to_string(static_cast<std::uint64_t>(kMostBytes) >> 20U), "entries");
        m_store = m_model->emptyState(static_cast<std::int64_t>(settings.entries));
        m_content = tensor::Matrix<float>(static_cast<std::int64_t>(settings.entries), m_model->width());
        m_cells.resize(settings.entries);
        m_slotKeys.resize(settings.entries);
    }
    void restart() override
    {
        m_recent.clear();
        m_hamming.clear();
        m_tables.clear();
        m_byCell.clear();
        m_axes = {};
    }
    void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) override
    {
        const TokenModel& model = *m_model;
        const std::int64_t prefix = model.prefix();
        beginAnswer(model, answer);
        model.embed(frame.image, m_x.view(), scratch);
        answer.macs += model.embeddingMacs();
        m_plain = m_x;
        if (m_anywhere && model.embedding().hasPositions()) // what a patch is, wherever it is
            for (std::int64_t p = 0; p < model.patches(); ++p)
                for (std::int64_t j = 0; j < model.width(); ++j)
                    m_plain(prefix + p, j) -= model.embedding().positions()(p, j);
        makeKeys(frame, scratch.context());
        if (m_state.empty())
            m_state = model.emptyState(model.tokens());
        std::vector<std::int32_t> rows;
        answer.movedFrom.resize(static_cast<std::size_t>(model.patches()));
        for (std::int64_t p = 0; p < model.patches(); ++p) {
            scratch.context().throwIfStopped();
            const auto found = lookUp(p);
            answer.movedFrom[static_cast<std::size_t>(p)] = found ? m_cells[*found] : static_cast<std::int32_t>(p);
            if (!found) {
                rows.push_back(static_cast<std::int32_t>(p));
                continue;
            }
            m_recent.use(*found);
            fetch(*found, prefix + p);
            answer.patches[static_cast<std::size_t>(p)] = PatchSource::Fetched;
            answer.falseHits += difference(*found, p) > m_collision ? 1 : 0;
        }
        answer.overheadMacs += m_lookUpMacs;
        answer.macs += m_lookUpMacs;
        answer.hits = static_cast<std::uint64_t>(model.patches()) - rows.size();
        answer.misses = rows.size();
        answer.keyFrame = answer.hits == 0;
        for (const std::int32_t row : rows)
            answer.patches[static_cast<std::size_t>(row)] = PatchSource::Computed;
        const auto tokens = withPrefix(prefix, rows); // the class token sees other patches in every frame
        nn::Scratch::Frame taken(scratch);
        const kernels::Rows x = taken.take(static_cast<std::int64_t>(tokens.size()), model.width());
        gatherRows(m_x.view(), tokens, x);
        model.runRows(x, tokens, m_state, scratch);
        answer.macs += model.rowsMacs(static_cast<double>(tokens.size()), static_cast<double>(model.tokens())) + model.headMacs();
        model.answer(m_state.hidden.view(), answer.answer, scratch);
        for (const std::int32_t row : rows)
            keep(row);
    }

private:
    bool byPixels() const { return m_settings.key != "pca-lsh"; }
    void makeKeys(const Frame& frame, const RunContext& context)
    {
        const TokenModel& model = *m_model;
        const std::int64_t words = byPixels() ? 1 : m_settings.tables;
        m_keys = tensor::Matrix<std::uint64_t>(model.patches(), words);
        double macs = 0;
        if (byPixels()) {
            const auto grey = greyOf(frame.image, m_preprocess);
            const nn::PatchSpec& patch = model.model().spec().patch;
            for (std::int64_t p = 0; p < model.patches(); ++p) {
                context.throwIfStopped();
                const kernels::ConstRows of{grey.data() + (p / model.gridColumns() * patch.patchHeight) * grey.cols() + p % model.gridColumns() * patch.patchWidth, patch.patchHeight, patch.patchWidth, grey.cols()};
                m_keys(p, 0) = m_settings.key == "dhash" ? differenceHash(of) : cosineHash(of);
            }
            macs = 3 * static_cast<double>(grey.size()) + static_cast<double>(model.patches()) * hashMacs(m_settings, patch.patchHeight, patch.patchWidth);
        } else {
            if (m_axes.empty()) {
                m_axes = PrincipalAxes({m_plain.data() + model.prefix() * m_plain.cols(), model.patches(), m_plain.cols(), m_plain.cols()}, m_settings.components, context);
                macs += PrincipalAxes::fitMacs(model.patches(), m_plain.cols());
            }
            std::vector<float> point(static_cast<std::size_t>(m_axes.components()));
            for (std::int64_t p = 0; p < model.patches(); ++p) {
                context.throwIfStopped();
                m_axes.project(m_plain.view().row(model.prefix() + p), point);
                std::ranges::copy(m_planes.keys(point), m_keys.view().row(p).begin());
            }
            macs += static_cast<double>(model.patches()) * (m_axes.projectMacs() + m_planes.macs() + (m_anywhere && model.embedding().hasPositions() ? static_cast<double>(model.width()) : 0));
        }
        m_lookUpMacs = macs;
    }
    /// Counts what it compares: keys as one each, features as one each.
    std::optional<std::size_t> lookUp(std::int64_t patch)
    {
        const auto isHere = [&](std::size_t slot) { return m_anywhere || m_cells[slot] == static_cast<std::int32_t>(patch); };
        if (byPixels() && m_anywhere) {
            m_lookUpMacs += static_cast<double>(m_recent.size());
            return m_hamming.find(keyOf(patch), m_settings.radius);
        }
        std::optional<std::size_t> best;
        if (byPixels()) {
            const std::uint64_t cell[] = {static_cast<std::uint64_t>(patch)};
            int nearest = m_settings.radius + 1;
            const auto candidates = m_byCell.candidates(cell);
            m_lookUpMacs += static_cast<double>(candidates.size());
            for (const std::size_t slot : candidates)
                if (const int distance = hammingDistance(keyOf(patch), m_slotKeys[slot]); distance < nearest) {
                    nearest = distance;
                    best = slot;
                }
            return best;
        }
        double least = 0;
        for (const std::size_t slot : m_tables.candidates(m_keys.view().row(patch))) {
            if (!isHere(slot))
                continue;
            m_lookUpMacs += static_cast<double>(m_content.cols());
            if (const double off = squaredDistance(slot, patch); !best || off < least) {
                best = slot;
                least = off;
            }
        }
        return best;
    }
    std::uint64_t keyOf(std::int64_t patch) const { return m_keys(patch, 0); }
    /// Of an entry's embedded patch and this one.
    double squaredDistance(std::size_t slot, std::int64_t patch) const
    {
        double squared = 0;
        for (std::int64_t j = 0; j < m_content.cols(); ++j) {
            const double off = static_cast<double>(m_plain(m_model->prefix() + patch, j)) - static_cast<double>(m_content(static_cast<std::int64_t>(slot), j));
            squared += off * off;
        }
        return squared;
    }
    /// The same relative to this one: tells false hits, and is no part of the method, whose multiply-adds leave it out.
    double difference(std::size_t slot, std::int64_t patch) const
    {
        const double squared = squaredDistance(slot, patch);
        double energy = 0;
        for (std::int64_t j = 0; j < m_content.cols(); ++j)
            energy += std::pow(static_cast<double>(m_plain(m_model->prefix() + patch, j)), 2);
        return energy > 0 ? std::sqrt(squared / energy) : squared > 0 ? 1e300 : 0;
    }
    void fetch(std::size_t slot, std::int64_t token)
    {
        const auto copyRow = [&](const tensor::Matrix<float>& from, tensor::Matrix<float>& to) { std::ranges::copy(from.view().row(static_cast<std::int64_t>(slot)), to.view().row(token).begin()); };
        for (std::size_t i = 0; i < m_state.keys.size(); ++i) {
            copyRow(m_store.keys[i], m_state.keys[i]);
            copyRow(m_store.values[i], m_state.values[i]);
        }
        copyRow(m_store.hidden, m_state.hidden);
    }
    void keep(std::int32_t patch)
    {
        const std::size_t slot = m_recent.take();
        const std::int64_t token = m_model->prefix() + patch;
        const auto copyRow = [&](const tensor::Matrix<float>& from, tensor::Matrix<float>& to) { std::ranges::copy(from.view().row(token), to.view().row(static_cast<std::int64_t>(slot)).begin()); };
        for (std::size_t i = 0; i < m_state.keys.size(); ++i) {
            copyRow(m_state.keys[i], m_store.keys[i]);
            copyRow(m_state.values[i], m_store.values[i]);
        }
        copyRow(m_state.hidden, m_store.hidden);
        copyRow(m_plain, m_content);
        m_cells[slot] = patch;
        if (!byPixels()) {
            m_tables.put(slot, m_keys.view().row(patch));
        } else if (m_anywhere) {
            m_hamming.put(slot, keyOf(patch));
        } else {
            const std::uint64_t cell[] = {static_cast<std::uint64_t>(patch)};
            m_byCell.put(slot, cell);
            m_slotKeys[slot] = keyOf(patch);
        }
    }
    std::shared_ptr<const TokenModel> m_model;
    inputs::ImagePreprocess m_preprocess;
    KeySettings m_settings;
    bool m_anywhere;
    double m_collision;
    RecentEntries m_recent;
    HammingIndex m_hamming;
    TableIndex m_tables, m_byCell{1};
    std::vector<std::uint64_t> m_slotKeys; ///< of the entries, for keys of pixels that hold for their cell alone
    Hyperplanes m_planes;
    PrincipalAxes m_axes; ///< of the first frame's patches
    tensor::Matrix<float> m_x, m_plain; ///< embedded; without positions where patches are found anywhere
    TokenState m_state, m_store;        ///< of this frame; of the entries
    tensor::Matrix<float> m_content;    ///< [entries, width]: embedded patches
    std::vector<std::int32_t> m_cells;  ///< of the entries
    tensor::Matrix<std::uint64_t> m_keys;
    double m_lookUpMacs = 0; ///< of this frame's keys and what they were compared with
};
} // namespace

Method contentKeyMethod()
{
    Method method;
    method.declaration = {
        .id = "reuse.content-key",
        .lab = "reuse",
        .title = "Content keys",
        .reference = "dHash and pHash within a Hamming radius; principal components of embedded patches under random hyperplanes (Indyk, Motwani 1998; Charikar 2002); least recently used entries leave",
        .schema = ParameterSchema({
            {.name = "of", .title = "Entries", .type = ParameterType::Choice, .defaultValue = std::string("frame"), .help = "What is kept: answers of frames, or keys, values and features of patches", .choices = {"frame", "patch"}},
            {.name = "key", .title = "Key", .type = ParameterType::Choice, .defaultValue = std::string("dhash"), .help = "Differences or cosines of grey levels, or hashed principal components of embedded patches", .choices = {"dhash", "phash", "pca-lsh"}},
            {.name = "radius", .title = "Radius", .type = ParameterType::Integer, .defaultValue = std::int64_t{6}, .minimum = 0, .maximum = 32, .unit = "bits", .help = "With dhash and phash: keys that differ in so many are one"},
            {.name = "components", .title = "Components", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 64, .help = "With pca-lsh: principal components of the first frame's patches"},
            {.name = "tables", .title = "Tables", .type = ParameterType::Integer, .defaultValue = std::int64_t{2}, .minimum = 1, .maximum = 16, .help = "With pca-lsh: an equal key in one of them is enough"},
            {.name = "bits", .title = "Bits", .type = ParameterType::Integer, .defaultValue = std::int64_t{24}, .minimum = 1, .maximum = 64, .help = "With pca-lsh: hyperplanes of a table"},
            {.name = "entries", .title = "Entries kept", .type = ParameterType::Integer, .defaultValue = std::int64_t{4096}, .minimum = 1, .maximum = 1e6, .logarithmic = true, .help = "Frames or patches in the cache"},
            {.name = "anywhere", .title = "Anywhere", .type = ParameterType::Boolean, .defaultValue = false, .help = "With patches: features of another cell will do"},
            {.name = "collision", .title = "Collision", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0, .maximum = 10, .help = "With patches: a hit is false where the embedded patches differ by more, relative"},
            {.name = "seed", .title = "Seed", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 9e15, .help = "Of the hyperplanes"},
        })};
    method.make = [schema = method.declaration.schema](const ReuserInputs& inputs, const Parameters& given) -> std::unique_ptr<FrameReuser> {
        const Parameters parameters = schema.complete(given);
        const KeySettings settings = keySettings(parameters, static_cast<std::uint64_t>(parameters.integer("seed")));
        if (parameters.text("of") == "frame")
            return std::make_unique<FrameKeys>(inputs, settings);
        return std::make_unique<PatchKeys>(inputs, settings, parameters.boolean("anywhere"), parameters.real("collision"));
    };
    return method;
}

} // namespace tamis::reuse
