// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/loss_controller.h"

#include "app/samples/sample_request.h"
#include "app/window/encoder_controller.h"
#include "app/window/lowrank_work.h"
#include "app/window/trained_match.h"
#include "core/base/error.h"
#include "core/encoder/exact.h"
#include "core/measure/even_subset.h"
#include "views/common/number_format.h"
#include "views/encoder/pareto_page.h"

#include <QApplication>
#include <QPointer>

#include <algorithm>
#include <system_error>
#include <utility>

namespace tamis::app {
namespace {
constexpr std::int64_t kPiece = 256; ///< tokens of a piece of text, as encoder_sources.cpp cuts it

QString text(const std::string& s) { return QString::fromStdString(s); }

/// The one that was trained with the point's settings, or one built anew.
encoder::EncoderPtr encoderOf(const LossRequest& request, const report::EncoderPoint& point, const encoder::Inputs& inputs, const RunContext& context)
{
    EncoderRequest of = request.request;
    of.method = point.method;
    of.parameters = point.parameters;
    const auto trained = std::ranges::find_if(request.trained, [&](const auto& entry) { return serves(entry, of); });
    if (trained != request.trained.end())
        return builtFor(*trained, point.parameters, inputs.dictionary, context).encoder;
    return methodOf(of).build(inputs, point.parameters, context).encoder;
}

/// Some samples of another source.
class ChosenSamples : public measure::SampleSource {
public:
    ChosenSamples(std::unique_ptr<measure::SampleSource> source, std::vector<std::size_t> chosen) : m_source(std::move(source)), m_chosen(std::move(chosen)) {}
    std::size_t count() const noexcept override { return m_chosen.size(); }
    std::string name(std::size_t index) const override { return m_source->name(m_chosen.at(index)); }
    void load(std::size_t index, measure::LoadedSample& sample) const override { m_source->load(m_chosen.at(index), sample); }
    std::string description() const override { return m_source->description(); }
    std::string sha256(const RunContext& context) const override { return m_source->sha256(context); }

private:
    std::unique_ptr<measure::SampleSource> m_source;
    std::vector<std::size_t> m_chosen;
};

/// Whether it is known which of the samples the encoders are measured on: the losses are then of these alone. Another model cuts a text
/// otherwise.
bool onMeasuredSamples(const LossRequest& request)
{
    const auto& sources = *request.request.sources;
    return sources.places && sources.tokens == (request.photos.empty() ? request.text : request.photos) &&
           (!request.photos.empty() || sources.model == request.model->workspace()->outline.modelPath);
}

/// Those that the encoders are measured on, without those that were fitted to.
std::unique_ptr<measure::SampleSource> measuredAmong(std::unique_ptr<measure::SampleSource> all, const report::TokenPlaces& places, const std::filesystem::path& tokens)
{
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < all->count(); ++i)
        if (std::ranges::find(places.samples, all->name(i), &report::TokenSample::name) != places.samples.end())
            chosen.push_back(i);
    if (chosen.size() != places.samples.size())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(chosen.size()) + " of the samples that were measured, expected all " + std::to_string(places.samples.size()), tokens.string());
    return std::make_unique<ChosenSamples>(std::move(all), std::move(chosen));
}

std::unique_ptr<measure::SampleSource> samplesFor(const LossRequest& request, const nn::Model& model, const RunContext& context)
{
    const std::filesystem::path path = request.model->workspace()->outline.modelPath;
    SampleRequest asked;
    asked.images = request.photos;
    (request.text.extension() == ".npy" ? asked.tokens : asked.text) = request.text;
    asked.limit = request.photos.empty() ? LossRequest::kMostTexts : LossRequest::kMostPhotos;
    if (!onMeasuredSamples(request))
        return openSamples(asked, path, model, context);
    const auto& sources = *request.request.sources;
    const std::size_t most = std::exchange(asked.limit, 0);
    const std::int64_t positions = model.spec().text.maxPositions;
    if (request.photos.empty()) {
        asked = samplesOf(request.text);
        asked.windows.context = positions > 0 ? std::min(kPiece, positions) : kPiece;
    }
    return measure::evenSubset(measuredAmong(openSamples(asked, path, model, context), *sources.places, sources.tokens), most);
}
} // namespace

void measureLosses(const LossRequest& request, const RunContext& context, const std::function<void(std::size_t, const encoder::SplicedLoss&)>& found)
{
    context.setParts(1 + static_cast<double>(request.points.size()));
    const RunContext opening = context.part(1, "opening");
    const auto model = request.model->dense(opening);
    const auto dictionary = dictionaryOf(request.request);
    encoder::requireSite(*model, request.block, dictionary->width());
    const auto samples = samplesFor(request, *model, opening);
    const auto inputs = inputsOf(request.request, dictionary);
    const auto exact = encoder::exactEncoder(dictionary);
    for (std::size_t i = 0; i < request.points.size(); ++i) {
        const auto& point = request.points[i];
        const RunContext part = context.part(1, point.title + " " + point.settings);
        part.setParts(2);
        const auto encoder = point.exact ? exact : encoderOf(request, point, inputs, part.part(1, "building"));
        found(i, encoder::measureSplicedLoss(*model, request.block, *dictionary, *exact, *encoder, *samples, part.part(1, "running the model")));
    }
}

