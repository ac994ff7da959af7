// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/image_preprocess_config.h"

#include "core/inputs/json_fields.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace tamis::inputs {
namespace {

using nlohmann::json;
constexpr io::JsonLimits kLimits{.bytes = 16u << 20, .depth = 64, .values = 4'000'000};

constexpr std::array<float, 3> kHalves{0.5F, 0.5F, 0.5F};
constexpr std::array<float, 3> kImageNetMean{0.485F, 0.456F, 0.406F}, kImageNetStd{0.229F, 0.224F, 0.225F};
constexpr std::array<float, 3> kClipMean{0.48145466F, 0.4578275F, 0.40821073F}, kClipStd{0.26862954F, 0.26130258F, 0.27577711F};

/// With the getters of image settings.
class Fields : public JsonFields {
public:
    using JsonFields::JsonFields;

    std::array<float, 3> colour(const char* key, const std::array<float, 3>& absent) const
    {
        const json* value = find(key);
        if (value == nullptr)
            return absent;
        std::array<float, 3> colour{};
        bool valid = value->is_array() && value->size() == 3;
        for (std::size_t i = 0; valid && i < 3; ++i) {
            valid = (*value)[i].is_number();
            colour[i] = valid ? (*value)[i].get<float>() : 0.0F;
        }
        if (!valid)
            refuse(key, *value, "a list of 3 numbers");
        return colour;
    }
    std::int64_t side(const std::string& key, const json& value) const
    {
        if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 || value.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaximumImageSide))
            refuse(key, value, "a whole number of pixels from 1 to " + std::to_string(kMaximumImageSide));
        return value.get<std::int64_t>();
    }
    /// A number or [height, width].
    std::optional<std::pair<std::int64_t, std::int64_t>> sides(const char* key) const
    {
        const json* value = find(key);
        if (value == nullptr)
            return std::nullopt;
        if (value->is_array() && value->size() == 2)
            return std::pair{side(key, (*value)[0]), side(key, (*value)[1])};
        return std::pair{side(key, *value), side(key, *value)};
    }
};

json parsedObject(std::string_view text, const std::string& subject)
{
    json document = io::parseJson(text, kLimits, subject);
    if (!document.is_object())
        throw Error(ErrorCode::MalformedFile, "holds no image settings, expected a JSON object", subject);
    return document;
}

ImagePreprocess checked(ImagePreprocess settings, const std::string& subject)
{
    try {
        checkImagePreprocess(settings, subject);
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, error.message(), subject);
    }
    return settings;
}

// ---- timm

ImagePreprocess fromTimm(const json& object, const std::string& origin, std::pair<std::int64_t, std::int64_t> absentSize, const std::string& subject)
{
    const Fields fields(object, subject);
    ImagePreprocess settings;
    settings.origin = origin;
    std::tie(settings.height, settings.width) = absentSize;
    if (const json* size = fields.find("input_size")) {
        if (!size->is_array() || size->size() != 3)
            fields.refuse("input_size", *size, "[3, height, width]");
        if (fields.side("input_size", (*size)[0]) != 3)
            fields.refuse("input_size", *size, "[3, height, width]: only pictures of 3 channels are read", ErrorCode::UnsupportedFeature);
        settings.height = fields.side("input_size", (*size)[1]);
        settings.width = fields.side("input_size", (*size)[2]);
    }
    const std::string interpolation = fields.word("interpolation", "bicubic");
    const auto parsed = parseInterpolation(interpolation == "random" ? "bilinear" : interpolation); // timm's own stand-in when evaluating
    if (!parsed)
        fields.refuse("interpolation", interpolation, "nearest, box, bilinear, hamming, bicubic or lanczos");
    settings.interpolation = *parsed;
    settings.mean = fields.colour("mean", kImageNetMean);
    settings.std = fields.colour("std", kImageNetStd);
    const double part = fields.number("crop_pct", 0.875);
    if (!(part >= 0.01 && part <= 1.0))
        fields.refuse("crop_pct", *fields.find("crop_pct"), "a number from 0.01 to 1");
    settings.resizeHeight = static_cast<std::int64_t>(std::floor(static_cast<double>(settings.height) / part));
    settings.resizeWidth = static_cast<std::int64_t>(std::floor(static_cast<double>(settings.width) / part));
    const std::string mode = fields.word("crop_mode", "center");
    if (mode == "squash") {
        settings.rule = ResizeRule::Squash;
    } else if (mode == "border") {
        settings.rule = ResizeRule::Contain;
        for (std::size_t i = 0; i < 3; ++i) // Python's round(): halves to even, but 255 * mean is a half only for a mean of k/510
            settings.fill[i] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(255.0 * static_cast<double>(settings.mean[i])), 0.0, 255.0));
    } else if (mode == "center") {
        settings.rule = settings.resizeHeight == settings.resizeWidth ? ResizeRule::ShortestSide : ResizeRule::Cover;
    } else {
        fields.refuse("crop_mode", mode, "center, squash or border");
    }
    return checked(std::move(settings), subject);
}

