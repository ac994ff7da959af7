// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which trained encoder serves which settings.
#include "app/window/trained_encoders.h"

namespace tamis::app {

/// The same autoencoder, read alike, and the same k, whatever tokens it is measured on.
bool sameDictionary(const EncoderRequest& a, const EncoderRequest& b);
/// Of the same dictionary, method and complete parameters, but for those that only the finished encoder reads.
bool serves(const TrainedEncoders::Entry& entry, const EncoderRequest& request);
/// The complete parameters of a request; as given where the schema refuses them.
Parameters completed(const EncoderRequest& request);
/// With the complete `parameters` of a request that `entry` serves: its own, or restored with other values of those that only the finished
/// encoder reads. Throws what restoring throws.
encoder::Built builtFor(const TrainedEncoders::Entry& entry, const Parameters& parameters, const std::shared_ptr<const encoder::Dictionary>& dictionary, const RunContext& context);

} // namespace tamis::app
