// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// encoder.certified: a scan of small integers bounds every score, the few latents that may be among the k largest are scored exactly.
// Sets and values are those of encoder.exact with float32 rows, to the bit. Source: the bound of quantisation by its residual norm;
// pruning as in two-stage maximum inner product search (LEMP, FEXIPRO); subtractive dither after Roberts and Schuchman.
#include "core/encoder/method.h"
#include "core/encoder/quantised_rows.h"

namespace tamis::encoder {

struct CertifiedSettings {
    QuantisationSettings quantisation;
    double cap = 0.5; ///< share of the latents above which a token is scored densely
};

/// Keeps the dictionary: its rows are read for the exact scores. Throws as QuantisedRows and for a cap outside of [0, 1].
EncoderPtr certifiedEncoder(const std::shared_ptr<const Dictionary>& dictionary, const CertifiedSettings& settings = {}, const RunContext& context = {});

Method certifiedMethod();

} // namespace tamis::encoder