// ---- transformers

/// What an image processor does unless its file says otherwise.
struct Processor {
    std::string_view name; ///< without "ImageProcessor", "ImageProcessorFast", "FeatureExtractor"
    std::int64_t size, crop;
    bool shortestEdge; ///< what a plain number in `size` means
    bool crops;
    Interpolation interpolation;
    std::array<float, 3> mean, std;
};

constexpr Processor kProcessors[]{
    {"ViT", 224, 224, false, false, Interpolation::Bilinear, kHalves, kHalves},
    {"DeiT", 256, 224, false, true, Interpolation::Bicubic, kHalves, kHalves},
    {"CLIP", 224, 224, true, true, Interpolation::Bicubic, kClipMean, kClipStd},
    {"Beit", 256, 224, false, true, Interpolation::Bicubic, kHalves, kHalves},
    {"ConvNext", 384, 384, true, false, Interpolation::Bilinear, kHalves, kHalves},
    {"Siglip", 224, 224, false, false, Interpolation::Bicubic, kHalves, kHalves},
    {"Bit", 224, 224, true, true, Interpolation::Bicubic, kClipMean, kClipStd},
    {"DINOv3ViT", 224, 224, false, false, Interpolation::Bilinear, kImageNetMean, kImageNetStd},
    {"Blip", 384, 384, false, false, Interpolation::Bicubic, kClipMean, kClipStd},
};

const Processor* findProcessor(std::string_view name)
{
    for (const Processor& each : kProcessors)
        if (each.name == name)
            return &each;
    return nullptr;
}

const Processor& processorOf(const Fields& fields, std::string& name)
{
    name = fields.word("image_processor_type", fields.word("feature_extractor_type", ""));
    std::string_view family = name;
    for (const std::string_view ending : {"Fast", "ImageProcessor", "FeatureExtractor"})
        if (family.ends_with(ending))
            family.remove_suffix(ending.size());
    if (const Processor* known = findProcessor(name.empty() ? "ViT" : family))
        return *known;
    std::string expected;
    for (const Processor& each : kProcessors)
        expected += (expected.empty() ? "" : ", ") + std::string(each.name);
    fields.refuse("image_processor_type", name, "the image processor of one of " + expected, ErrorCode::UnsupportedFeature);
}

Interpolation resampleOf(const Fields& fields, Interpolation absent)
{
    // PIL.Image.Resampling
    constexpr std::array<Interpolation, 6> kByNumber{Interpolation::Nearest, Interpolation::Lanczos, Interpolation::Bilinear,
                                                     Interpolation::Bicubic, Interpolation::Box, Interpolation::Hamming};
    const json* value = fields.find("resample");
    if (value == nullptr)
        return absent;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() >= kByNumber.size())
        fields.refuse("resample", *value, "a whole number from 0 to 5 (a filter of PIL)");
    return kByNumber[value->get<std::size_t>()];
}

/// {"height": h, "width": w}, or nothing when `value` has neither key.
std::optional<std::pair<std::int64_t, std::int64_t>> heightAndWidth(const Fields& fields, const std::string& key, const json& value)
{
    if (!value.is_object() || !value.contains("height") || !value.contains("width"))
        return std::nullopt;
    return std::pair{fields.side(key + ".height", value["height"]), fields.side(key + ".width", value["width"])};
}

