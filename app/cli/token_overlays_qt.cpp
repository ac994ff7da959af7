// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/token_overlays.h"

#include "app/cli/offscreen.h"
#include "app/cli/usage_error.h"
#include "app/images/image_loading.h"
#include "app/images/shown_photo.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/file_names.h"
#include "core/base/parallel.h"
#include "core/inputs/image_preprocess_config.h"
#include "core/io/npy.h"
#include "core/measure/forward.h"
#include "core/tokens/overlay.h"
#include "views/tokens/token_sheet.h"

#include <algorithm>

namespace tamis::cli {
namespace {
namespace fs = std::filesystem;
constexpr std::size_t kAtOnce = 16; ///< photos in memory

/// Of the files of a photo, in the order in which they are written.
std::vector<std::string> suffixesOf(const RunOptions& options)
{
    std::vector<std::string> suffixes{"." + options.overlayFormat, ".csv", ".json"};
    if (options.features)
        suffixes.emplace_back(".features.npy");
    return suffixes;
}

fs::path photoFile(const RunOptions& options, const std::string& name)
{
    const fs::path images = options.samples.images;
    std::error_code error;
    return fs::is_directory(images, error) ? images / name : images;
}

std::vector<std::string> namesOf(const measure::SampleSource& source)
{
    std::vector<std::string> names;
    for (std::size_t i = 0; i < source.count(); ++i)
        names.push_back(source.name(i));
    return names;
}

views::TokenPicture pictureOf(const RunOptions& options, const OverlayRequest& request, const inputs::ImagePreprocess& settings, std::size_t photo, const RunContext& context)
{
    measure::LoadedSample sample;
    measure::loadChecked(request.source, photo, request.model, sample);
    nn::Scratch scratch(false, context);
    const auto whole = tokens::wholeResult(request.whole, sample.view(), scratch); // again, for a folder's features on the grid are too much to keep
    auto overlay = tokens::overlay(request.model, request.chain, sample.view(), {}, whole, request.classNames, scratch);
    overlay.file = request.source.name(photo);
    overlay.method = request.method;
    overlay.title = request.title;
    overlay.settings = request.settings;
    const QImage shown = app::shownPhoto(app::loadImage(photoFile(options, overlay.file)), settings);
    return {std::make_shared<const report::TokenOverlay>(std::move(overlay)), shown};
}

void writeFeatures(const OverlayRequest& request, std::size_t photo, const fs::path& file, const RunContext& context)
{
    measure::LoadedSample sample;
    measure::loadChecked(request.source, photo, request.model, sample);
    nn::Scratch scratch(true, context);
    const auto rows = tokens::unmergedFeatures(request.model, request.chain, sample.view(), {}, scratch);
    if (rows.empty())
        throw Error(ErrorCode::UnsupportedFeature, "found " + request.method + ", which has tokens of its own, expected a method whose tokens lie on the model's grid for --features", request.source.name(photo));
    io::writeNpy(file, rows.values(), {rows.rows(), rows.cols()});
}

void written(const std::optional<QString>& problem, const fs::path& file)
{
    if (problem)
        throw Error(ErrorCode::IoFailure, problem->toStdString(), file.string());
}

QString text(const std::string& s) { return QString::fromStdString(s); }
} // namespace

std::vector<fs::path> overlayFiles(const RunOptions& options, const nn::Model& model, const measure::SampleSource& source)
{
    if (const auto blocks = static_cast<std::int64_t>(model.blocks().size()); options.depth > blocks)
        throw UsageError("--depth: found " + std::to_string(options.depth) + ", expected a number from 0 to the model's " + std::to_string(blocks) + " blocks");
    std::vector<fs::path> files;
    for (const std::string& stem : fileStems(namesOf(source)))
        for (const std::string& suffix : suffixesOf(options)) {
            files.push_back(fs::path(options.out) / (stem + suffix));
            std::error_code error;
            if (!options.overwrite && fs::exists(files.back(), error))
                throw UsageError("--out: " + files.back().string() + " exists, expected a new file (--overwrite replaces it)");
        }
    return files;
}

void writeOverlays(const RunOptions& options, const OverlayRequest& request, const std::vector<fs::path>& files, const RunContext& context)
{
    std::error_code error;
    if (fs::create_directories(options.out, error); error || !fs::is_directory(options.out, error))
        throw Error(ErrorCode::IoFailure, "cannot be made" + (error ? ": " + error.message() : std::string(", there is a file of that name")), options.out);
    const Offscreen offscreen;
    auto settings = inputs::readImagePreprocess(options.model);
    if (options.samples.resize == "squash")
        settings = inputs::squashed(settings);
    const auto format = options.overlayFormat == "svg" ? views::FigureFormat::Svg : views::FigureFormat::Png;
    views::TokenSheet sheet;
    sheet.title = text(request.settings.empty() ? request.title : request.title + ", " + request.settings);
    sheet.caption = text(request.caption);
    sheet.depth = static_cast<int>(options.depth);
    sheet.shade = options.shade == "scores" ? views::TokenShade::Scores : options.shade == "unmerged" ? views::TokenShade::Unmerged : options.shade == "outlines" ? views::TokenShade::Photo : views::TokenShade::Tokens;
    const std::size_t count = request.source.count();
    for (std::size_t first = 0; first < count; first += kAtOnce) {
        std::vector<views::TokenPicture> pictures(std::min(kAtOnce, count - first));
        parallelFor(context, pictures.size(), [&](std::size_t i) { pictures[i] = pictureOf(options, request, settings, first + i, context); });
        for (std::size_t i = 0; i < pictures.size(); ++i) {
            context.throwIfStopped();
            sheet.picture = pictures[i];
            const auto* file = &files[suffixesOf(options).size() * (first + i)];
            written(views::writeTokenSheet(sheet, format, text(file[0].string())), file[0]);
            written(views::writeTokenSheet(sheet, views::FigureFormat::Csv, text(file[1].string())), file[1]);
            const QByteArray json = views::tokensJson(*pictures[i].overlay(), {});
            writeFileAtomically(file[2], std::string_view(json.constData(), static_cast<std::size_t>(json.size())));
            if (options.features)
                writeFeatures(request, first + i, file[3], context);
            context.setFraction(static_cast<double>(first + i + 1) / static_cast<double>(count));
        }
    }
}

} // namespace tamis::cli