LossController::LossController(EncoderController& lab, ModelController& model, JobGroup& jobs, std::shared_ptr<const TrainedEncoders> trained, views::ParetoPage& page, QObject* parent)
    : QObject(parent), m_lab(lab), m_model(model), m_jobs(jobs), m_trained(std::move(trained)), m_page(page)
{
    connect(&m_page, &views::ParetoPage::lossRequested, this, &LossController::measure);
    connect(&m_model, &ModelController::reportShown, this, &LossController::showState);
    connect(&m_model, &ModelController::photoFolderChanged, this, &LossController::showState);
}

bool LossController::isVision() const { return m_model.report() && m_model.report()->task.rfind("image", 0) == 0; }

int LossController::block() const
{
    const auto& sources = m_lab.sources();
    if (!sources)
        return -1;
    return sources->paths.block >= 0 ? sources->paths.block : blockNamed(sources->autoencoder->config.site, sources->paths.autoencoder).value_or(-1);
}

std::filesystem::path LossController::samples() const
{
    const auto& sources = m_lab.sources();
    const auto origin = sources ? sources->paths.origin : TokenOrigin::Rows;
    if (isVision())
        return origin == TokenOrigin::Photos ? sources->tokens : std::filesystem::path(m_model.photoFolder().toStdString());
    if (origin == TokenOrigin::Text)
        return sources->tokens;
    const std::filesystem::path model = m_model.runnable()->workspace()->outline.modelPath;
    std::error_code error;
    const auto beside = (std::filesystem::is_directory(model, error) ? model : model.parent_path()) / "heldout.npy";
    return std::filesystem::is_regular_file(beside, error) ? beside : std::filesystem::path();
}

QString LossController::disabledReason() const
{
    if (!m_lab.sources())
        return tr("no autoencoder is open");
    if (isMeasuring())
        return tr("losses are being measured");
    if (!m_model.runnable())
        return tr("no model is open");
    if (!m_model.report())
        return tr("the model has not been read yet, or cannot be run");
    if (block() < 0)
        return tr("nothing says after which block of the model the autoencoder reads");
    if (samples().empty())
        return isVision() ? tr("no photos are open") : tr("there is no text: heldout.npy beside the model, or the tokens' own");
    return m_lab.comparison() && !m_lab.comparison()->points.empty() ? QString() : tr("no encoder was compared or trained");
}

void LossController::measure()
{
    if (const QString reason = disabledReason(); !reason.isEmpty()) {
        m_lab.fail(tr("No loss can be measured: %1.").arg(reason));
        return;
    }
    LossRequest request;
    request.request = *m_lab.request();
    for (const auto& point : m_lab.comparison()->points)
        if (point.failure.empty())
            request.points.push_back(point);
    request.trained = m_trained->entries();
    std::erase_if(request.trained, [&](const auto& entry) { return !sameDictionary(entry.request, request.request); });
    request.model = m_model.runnable();
    request.block = block();
    (isVision() ? request.photos : request.text) = samples();
    m_of = request.request.sources;
    m_k = kOf(request.request);
    m_measured.clear();
    m_note.clear();
    m_job = m_jobs.start(
        tr("Measure %n losses", nullptr, static_cast<int>(request.points.size())), tr("Running the model"),
        [request, guard = QPointer<LossController>(this)](const RunContext& context) {
            measureLosses(request, context, [&](std::size_t point, const encoder::SplicedLoss& loss) {
                QMetaObject::invokeMethod(qApp, [guard, request, point, loss] {
                    if (guard)
                        guard->take(request, point, loss);
                }, Qt::QueuedConnection);
            });
            return tr("%n losses measured", nullptr, static_cast<int>(request.points.size()));
        },
        [this](const Job&) {
            m_job = 0;
            showState();
            emit availabilityChanged();
        });
    showState();
    emit availabilityChanged();
}

void LossController::take(const LossRequest& request, std::size_t point, const encoder::SplicedLoss& loss)
{
    if (m_of != request.request.sources || m_k != kOf(request.request))
        return; // of another autoencoder
    m_measured.push_back({request.points[point].method, request.points[point].parameters, loss});
    m_note = tr("Loss of %1 with the autoencoder after block %2, %3 predictions: %4 alone, %5 with the exact codes, nats")
                 .arg(text(request.model->workspace()->outline.modelPath.empty() ? std::string() : std::filesystem::path(request.model->workspace()->outline.modelPath).filename().string()))
                 .arg(request.block)
                 .arg(loss.predictions)
                 .arg(views::formatNumber(loss.dense.crossEntropy, 4), views::formatNumber(loss.exact.crossEntropy, 4));
    m_note += onMeasuredSamples(request) ? tr("; on the samples that the encoders are measured on") : tr("; the encoders may have been fitted to some of these samples");
    m_lab.refreshPoints();
    showState();
}

void LossController::apply(report::EncoderComparison& comparison) const
{
    const auto now = m_lab.request();
    if (!now || now->sources != m_of || kOf(*now) != m_k)
        return;
    for (auto& point : comparison.points) {
        const auto found = std::ranges::find_if(m_measured, [&](const Measured& each) { return each.method == point.method && each.parameters == point.parameters; });
        if (found == m_measured.end())
            continue;
        point.quality.lossDense = found->loss.dense.crossEntropy;
        point.quality.lossExact = found->loss.exact.crossEntropy;
        point.quality.loss = found->loss.encoded.crossEntropy;
    }
}

void LossController::showState()
{
    const auto now = m_lab.request();
    const bool same = now && now->sources == m_of && kOf(*now) == m_k;
    m_page.setLossState(disabledReason(), isMeasuring(), same ? m_note : QString());
}

} // namespace tamis::app