void readSize(ImagePreprocess& settings, const Fields& fields, const Processor& processor)
{
    const json* size = fields.find("size");
    const json byDefault = static_cast<std::uint64_t>(processor.size);
    const json& value = size != nullptr ? *size : byDefault;
    settings.rule = processor.shortestEdge ? ResizeRule::ShortestSide : ResizeRule::Squash;
    if (const auto both = heightAndWidth(fields, "size", value)) {
        settings.rule = ResizeRule::Squash;
        std::tie(settings.resizeHeight, settings.resizeWidth) = *both;
    } else if (value.is_object()) {
        if (!value.contains("shortest_edge") || value.contains("longest_edge"))
            fields.refuse("size", value, "a number, {height, width} or {shortest_edge}", ErrorCode::UnsupportedFeature);
        settings.rule = ResizeRule::ShortestSide;
        settings.resizeHeight = settings.resizeWidth = fields.side("size.shortest_edge", value["shortest_edge"]);
    } else if (value.is_array() && value.size() == 2) { // former feature extractors: (width, height)
        settings.rule = ResizeRule::Squash;
        settings.resizeWidth = fields.side("size", value[0]);
        settings.resizeHeight = fields.side("size", value[1]);
    } else {
        settings.resizeHeight = settings.resizeWidth = fields.side("size", value);
    }
}

void readCropSize(ImagePreprocess& settings, const Fields& fields, const Processor& processor)
{
    const json* size = fields.find("crop_size");
    const json byDefault = static_cast<std::uint64_t>(processor.crop);
    const json& value = size != nullptr ? *size : byDefault;
    if (const auto both = heightAndWidth(fields, "crop_size", value)) {
        std::tie(settings.height, settings.width) = *both;
        return;
    }
    if (value.is_object())
        fields.refuse("crop_size", value, "a number or {height, width}");
    settings.height = settings.width = fields.side("crop_size", value);
}

/// ConvNextImageProcessor: below 384 the shortest side to size / crop_pct and a crop, else straight to size x size.
void convNextRule(ImagePreprocess& settings, const Fields& fields)
{
    if (settings.rule != ResizeRule::ShortestSide)
        fields.refuse("size", *fields.find("size"), "a number or {shortest_edge}");
    settings.height = settings.width = settings.resizeHeight;
    settings.crop = settings.height < 384;
    if (!settings.crop) {
        settings.rule = ResizeRule::Squash;
        return;
    }
    const double part = fields.number("crop_pct", 224.0 / 256.0);
    if (!(part >= 0.01 && part <= 1.0))
        fields.refuse("crop_pct", *fields.find("crop_pct"), "a number from 0.01 to 1");
    settings.resizeHeight = settings.resizeWidth = static_cast<std::int64_t>(static_cast<double>(settings.height) / part);
}

// ---- config.json without settings of its own

struct Family {
    std::string_view modelType, processor;
};
constexpr Family kFamilies[]{{"vit", "ViT"}, {"deit", "DeiT"}, {"swin", "ViT"}, {"swinv2", "ViT"}, {"clip", "CLIP"}, {"clip_vision_model", "CLIP"},
                             {"beit", "Beit"}, {"convnext", "ConvNext"}, {"convnextv2", "ConvNext"}, {"siglip", "Siglip"},
                             {"siglip_vision_model", "Siglip"}, {"dinov2", "Bit"}, {"dinov3_vit", "DINOv3ViT"}};

} // namespace

