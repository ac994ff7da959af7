// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/workspace_outline.h"

#include <QStringList>
#include <QWidget>

class QLineEdit;
class QSortFilterProxyModel;
class QStackedLayout;
class QTreeView;

namespace tamis::views {

class WorkspaceModel;

/// What is open, with a search field. Choosing a layer or a model chooses its matrices.
class WorkspaceTree : public QWidget {
    Q_OBJECT
public:
    explicit WorkspaceTree(QWidget* parent = nullptr);
    void setOutline(const report::WorkspaceOutline& outline);
    void setPhotos(const QString& folder, int count); ///< empty: none; the selection stays
    void setAutoencoder(const QString& path, const QString& shape); ///< empty path: none; the selection stays
    void setTrace(const QString& path, const QString& shape); ///< empty path: none; the selection stays
    /// Brushed elsewhere: selects and shows these matrices without a signal.
    void setSelection(const QStringList& matrices);
    QStringList selection() const; ///< matrix names, in the order of the tree
    WorkspaceModel* model() const { return m_model; }
    QTreeView* view() const { return m_view; }

public slots:
    void focusSearch(); ///< Ctrl+F
    void expandAll();
    void collapseAll(); ///< to models and calibration sets

signals:
    void matricesSelected(const QStringList& names);
    void calibrationSelected(const QString& path);
    void photosSelected(const QString& folder);
    void autoencoderSelected(const QString& path);
    void traceSelected(const QString& path);
    void closeRequested(const QString& path); ///< Delete or context menu on a model, calibration set, autoencoder, trace or folder of photos
    void openRequested();                     ///< from the empty state

private:
    void applyFilter(const QString& text);
    void announce();
    void showMenu(const QPoint& position);
    void requestClose();

    WorkspaceModel* m_model;
    QSortFilterProxyModel* m_proxy;
    QTreeView* m_view;
    QLineEdit* m_search;
    QStackedLayout* m_stack;
    bool m_quiet = false;
};

} // namespace tamis::views
