// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/photos/photo_model.h"

#include "views/common/number_format.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::views {

void PhotoModel::setPhotos(std::vector<PhotoEntry> photos)
{
    beginResetModel();
    m_photos = std::move(photos);
    m_rows.clear();
    for (std::size_t i = 0; i < m_photos.size(); ++i)
        m_rows.insert(m_photos[i].name, static_cast<int>(i));
    for (auto at = m_pictures.begin(); at != m_pictures.end();)
        at = m_rows.contains(at.key()) ? std::next(at) : m_pictures.erase(at);
    m_asked.clear();
    endResetModel();
}

void PhotoModel::setReport(std::shared_ptr<const report::EvaluationReport> report)
{
    m_report = std::move(report);
    m_predictions.clear();
    if (m_report)
        for (std::size_t i = 0; i < m_report->predictions.size(); ++i)
            m_predictions.insert(QString::fromStdString(m_report->predictions[i].sample), static_cast<int>(i));
    if (rowCount() > 0)
        emit dataChanged(index(0), index(rowCount() - 1));
}

void PhotoModel::setThumbnail(const QString& name, const QImage& image)
{
    const int row = rowOf(name);
    if (row < 0)
        return;
    m_pictures.insert(name, {image, image.isNull() ? tr("The picture is empty.") : QString()});
    m_asked.remove(name);
    emit dataChanged(index(row), index(row), {ThumbnailRole, FailureRole});
}

void PhotoModel::setThumbnailFailure(const QString& name, const QString& why)
{
    const int row = rowOf(name);
    if (row < 0)
        return;
    m_pictures.insert(name, {{}, why.isEmpty() ? tr("The picture could not be read.") : why});
    m_asked.remove(name);
    emit dataChanged(index(row), index(row), {ThumbnailRole, FailureRole});
}

void PhotoModel::requestThumbnails(const QList<int>& rows)
{
    QStringList names;
    for (const int row : rows)
        if (const auto* entry = photo(row); entry && !m_pictures.contains(entry->name) && !m_asked.contains(entry->name)) {
            m_asked.insert(entry->name);
            names << entry->name;
        }
    if (!names.isEmpty())
        emit thumbnailsRequested(names);
}

void PhotoModel::forgetRequests() { m_asked.clear(); }
int PhotoModel::rowOf(const QString& name) const { return m_rows.value(name, -1); }

const PhotoEntry* PhotoModel::photo(int row) const
{
    return row >= 0 && row < rowCount() ? &m_photos[static_cast<std::size_t>(row)] : nullptr;
}

const report::Prediction* PhotoModel::prediction(int row) const
{
    const auto* entry = photo(row);
    const int at = entry ? m_predictions.value(entry->name, -1) : -1;
    return at < 0 ? nullptr : &m_report->predictions[static_cast<std::size_t>(at)];
}

bool PhotoModel::compares() const
{
    return m_report && std::any_of(m_report->predictions.begin(), m_report->predictions.end(), [](const auto& p) { return !p.compressedClasses.empty(); });
}

QString PhotoModel::className(int index) const
{
    if (m_report && index >= 0 && static_cast<std::size_t>(index) < m_report->classNames.size())
        return QString::fromStdString(m_report->classNames[static_cast<std::size_t>(index)]);
    return tr("class %1").arg(index);
}

int PhotoModel::labelOf(int row) const
{
    const auto* predicted = prediction(row);
    return predicted && predicted->label >= 0 ? predicted->label : m_photos[static_cast<std::size_t>(row)].label;
}

QVariantList PhotoModel::classes(const std::vector<int>& indices, const std::vector<float>& probabilities, int label) const
{
    QVariantList all;
    for (std::size_t i = 0; i < std::min({indices.size(), probabilities.size(), std::size_t(5)}); ++i)
        all << QVariantMap{{QStringLiteral("name"), className(indices[i])},
                           {QStringLiteral("probability"), static_cast<double>(probabilities[i])},
                           {QStringLiteral("right"), label >= 0 && indices[i] == label}};
    return all;
}

double PhotoModel::change(const report::Prediction& p) const
{
    if (p.compressedClasses.empty() || p.classes.empty())
        return report::kNotMeasured;
    std::map<int, double> difference; // what is not listed by one model counts as 0 there
    for (std::size_t i = 0; i < std::min(p.classes.size(), p.probabilities.size()); ++i)
        difference[p.classes[i]] += static_cast<double>(p.probabilities[i]);
    for (std::size_t i = 0; i < std::min(p.compressedClasses.size(), p.compressedProbabilities.size()); ++i)
        difference[p.compressedClasses[i]] -= static_cast<double>(p.compressedProbabilities[i]);
    double sum = 0;
    for (const auto& [index, by] : difference)
        sum += std::abs(by);
    return sum / 2;
}

int PhotoModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_photos.size()); }

QVariant PhotoModel::data(const QModelIndex& at, int role) const
{
    const auto* entry = photo(at.isValid() ? at.row() : -1);
    if (!entry)
        return {};
    const auto* predicted = prediction(at.row());
    const int label = labelOf(at.row());
    const bool compared = predicted && !predicted->compressedClasses.empty();
    switch (role) {
    case Qt::DisplayRole: return entry->name;
    case Qt::AccessibleTextRole: {
        QString text = entry->name;
        if (predicted && !predicted->classes.empty())
            text += tr(", %1 %2").arg(className(predicted->classes[0]), formatPercent(static_cast<double>(predicted->probabilities.empty() ? 0 : predicted->probabilities[0]), 0));
        if (compared)
            text += tr(", compressed %1").arg(className(predicted->compressedClasses[0]));
        if (label >= 0)
            text += tr(", labelled %1").arg(className(label));
        return text;
    }
    case Qt::ToolTipRole: {
        QStringList lines{entry->path.isEmpty() ? entry->name : entry->path};
        if (!entry->credit.isEmpty())
            lines << entry->credit;
        if (const auto picture = m_pictures.constFind(entry->name); picture != m_pictures.constEnd() && !picture->failure.isEmpty())
            lines << picture->failure;
        return lines.join(QLatin1Char('\n'));
    }
    case ThumbnailRole: return m_pictures.value(entry->name).image;
    case FailureRole: return m_pictures.value(entry->name).failure;
    case CreditRole: return entry->credit;
    case LabelRole: return label >= 0 ? className(label) : QString();
    case PredictionsRole: return predicted ? classes(predicted->classes, predicted->probabilities, label) : QVariantList();
    case CompressedRole: return predicted ? classes(predicted->compressedClasses, predicted->compressedProbabilities, label) : QVariantList();
    case VerdictRole: {
        if (label < 0 || !predicted || predicted->classes.empty())
            return 0;
        return (compared ? predicted->compressedClasses[0] : predicted->classes[0]) == label ? 1 : -1;
    }
    case ChangedRole: return compared && !predicted->classes.empty() && predicted->compressedClasses[0] != predicted->classes[0];
    case ConfidenceRole:
        return predicted && !predicted->probabilities.empty() ? static_cast<double>(predicted->probabilities[0]) : report::kNotMeasured;
    case ChangeRole: return predicted ? change(*predicted) : report::kNotMeasured;
    default: return {};
    }
}

} // namespace tamis::views
