// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// encoder.exact: every latent of every token is scored, in one pass over the rows that keeps the k best. With float32 rows it is
// the reference that recall is measured against.
#include "core/encoder/method.h"
#include "core/kernels/scan_rows.h"

namespace tamis::encoder {

Method exactMethod();

/// Rows are copied into the scan's own layout. Throws Error{NonFinite} naming a latent whose row or bias is no number,
/// Error{Cancelled}.
EncoderPtr exactEncoder(const std::shared_ptr<const Dictionary>& dictionary, kernels::ScanPrecision precision = kernels::ScanPrecision::Float32, const RunContext& context = {});

/// Throws Error{NonFinite} naming the first latent whose row or bias is no finite number.
void requireFinite(const Dictionary& dictionary);
/// Throws Error{InvalidParameter} where tokens have another width than the encoder reads.
void requireWidth(const TopKEncoder& encoder, tensor::MatrixView<const float> prepared);

} // namespace tamis::encoder
