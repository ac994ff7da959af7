// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/workspace/workspace_model.h"

#include "views/common/icons.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <map>
#include <vector>

namespace tamis::views {
namespace {
QString fileName(const std::string& path)
{
    auto text = QString::fromStdString(path);
    while (text.size() > 1 && text.endsWith(QLatin1Char('/')))
        text.chop(1);
    return text.section(QLatin1Char('/'), -1);
}
} // namespace

struct WorkspaceModel::Node {
    Kind kind = Kind::Root;
    Node* parent = nullptr;
    int row = 0;
    QString name, role, shape, toolTip, matrix;
    double bytes = -1; ///< below 0: none
    int layer = -1;
    bool muted = false;
    std::vector<std::unique_ptr<Node>> children;

    Node& add(Kind childKind, const QString& childName)
    {
        auto child = std::make_unique<Node>();
        child->kind = childKind;
        child->parent = this;
        child->row = static_cast<int>(children.size());
        child->name = childName;
        children.push_back(std::move(child));
        return *children.back();
    }
};

WorkspaceModel::WorkspaceModel(QObject* parent) : QAbstractItemModel(parent), m_root(std::make_unique<Node>()) {}
WorkspaceModel::~WorkspaceModel() = default;

void WorkspaceModel::setOutline(const report::WorkspaceOutline& outline)
{
    if (outline == m_outline)
        return;
    beginResetModel();
    m_outline = outline;
    build();
    endResetModel();
}

void WorkspaceModel::setPhotos(const QString& folder, int count)
{
    if (folder == m_photoFolder && count == m_photoCount)
        return;
    beginResetModel();
    m_photoFolder = folder;
    m_photoCount = count;
    build();
    endResetModel();
}

void WorkspaceModel::setAutoencoder(const QString& path, const QString& shape)
{
    if (path == m_autoencoder && shape == m_autoencoderShape)
        return;
    beginResetModel();
    m_autoencoder = path;
    m_autoencoderShape = shape;
    build();
    endResetModel();
}

void WorkspaceModel::setTrace(const QString& path, const QString& shape)
{
    if (path == m_trace && shape == m_traceShape)
        return;
    beginResetModel();
    m_trace = path;
    m_traceShape = shape;
    build();
    endResetModel();
}

void WorkspaceModel::build()
{
    m_root = std::make_unique<Node>();
    if (!m_outline.modelPath.empty())
        buildModel();
    if (!m_outline.calibrationPath.empty())
        buildCalibration();
    if (!m_autoencoder.isEmpty())
        buildAutoencoder();
    if (!m_photoFolder.isEmpty())
        buildPhotos();
    if (!m_trace.isEmpty())
        buildTrace();
}

void WorkspaceModel::buildTrace()
{
    Node& node = m_root->add(Kind::Trace, fileName(m_trace.toStdString()));
    node.role = tr("trace");
    node.shape = m_traceShape;
    node.toolTip = m_trace + QLatin1Char('\n') + m_traceShape;
}

void WorkspaceModel::buildAutoencoder()
{
    // The last folder alone says little where it names the format.
    const QString name = fileName(m_autoencoder.toStdString()), above = m_autoencoder.section(QLatin1Char('/'), -2, -2);
    Node& node = m_root->add(Kind::Autoencoder, above.isEmpty() ? name : above + QLatin1Char('/') + name);
    node.role = tr("autoencoder");
    node.shape = m_autoencoderShape;
    node.toolTip = m_autoencoder + QLatin1Char('\n') + m_autoencoderShape;
}

void WorkspaceModel::buildPhotos()
{
    Node& photos = m_root->add(Kind::Photos, fileName(m_photoFolder.toStdString()));
    photos.role = tr("photos");
    photos.shape = m_photoCount == 1 ? tr("1 photo") : tr("%1 photos").arg(m_photoCount);
    photos.toolTip = m_photoFolder + QLatin1Char('\n') + photos.shape;
}

void WorkspaceModel::buildModel()
{
    Node& model = m_root->add(Kind::Model, fileName(m_outline.modelPath));
    model.role = QString::fromStdString(m_outline.modelFamily);
    model.shape = tr("%1 parameters").arg(formatCount(static_cast<double>(m_outline.parameters)));
    model.bytes = static_cast<double>(m_outline.bytes);
    model.toolTip = tr("%1\n%2, layers: %3")
                        .arg(QString::fromStdString(m_outline.modelPath), QString::fromStdString(m_outline.modelFormat))
                        .arg(m_outline.layers);
    std::map<int, std::vector<const report::OutlineMatrix*>> layers;
    for (const auto& matrix : m_outline.matrices)
        layers[matrix.layer].push_back(&matrix);
    const auto addLayer = [&](int layer, const std::vector<const report::OutlineMatrix*>& matrices) {
        Node& node = model.add(Kind::Layer, layer < 0 ? tr("Outside the blocks") : tr("Layer %1").arg(layer));
        node.layer = layer;
        node.shape = matrices.size() == 1 ? tr("1 matrix") : tr("%1 matrices").arg(matrices.size());
        double bytes = 0;
        for (const auto* matrix : matrices) {
            Node& leaf = node.add(Kind::Matrix, QString::fromStdString(matrix->name));
            leaf.matrix = leaf.name;
            leaf.layer = layer;
            leaf.role = QString::fromStdString(matrix->role);
            leaf.shape = QStringLiteral("%1 × %2").arg(matrix->rows).arg(matrix->cols);
            leaf.bytes = static_cast<double>(matrix->bytes);
            leaf.muted = !matrix->calibrated && !m_outline.calibrationPath.empty();
            leaf.toolTip = tr("%1\n%2, %3").arg(leaf.name, QString::fromStdString(matrix->dtype),
                                               matrix->calibrated ? tr("calibrated") : tr("no calibration site"));
            bytes += leaf.bytes;
        }
        node.bytes = bytes;
    };
    for (const auto& [layer, matrices] : layers)
        if (layer >= 0)
            addLayer(layer, matrices);
    if (const auto outside = layers.find(-1); outside != layers.end())
        addLayer(-1, outside->second);
}

void WorkspaceModel::buildCalibration()
{
    Node& set = m_root->add(Kind::Calibration, fileName(m_outline.calibrationPath));
    set.role = tr("calibration");
    set.shape = tr("%1 tokens").arg(formatCount(static_cast<double>(m_outline.calibrationTokens)));
    set.toolTip = QString::fromStdString(m_outline.calibrationPath + "\n" + m_outline.calibrationInputs);
    for (const auto& site : m_outline.sites) {
        Node& leaf = set.add(Kind::Site, QString::fromStdString(site.name));
        leaf.matrix = leaf.name;
        leaf.role = tr("site");
        leaf.shape = tr("%1 features").arg(site.features);
        leaf.toolTip = leaf.name;
    }
}

WorkspaceModel::Node* WorkspaceModel::node(const QModelIndex& index) const
{
    return index.isValid() ? static_cast<Node*>(index.internalPointer()) : m_root.get();
}

QModelIndex WorkspaceModel::index(int row, int column, const QModelIndex& parent) const
{
    if (!hasIndex(row, column, parent))
        return {};
    return createIndex(row, column, node(parent)->children[static_cast<std::size_t>(row)].get());
}

QModelIndex WorkspaceModel::parent(const QModelIndex& child) const
{
    const Node* above = child.isValid() ? node(child)->parent : nullptr;
    return !above || above == m_root.get() ? QModelIndex() : createIndex(above->row, 0, above);
}

int WorkspaceModel::rowCount(const QModelIndex& parent) const
{
    return parent.column() > 0 ? 0 : static_cast<int>(node(parent)->children.size());
}

int WorkspaceModel::columnCount(const QModelIndex& parent) const { return parent.column() > 0 ? 0 : static_cast<int>(kColumnCount); }

QVariant WorkspaceModel::data(const QModelIndex& index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid))
        return {};
    const Node& at = *node(index);
    switch (role) {
    case Qt::DisplayRole:
        switch (index.column()) {
        case NameColumn: return at.name;
        case RoleColumn: return at.role;
        case ShapeColumn: return at.shape;
        case SizeColumn: return at.bytes < 0 ? QVariant() : formatBytes(at.bytes);
        }
        return {};
    case Qt::DecorationRole:
        if (index.column() != NameColumn)
            return {};
        return at.kind == Kind::Model ? QVariant(themedIcon(QStringLiteral("model")))
               : at.kind == Kind::Calibration ? QVariant(themedIcon(QStringLiteral("calibration")))
               : at.kind == Kind::Photos ? QVariant(themedIcon(QStringLiteral("photo")))
               : at.kind == Kind::Autoencoder ? QVariant(themedIcon(QStringLiteral("spectrum")))
               : at.kind == Kind::Trace ? QVariant(themedIcon(QStringLiteral("log")))
               : at.kind == Kind::Matrix ? QVariant(themedIcon(QStringLiteral("matrix"), Ink::MutedText)) : QVariant();
    case Qt::ToolTipRole: return at.toolTip.isEmpty() ? QVariant() : at.toolTip;
    case Qt::TextAlignmentRole: return index.column() == SizeColumn ? QVariant(Qt::AlignRight | Qt::AlignVCenter) : QVariant();
    case Qt::ForegroundRole:
        return at.muted || index.column() != NameColumn ? QVariant(Theme::instance().color(Ink::MutedText)) : QVariant();
    case kSortRole: return index.column() == SizeColumn ? QVariant(at.bytes) : data(index, Qt::DisplayRole);
    case KindRole: return QVariant::fromValue(at.kind);
    case PathRole:
        if (at.kind == Kind::Photos)
            return m_photoFolder;
        if (at.kind == Kind::Autoencoder)
            return m_autoencoder;
        if (at.kind == Kind::Trace)
            return m_trace;
        return QString::fromStdString(at.kind == Kind::Calibration || at.kind == Kind::Site ? m_outline.calibrationPath : m_outline.modelPath);
    case MatrixRole: return at.matrix;
    case LayerRole: return at.layer;
    default: return {};
    }
}

QVariant WorkspaceModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole)
        return QAbstractItemModel::headerData(section, orientation, role);
    switch (section) {
    case NameColumn: return tr("Name");
    case RoleColumn: return tr("Role");
    case ShapeColumn: return tr("Shape");
    case SizeColumn: return tr("Size");
    default: return {};
    }
}

QModelIndex WorkspaceModel::matrixIndex(const QString& name) const
{
    for (const auto& top : m_root->children)
        if (top->kind == Kind::Model)
            for (const auto& layer : top->children)
                for (const auto& leaf : layer->children)
                    if (leaf->matrix == name)
                        return createIndex(leaf->row, 0, leaf.get());
    return {};
}

} // namespace tamis::views
