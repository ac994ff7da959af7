// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What sparse addressing produces and its page shows: tables that are read by token, and what a read costs. Plain values. Terms: docs/addressing.md.
#include "core/base/parameter_schema.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// A table in one layout, by the page model (4 KiB pages), over a trace of tokens.
struct TableReads {
    std::string layout, type;                ///< "token-major", "F16"
    std::uint64_t tableBytes = 0, rowBytes = 0;
    double bytesPerToken = kNotMeasured;     ///< of the rows of all layers
    double pagesPerToken = kNotMeasured;     ///< token by token: decoding
    double amplification = kNotMeasured;     ///< bytes of those pages / bytesPerToken
    double batchPagesPerToken = kNotMeasured; ///< windows of `batch` tokens, each different row and page once: reading a prompt
    std::uint64_t batch = 0;
};

/// One way of reading one layout; microseconds a read of `batch` tokens.
struct ReadLatency {
    std::string reader, layout;  ///< "mmap", "pread", "io_uring", "pread O_DIRECT" ...
    bool cold = false;           ///< the file's pages were dropped before every read
    std::uint64_t batch = 1;
    double p50 = kNotMeasured, p95 = kNotMeasured, p99 = kNotMeasured;
    double deviceBytesPerToken = kNotMeasured; ///< that the disk delivered, as the system counts them
    double requestsPerToken = kNotMeasured;    ///< to the system (a mapping: copies)
    std::string failure;         ///< refused, and why; nothing else is measured then
};

/// Share of row reads that a cache of a policy saves, by its size.
struct CachePoint {
    std::int64_t rows = 0;
    std::uint64_t bytes = 0;
    double hitRate = 0;
};
struct CacheCurve {
    std::string policy; ///< "LRU", "direct-mapped", "static hot"
    std::vector<CachePoint> points; ///< ascending rows
};

/// Where a router sends tokens. Bars: `load`.
struct RouterReport {
    std::string routing;                  ///< "top-e", "relu", "surprise"
    std::vector<double> load;             ///< [experts] share of the tokens that chose each
    double entropy = kNotMeasured;        ///< mean over tokens of the entropy of the shares of the chosen, nats
    double loadEntropy = kNotMeasured;    ///< of the load, over log of the experts: 1 is even
    double maxOverMean = kNotMeasured, gini = kNotMeasured;
    double jaccard = kNotMeasured;        ///< mean over neighbouring tokens of |A and B| / |A or B|
    double meanExperts = kNotMeasured;
    std::vector<std::uint64_t> expertsPerToken; ///< [n] tokens that chose n experts
    std::vector<std::uint64_t> reuse;     ///< [d] reads of an expert that d other ones came before since it was last read; the last: never read before
    std::vector<CachePoint> offload;      ///< hit rate of experts kept in memory, least recently used leaves; bytes of their values
};

/// A memory that stands for a feed-forward part.
struct MemoryQuality {
    std::string name;            ///< "mean output", "product keys, k = 8" ...
    double calibration = kNotMeasured, heldOut = kNotMeasured; ///< FVU: sum |y - y'|^2 / sum |y - mean y|^2
    std::uint64_t valueBytesPerToken = 0, keyMacs = 0;
};

struct AddressingReport {
    std::string method, model, samples;
    Parameters parameters;             ///< complete
    std::uint64_t traceTokens = 0;
    double uniqueRows = kNotMeasured;  ///< different tokens over tokens, mean over windows of `window`
    std::uint64_t window = 0;
    std::vector<TableReads> tables;    ///< the one in use first
    std::vector<ReadLatency> latencies;
    std::vector<CacheCurve> caches;
    std::vector<RouterReport> routers; ///< mixtures only
    std::vector<MemoryQuality> memories; ///< trivial ones first; memories only
    // DeepEmbed only.
    double wholePerplexity = kNotMeasured, perplexity = kNotMeasured; ///< of the whole model; of the cheaper one
    double sharedPerplexity = kNotMeasured, tablePerplexity = kNotMeasured; ///< cheaper with one scale a feature; with the table
    std::uint64_t unseenTokens = 0;    ///< of the trace, that no calibration token was
    std::vector<std::string> warnings;
    double seconds = 0;
};

} // namespace tamis::report
