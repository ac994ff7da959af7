// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/encoder_request.h"

#include "core/base/error.h"

namespace tamis::app {

const encoder::Method& methodOf(const EncoderRequest& request)
{
    if (const auto* method = encoder::findMethod(request.method))
        return *method;
    throw Error(ErrorCode::InvalidParameter, "is not a method of the encoder lab", request.method);
}

std::int64_t kOf(const EncoderRequest& request) { return request.k > 0 ? request.k : request.sources->ownK; }

std::shared_ptr<const encoder::Dictionary> dictionaryOf(const EncoderRequest& request) { return encoder::Dictionary::of(request.sources->autoencoder, kOf(request)); }

encoder::Inputs inputsOf(const EncoderRequest& request, std::shared_ptr<const encoder::Dictionary> dictionary)
{
    encoder::Inputs inputs;
    if (!request.sources->fitted.empty())
        inputs.calibration = dictionary->prepared(request.sources->fitted.view());
    inputs.dictionary = std::move(dictionary);
    return inputs;
}

std::vector<std::string> toldNames(const encoder::Method& method, const Parameters& parameters)
{
    std::vector<std::string> names;
    const auto& specs = method.declaration.schema.specs();
    for (const ParameterSpec& spec : specs)
        if (parameters.contains(spec.name) && !(parameters.value(spec.name) == spec.defaultValue))
            names.push_back(spec.name);
    if (names.empty() && !specs.empty())
        names.push_back(specs.front().name);
    return names;
}

std::string settingsLine(const encoder::Method& method, const Parameters& parameters)
{
    std::string line;
    for (const std::string& name : toldNames(method, parameters))
        line += (line.empty() ? "" : ", ") + name + " " + toText(parameters.contains(name) ? parameters.value(name) : method.declaration.schema.find(name)->defaultValue);
    return line;
}

} // namespace tamis::app
