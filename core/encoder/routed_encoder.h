// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// An encoder in two steps: a router names groups of latents for a token, and their latents alone are scored, exactly.
#include "core/encoder/routed_rows.h"
#include "core/encoder/topk_encoder.h"
#include "core/encoder/trained_encoder.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::encoder {

/// Immutable and safe to use from several threads. What it says of a token depends on that token alone.
class Router {
public:
    virtual ~Router() = default;
    virtual std::int64_t width() const noexcept = 0;  ///< D
    virtual std::int64_t groups() const noexcept = 0;
    virtual std::uint64_t parameters() const noexcept = 0;
    virtual double macs() const noexcept = 0;         ///< a token, of routing alone
    virtual double meanGroups() const noexcept = 0;   ///< a token; where it depends on the data, as seen on the calibration rows
    /// The groups of x [D], best first, each once; none is possible.
    virtual void route(std::span<const float> x, std::vector<std::int32_t>& chosen) const = 0;
    /// What it gives each group, [groups]: not negative, sum 1, or all 0 where nothing is chosen.
    virtual void shares(std::span<const float> x, std::span<double> shares) const = 0;
};

class RoutedEncoder final : public TopKEncoder {
public:
    /// Throws Error{InvalidParameter} for a router of another width or number of groups, and as RoutedRows.
    RoutedEncoder(const std::shared_ptr<const Dictionary>& dictionary, std::shared_ptr<const Router> router, LatentGroups groups, const RunContext& context = {});
    std::int64_t width() const noexcept override { return m_router->width(); }
    std::int64_t latents() const noexcept override { return m_latents; }
    std::int64_t k() const noexcept override { return m_k; }
    /// Multiply-adds: router().macs() and D for each latent of meanGroups() groups of mean size.
    EncoderCost cost() const noexcept override;
    /// The trace's ranking: latents of the groups in the router's order, ascending within a group.
    SparseCodes encode(tensor::MatrixView<const float> prepared, const RunContext& context = {}, EncodeTrace* trace = nullptr) const override;

    const Router& router() const noexcept { return *m_router; }
    const LatentGroups& groups() const noexcept { return m_rows.groups(); }
    /// Groups of each row, best first.
    std::vector<std::vector<std::int32_t>> routes(tensor::MatrixView<const float> prepared, const RunContext& context = {}) const;

private:
    std::int64_t m_latents, m_k;
    std::shared_ptr<const Router> m_router;
    RoutedRows m_rows;
};

/// How a router deals tokens out.
struct RoutingStatistics {
    double meanGroups = 0;  ///< a token
    std::int64_t none = 0;  ///< tokens without a group
    double entropy = 0;     ///< of shares(), nats, mean over tokens with a group; log(groups) where it tells nothing apart
    double balance = 1;     ///< tokens of the busiest group over the mean of all; 1 where nothing is chosen
    std::vector<double> load; ///< [groups] share of the tokens that choose it
};
/// Throws Error{InvalidParameter} for no row or another width, Error{Cancelled}.
RoutingStatistics routingStatistics(const Router& router, tensor::MatrixView<const float> prepared, const RunContext& context = {});
/// One sentence for people: "Routing on the calibration rows: 8.0 of 32 experts a token, ...".
std::string sentenceOf(const RoutingStatistics& statistics, const std::string& groupName);

/// Groups from the integers [M] that a trained encoder keeps. Throws Error{MalformedFile} for a group out of range or without latents.
LatentGroups groupsFrom(const TrainedTensor& groupOf, std::int64_t groups);

} // namespace tamis::encoder
