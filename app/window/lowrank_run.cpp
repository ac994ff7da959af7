// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lowrank_run.h"

#include "core/base/error.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/lowrank/preconditioner_chart.h"
#include "core/lowrank/stored_compression.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::app {
namespace {
using Clock = std::chrono::steady_clock;
constexpr double kCoarseMacs = 1.5e8; ///< work on one matrix that takes some 20 ms on one core
constexpr auto kPublishInterval = std::chrono::milliseconds(60);
constexpr double kRidges[] = {0, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1};
constexpr std::int64_t kMostFeaturesForCondition = 1024; ///< an eigenproblem beyond this takes seconds

const lowrank::Method& methodOf(const std::string& id)
{
    if (const auto* method = lowrank::findMethod(id))
        return *method;
    throw Error(ErrorCode::InvalidParameter, "there is no such method in the low-rank lab", id);
}

bool mustPass(const Error& error) { return error.code() == ErrorCode::Cancelled || error.code() == ErrorCode::OutOfMemory; }

/// A whitened decomposition, the product of its factors and the measured loss.
double singleMacs(const io::MatrixRef& matrix)
{
    const auto m = static_cast<double>(matrix.rows), n = static_cast<double>(matrix.cols), small = std::min(m, n);
    return 4 * small * small * small + 3 * m * n * n + n * n * n;
}

void put(report::LowRankReport& into, const report::LowRankMatrix& matrix)
{
    const auto found = std::find_if(into.matrices.begin(), into.matrices.end(), [&](const auto& m) { return m.name == matrix.name; });
    if (found == into.matrices.end())
        into.matrices.push_back(matrix);
    else
        *found = matrix;
}

report::LowRankReport headOf(const RunRequest& request)
{
    report::LowRankReport head;
    head.method = request.method;
    head.parameters = request.parameters;
    head.keep = request.budget.keep;
    head.allocation = plan::allocationName(request.budget.allocation);
    head.accounting = plan::accountingName(request.budget.accounting);
    return head;
}

/// The last report under the new settings' name: what is in it is replaced matrix by matrix.
report::LowRankReport standIn(const RunRequest& request, const report::LowRankReport* last)
{
    report::LowRankReport report = last ? *last : headOf(request);
    const auto head = headOf(request);
    report.method = head.method;
    report.parameters = head.parameters;
    report.keep = head.keep;
    report.allocation = head.allocation;
    report.accounting = head.accounting;
    return report;
}

std::vector<double> gramEigenvalues(const io::CalibrationSite& site, const RunContext& context)
{
    if (site.gram.rows() > kMostFeaturesForCondition)
        return {};
    auto values = linalg::symmetricEigenvalues(site.gram, context);
    std::sort(values.begin(), values.end());
    return values;
}

/// Of C + ridge mean(diag C) I, from C's eigenvalues: the mean of its diagonal is that of the eigenvalues.
double conditionAt(const std::vector<double>& eigenvalues, double ridge)
{
    if (eigenvalues.empty())
        return std::nan("");
    double sum = 0;
    for (const double value : eigenvalues)
        sum += value;
    const double shift = ridge * sum / static_cast<double>(eigenvalues.size());
    const double rounding = 1e-15 * static_cast<double>(eigenvalues.size()) * eigenvalues.back();
    const double least = eigenvalues.front() > rounding ? eigenvalues.front() : 0;
    return least + shift > 0 ? (eigenvalues.back() + shift) / (least + shift) : INFINITY;
}
} // namespace

bool RunRequest::sameResult(const RunRequest& other) const
{
    return inputs == other.inputs && method == other.method && parameters == other.parameters && budget == other.budget;
}

const lowrank::Inputs& RunWork::inputs(const LabInputs& wanted, const RunContext& context)
{
    if (!m_inputs.model || !(m_of == wanted)) {
        m_inputs = openInputs(wanted, context);
        m_of = wanted;
        if (m_last && !(m_last->request.inputs.model == wanted.model))
            m_last.reset();
    }
    return m_inputs;
}

RunWork::Picture RunWork::coarse(const RunRequest& request)
{
    if (!m_last || !(m_of == request.inputs))
        return nullptr;
    if (m_last->request.sameResult(request))
        return m_last;
    const auto& matrices = m_inputs.checkpoint->layout().matrices;
    const auto focus = std::find_if(matrices.begin(), matrices.end(), [&](const auto& m) { return m.name == request.current; });
    if (focus == matrices.end() || singleMacs(*focus) > kCoarseMacs)
        return nullptr;
    const auto& method = methodOf(request.method);
    if (method.trains || method.needsSamples)
        return nullptr;
    auto picture = std::make_shared<RunPicture>();
    picture->request = request;
    auto report = standIn(request, m_last->report.get());
    try {
        lowrank::Inputs one = m_inputs;
        one.samples.reset(); // the whole picture has what is measured on them
        one.matrices = {request.current};
        plan::BudgetRequest budget = request.budget;
        budget.allocation = plan::Allocation::Uniform; // the others' shares are not known yet
        const auto made = method.compress(one, budget, method.declaration.schema.complete(request.parameters), {}, {});
        for (const auto& matrix : made.report.matrices)
            put(report, matrix);
    } catch (const Error&) {
        return nullptr; // said by the refinement, or not to be made alone
    }
    picture->report = std::make_shared<const report::LowRankReport>(std::move(report));
    return picture;
}

