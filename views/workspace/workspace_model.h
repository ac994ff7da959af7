// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/workspace_outline.h"

#include <QAbstractItemModel>

#include <memory>

namespace tamis::views {

/// The model > layers ("Outside the blocks" last) > matrices; the calibration set > sites; the autoencoder; the photos; the trace of requests. Columns: what, role, shape, size.
class WorkspaceModel : public QAbstractItemModel {
    Q_OBJECT
public:
    enum Column { NameColumn, RoleColumn, ShapeColumn, SizeColumn, kColumnCount };
    enum class Kind { Root, Model, Layer, Matrix, Calibration, Site, Photos, Autoencoder, Trace };
    Q_ENUM(Kind)
    enum Role { KindRole = Qt::UserRole + 1, PathRole, MatrixRole, LayerRole }; ///< file path; matrix name; block number

    explicit WorkspaceModel(QObject* parent = nullptr);
    ~WorkspaceModel() override;
    /// An outline equal to the one on show changes nothing; otherwise the model is reset.
    void setOutline(const report::WorkspaceOutline& outline);
    void setPhotos(const QString& folder, int count); ///< empty: none are open
    QString photos() const { return m_photoFolder; }
    void setAutoencoder(const QString& path, const QString& shape); ///< empty path: none is open
    QString autoencoder() const { return m_autoencoder; }
    void setTrace(const QString& path, const QString& shape); ///< of requests; empty path: none is open
    const report::WorkspaceOutline& outline() const noexcept { return m_outline; }
    QModelIndex matrixIndex(const QString& name) const; ///< invalid: not in the model

    QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    QModelIndex parent(const QModelIndex& child) const override;
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Node;
    Node* node(const QModelIndex& index) const;
    void build();
    void buildPhotos();
    void buildAutoencoder();
    void buildTrace();
    void buildModel();
    void buildCalibration();

    report::WorkspaceOutline m_outline;
    QString m_photoFolder, m_autoencoder, m_autoencoderShape, m_trace, m_traceShape;
    int m_photoCount = 0;
    std::unique_ptr<Node> m_root;
};

} // namespace tamis::views