ImagePreprocess parsePreprocessorConfig(std::string_view text, const std::string& subject)
{
    const json document = parsedObject(text, subject);
    const Fields fields(document, subject);
    ImagePreprocess settings;
    std::string name;
    const Processor& processor = processorOf(fields, name);
    settings.origin = "preprocessor_config.json" + (name.empty() ? std::string() : ", " + name);
    settings.centring = Centring::Transformers;
    settings.interpolation = resampleOf(fields, processor.interpolation);
    readSize(settings, fields, processor);
    settings.crop = fields.flag("do_center_crop", processor.crops || (name.empty() && fields.find("crop_size") != nullptr));
    if (processor.name == "ConvNext") {
        convNextRule(settings, fields);
    } else if (settings.crop) {
        readCropSize(settings, fields, processor);
    } else if (settings.rule == ResizeRule::Squash) {
        settings.height = settings.resizeHeight;
        settings.width = settings.resizeWidth;
    } else {
        throw Error(ErrorCode::UnsupportedFeature,
                    "resizes the shortest side without a crop, expected do_center_crop or a size of {height, width}: one model input has one size",
                    subject);
    }
    if (!fields.flag("do_resize", true))
        settings.rule = ResizeRule::None;
    settings.rescaleFactor = fields.flag("do_rescale", true) ? fields.number("rescale_factor", 1.0 / 255.0) : 1.0;
    if (fields.flag("do_normalize", true)) {
        settings.mean = fields.colour("image_mean", processor.mean);
        settings.std = fields.colour("image_std", processor.std);
    }
    return checked(std::move(settings), subject);
}

ImagePreprocess parseModelImageConfig(std::string_view text, const std::string& subject)
{
    const json document = parsedObject(text, subject);
    const Fields fields(document, subject);
    const auto vision = document.find("vision_config");
    const Fields size(vision != document.end() && vision->is_object() ? *vision : document, subject);
    const auto stated = size.sides("image_size");
    const auto absentSize = stated.value_or(std::pair<std::int64_t, std::int64_t>{224, 224}); // timm's own default
    for (const char* key : {"pretrained_cfg", "default_cfg"})
        if (const json* object = fields.find(key)) {
            if (!object->is_object())
                fields.refuse(key, *object, "an object");
            return fromTimm(*object, std::string("config.json, ") + key, absentSize, subject);
        }
    if (fields.find("input_size") != nullptr || fields.find("crop_pct") != nullptr)
        return fromTimm(document, "config.json", absentSize, subject);
    if (!stated)
        throw Error(ErrorCode::MalformedFile, "states no image size, expected pretrained_cfg, image_size or a preprocessor_config.json beside it", subject);
    const std::string type = fields.word("model_type", "");
    for (const Family& family : kFamilies)
        if (family.modelType == type) {
            const Processor& processor = *findProcessor(family.processor);
            ImagePreprocess settings;
            settings.origin = "no preprocessor_config.json: defaults of " + std::string(processor.name) + "ImageProcessor";
            std::tie(settings.height, settings.width) = *stated;
            settings.interpolation = processor.interpolation;
            settings.mean = processor.mean;
            settings.std = processor.std;
            settings.centring = Centring::Transformers;
            settings = squashed(settings);
            if (processor.shortestEdge && settings.height == settings.width) {
                settings.rule = ResizeRule::ShortestSide;
                settings.crop = true;
            }
            return checked(std::move(settings), subject);
        }
    if (fields.find("architecture") != nullptr)
        return fromTimm(json::object(), "no pretrained_cfg: timm's defaults", absentSize, subject);
    throw Error(ErrorCode::UnsupportedFeature,
                "the model type " + io::quotedName(type) + " has no image settings of its own, expected pretrained_cfg or a preprocessor_config.json beside it",
                subject);
}

ImagePreprocess readImagePreprocess(const std::filesystem::path& model)
{
    namespace fs = std::filesystem;
    std::error_code ignored;
    const fs::path directory = fs::is_directory(model, ignored) ? model : model.parent_path();
    if (const fs::path file = directory / "preprocessor_config.json"; fs::exists(file, ignored))
        return parsePreprocessorConfig(io::readSmallFile(file, kLimits.bytes), file.string());
    const fs::path file = directory / "config.json";
    if (!fs::exists(file, ignored))
        throw Error(ErrorCode::IoFailure, "holds no image settings, expected preprocessor_config.json or config.json", directory.string());
    return parseModelImageConfig(io::readSmallFile(file, kLimits.bytes), file.string());
}

} // namespace tamis::inputs