RunWork::Picture RunWork::refine(const RunRequest& request, const RunContext& context, const std::function<void(Picture)>& publish)
{
    context.setParts(10);
    const auto& all = inputs(request.inputs, context.part(1, "model"));
    const auto& method = methodOf(request.method);
    auto soFar = standIn(request, m_last ? m_last->report.get() : nullptr);
    bool shown = m_last != nullptr; // else the first matrix is worth a picture
    auto lastPublished = Clock::now();
    const auto finished = [&](const lowrank::CompressedOperator& op) {
        put(soFar, op.matrix);
        if (!publish || (shown && Clock::now() - lastPublished < kPublishInterval))
            return;
        auto partial = std::make_shared<RunPicture>();
        partial->request = request;
        partial->report = std::make_shared<const report::LowRankReport>(soFar);
        publish(partial);
        shown = true;
        lastPublished = Clock::now();
    };
    auto picture = std::make_shared<RunPicture>();
    auto compression = std::make_shared<lowrank::Compression>(
        method.compress(all, request.budget, method.declaration.schema.complete(request.parameters), context.part(9, "compressing"), finished));
    picture->request = request;
    picture->report = std::make_shared<const report::LowRankReport>(compression->report);
    picture->compression = std::move(compression);
    picture->inputs = all;
    picture->complete = true;
    m_last = picture;
    return picture;
}

std::string storeRun(const RunPicture& picture, const std::optional<plan::PlannedTokens>& tokens, const std::filesystem::path& directory, const RunContext& context)
{
    auto plan = lowrank::storeCompression(picture.inputs, picture.request.budget, *picture.compression, directory, context);
    if (tokens) {
        plan.tokens = tokens;
        plan::writePlan(directory / "plan.json", plan);
    }
    return std::to_string(plan.operators.size()) + " operators and plan.json in " + directory.string();
}

RunWork::Picture openRun(const RunRequest& request, const plan::Plan& plan, const RunContext& context)
{
    context.setParts(2);
    auto picture = std::make_shared<RunPicture>();
    picture->request = request;
    picture->inputs = openInputs(request.inputs, context.part(1, "model"));
    picture->compression = std::make_shared<const lowrank::Compression>(lowrank::readCompression(picture->inputs, plan, context.part(1, "plan")));
    picture->report = std::make_shared<const report::LowRankReport>(picture->compression->report);
    picture->complete = true;
    return picture;
}

std::shared_ptr<const views::RidgeSweep> sweepRidge(const RidgeRequest& request, const RunContext& context,
                                                    const std::function<void(std::shared_ptr<const views::RidgeSweep>)>& publish)
{
    const auto& method = methodOf(request.run.method);
    const auto& schema = method.declaration.schema;
    const auto* spec = schema.find("ridge");
    const auto& calibration = request.run.inputs.model->workspace()->calibration;
    if (!spec || spec->type != ParameterType::Real || method.trains || method.needsSamples || !calibration || !calibration->features(request.run.current))
        return nullptr;
    context.setParts(12);
    lowrank::Inputs one = openInputs(request.run.inputs, context.part(1, "model"));
    one.matrices = {request.run.current};
    plan::BudgetRequest budget = request.run.budget;
    budget.allocation = plan::Allocation::Uniform;
    Parameters parameters = schema.complete(request.run.parameters);
    auto sweep = std::make_shared<views::RidgeSweep>();
    sweep->matrix = QString::fromStdString(request.run.current);
    sweep->method = QString::fromStdString(configurationId(method, request.run.parameters));
    sweep->present = parameters.real("ridge");
    std::vector<double> ridges(std::begin(kRidges), std::end(kRidges));
    ridges.push_back(sweep->present);
    std::sort(ridges.begin(), ridges.end());
    ridges.erase(std::unique(ridges.begin(), ridges.end()), ridges.end());
    std::erase_if(ridges, [&](double ridge) { return ridge < spec->minimum || ridge > spec->maximum; });
    const auto eigenvalues = gramEigenvalues(calibration->read(request.run.current), context.part(1, "conditioning"));
    auto lastPublished = Clock::now();
    for (const double ridge : ridges) {
        context.throwIfStopped();
        parameters.set("ridge", ridge);
        views::RidgeSweep::Point point{ridge, std::nan(""), std::nan(""), conditionAt(eigenvalues, ridge)};
        try {
            const auto made = method.compress(one, budget, parameters, context.part(10.0 / static_cast<double>(ridges.size()), "ridge"), {});
            if (made.report.matrices.empty())
                return nullptr;
            point.loss = made.report.matrices.front().relativeLoss();
            point.heldOut = made.report.matrices.front().heldOutRelativeLoss();
        } catch (const Error& error) {
            if (mustPass(error))
                throw;
            if (ridge > 0)
                return nullptr; // a singular gram refuses no ridge at all; anything else is not about the ridge
        }
        sweep->points.push_back(point);
        if (publish && Clock::now() - lastPublished > kPublishInterval) {
            publish(std::make_shared<const views::RidgeSweep>(*sweep));
            lastPublished = Clock::now();
        }
    }
    return sweep;
}

report::MethodFigure chartPreconditioners(const ChartRequest& request, const RunContext& context)
{
    context.setParts(10);
    const auto inputs = openInputs(request.inputs, context.part(1, "model"));
    return lowrank::preconditionerChart(inputs, request.matrix, request.parameters, context.part(9, "decomposing"));
}

} // namespace tamis::app
