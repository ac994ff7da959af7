// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/window/model_controller.h"
#include "app/window/trained_encoders.h"
#include "core/encoder/model_site.h"
#include "core/report/encoder_comparison.h"

#include <QObject>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace tamis::views {
class ParetoPage;
} // namespace tamis::views

namespace tamis::app {

class EncoderController;

/// Which encoders run in which model.
struct LossRequest {
    EncoderRequest request;                     ///< for its autoencoder and k
    std::vector<report::EncoderPoint> points;   ///< each built anew, or taken from `trained`
    std::vector<TrainedEncoders::Entry> trained;
    std::shared_ptr<RunnableModel> model;
    int block = 0;                              ///< after which the autoencoder reads
    std::filesystem::path photos, text;         ///< one of them; a text may be an .npy of token ids
    static constexpr std::size_t kMostPhotos = 64, kMostTexts = 8;
};
/// The model with each of them in place, `found` with the number of the point as they come. Throws what building, loading and running throw.
void measureLosses(const LossRequest& request, const RunContext& context, const std::function<void(std::size_t, const encoder::SplicedLoss&)>& found);

/// The losses of the model with the autoencoder in place, as an axis of the comparison: a job on request, for it runs the model.
class LossController : public QObject
{
    Q_OBJECT
public:
    LossController(EncoderController& lab, ModelController& model, JobGroup& jobs, std::shared_ptr<const TrainedEncoders> trained, views::ParetoPage& page, QObject* parent = nullptr);

    void measure();
    QString disabledReason() const;            ///< why no loss can be measured now; empty: it can
    void showState();                          ///< another model, autoencoder or comparison
    void apply(report::EncoderComparison& comparison) const; ///< what was measured, to its points
    bool isMeasuring() const noexcept { return m_job != 0; }

signals:
    void availabilityChanged();

private:
    struct Measured {
        std::string method;
        Parameters parameters;
        encoder::SplicedLoss loss;
    };
    void take(const LossRequest& request, std::size_t point, const encoder::SplicedLoss& loss);
    std::filesystem::path samples() const; ///< photos or text; empty: there are none
    bool isVision() const;
    int block() const; ///< -1: nobody says

    EncoderController& m_lab;
    ModelController& m_model;
    JobGroup& m_jobs;
    std::shared_ptr<const TrainedEncoders> m_trained;
    views::ParetoPage& m_page;
    int m_job = 0;
    SourcesPointer m_of;               ///< whose autoencoder the losses are of
    std::int64_t m_k = 0;
    std::vector<Measured> m_measured;
    QString m_note;                    ///< where and on what they were measured
};

} // namespace tamis::app
