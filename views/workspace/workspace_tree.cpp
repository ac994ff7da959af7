// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/workspace/workspace_tree.h"

#include "views/common/icons.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/workspace/workspace_model.h"

#include <QApplication>
#include <QClipboard>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QMenu>
#include <QShortcut>
#include <QSortFilterProxyModel>
#include <QStackedLayout>
#include <QToolButton>
#include <QTreeView>
#include <QVBoxLayout>

#include <algorithm>
#include <functional>

namespace tamis::views {
namespace {
using Kind = WorkspaceModel::Kind;

bool canClose(Kind kind) { return kind == Kind::Model || kind == Kind::Calibration || kind == Kind::Photos || kind == Kind::Autoencoder || kind == Kind::Trace; }

/// A row stays when every word stands in its name, role or shape, or in those of a row above or below it.
class TreeFilter : public QSortFilterProxyModel {
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;
    void setWords(const QStringList& words)
    {
        m_words = words;
        invalidateFilter();
    }

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override
    {
        QString text;
        for (int column = 0; column < WorkspaceModel::SizeColumn; ++column)
            text += sourceModel()->index(row, column, parent).data().toString() + QLatin1Char(' ');
        for (QModelIndex above = parent; above.isValid(); above = above.parent())
            text += above.data().toString() + QLatin1Char(' ');
        return std::all_of(m_words.begin(), m_words.end(), [&](const QString& w) { return text.contains(w, Qt::CaseInsensitive); });
    }

private:
    QStringList m_words;
};
} // namespace

WorkspaceTree::WorkspaceTree(QWidget* parent)
    : QWidget(parent), m_model(new WorkspaceModel(this)), m_proxy(new TreeFilter(this)), m_view(new QTreeView), m_search(new QLineEdit),
      m_stack(new QStackedLayout(this))
{
    m_proxy->setRecursiveFilteringEnabled(true);
    m_proxy->setSourceModel(m_model);
    m_view->setModel(m_proxy);
    m_view->setObjectName(QStringLiteral("workspaceTree"));
    m_view->setAccessibleName(tr("Workspace"));
    m_view->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_view->setUniformRowHeights(true);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setContextMenuPolicy(Qt::CustomContextMenu);
    m_view->setTextElideMode(Qt::ElideMiddle);
    m_view->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    auto* header = m_view->header();
    header->setStretchLastSection(false);
    header->setSectionResizeMode(WorkspaceModel::NameColumn, QHeaderView::Stretch);
    header->setMinimumSectionSize(30);
    const int digit = fontMetrics().horizontalAdvance(QLatin1Char('0'));
    header->resizeSection(WorkspaceModel::SizeColumn, 10 * digit);
    // The table beside it tells role and shape of a matrix; here there is only room for names.
    m_view->setColumnHidden(WorkspaceModel::RoleColumn, true);
    m_view->setColumnHidden(WorkspaceModel::ShapeColumn, true);
    m_search->setObjectName(QStringLiteral("workspaceSearch"));
    m_search->setPlaceholderText(tr("Search the workspace"));
    m_search->setAccessibleName(tr("Search the workspace"));
    m_search->setClearButtonEnabled(true);
    m_search->addAction(themedIcon(QStringLiteral("search"), Ink::MutedText), QLineEdit::LeadingPosition);

    auto* full = new QWidget(this);
    auto* column = new QVBoxLayout(full);
    column->setContentsMargins(Theme::kSpacing, Theme::kSpacing, Theme::kSpacing, 0);
    column->setSpacing(Theme::kSpacing / 2);
    column->addWidget(m_search);
    column->addWidget(m_view, 1);
    auto* empty = new PlaceholderPanel(QStringLiteral("open"), tr("Nothing is open"),
                                       tr("Open a checkpoint, or drop a file or a directory on the window."), this);
    empty->setAction(tr("Open…"));
    m_stack->addWidget(empty);
    m_stack->addWidget(full);
    connect(empty, &PlaceholderPanel::actionTriggered, this, &WorkspaceTree::openRequested);
    connect(m_search, &QLineEdit::textChanged, this, &WorkspaceTree::applyFilter);
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, &WorkspaceTree::announce);
    connect(m_view, &QWidget::customContextMenuRequested, this, &WorkspaceTree::showMenu);
    auto* close = new QShortcut(QKeySequence::Delete, m_view);
    close->setContext(Qt::WidgetShortcut);
    connect(close, &QShortcut::activated, this, &WorkspaceTree::requestClose);
}

void WorkspaceTree::setOutline(const report::WorkspaceOutline& outline)
{
    const bool same = outline == m_model->outline();
    m_quiet = true;
    m_model->setOutline(outline);
    m_quiet = false;
    if (!same)
        collapseAll();
    m_stack->setCurrentIndex(m_model->rowCount() > 0 ? 1 : 0);
}

void WorkspaceTree::setPhotos(const QString& folder, int count)
{
    const QStringList before = selection();
    m_quiet = true;
    m_model->setPhotos(folder, count);
    m_quiet = false;
    collapseAll();
    m_stack->setCurrentIndex(m_model->rowCount() > 0 ? 1 : 0);
    setSelection(before);
}

void WorkspaceTree::setAutoencoder(const QString& path, const QString& shape)
{
    const QStringList before = selection();
    m_quiet = true;
    m_model->setAutoencoder(path, shape);
    m_quiet = false;
    collapseAll();
    m_stack->setCurrentIndex(m_model->rowCount() > 0 ? 1 : 0);
    setSelection(before);
}

void WorkspaceTree::setTrace(const QString& path, const QString& shape)
{
    const QStringList before = selection();
    m_quiet = true;
    m_model->setTrace(path, shape);
    m_quiet = false;
    collapseAll();
    m_stack->setCurrentIndex(m_model->rowCount() > 0 ? 1 : 0);
    setSelection(before);
}

void WorkspaceTree::applyFilter(const QString& text)
{
    m_quiet = true; // rows that the filter hides leave the selection; nobody chose that
    static_cast<TreeFilter*>(m_proxy)->setWords(text.simplified().split(QLatin1Char(' '), Qt::SkipEmptyParts));
    m_quiet = false;
    if (!text.isEmpty())
        m_view->expandAll();
}

void WorkspaceTree::focusSearch()
{
    m_search->setFocus(Qt::ShortcutFocusReason);
    m_search->selectAll();
}

void WorkspaceTree::expandAll() { m_view->expandAll(); }

void WorkspaceTree::collapseAll()
{
    m_view->collapseAll();
    for (int row = 0; row < m_proxy->rowCount(); ++row)
        if (const QModelIndex top = m_proxy->index(row, 0); top.data(WorkspaceModel::KindRole).value<Kind>() == Kind::Model)
            m_view->expand(top);
}

QStringList WorkspaceTree::selection() const
{
    QStringList names;
    std::function<void(const QModelIndex&, bool)> walk = [&](const QModelIndex& index, bool chosen) {
        chosen = chosen || m_view->selectionModel()->isSelected(index);
        const QString name = index.data(WorkspaceModel::MatrixRole).toString();
        if (chosen && !name.isEmpty() && !names.contains(name))
            names.append(name);
        // Choosing a calibration set means the file, not all its sites.
        const bool wholeSet = index.data(WorkspaceModel::KindRole).value<Kind>() == Kind::Calibration;
        for (int row = 0; row < m_proxy->rowCount(index); ++row)
            walk(m_proxy->index(row, 0, index), chosen && !wholeSet);
    };
    for (int row = 0; row < m_proxy->rowCount(); ++row)
        walk(m_proxy->index(row, 0), false);
    return names;
}

void WorkspaceTree::setSelection(const QStringList& matrices)
{
    if (matrices == selection())
        return;
    QItemSelection chosen;
    QModelIndex first;
    for (const auto& name : matrices)
        if (const QModelIndex at = m_proxy->mapFromSource(m_model->matrixIndex(name)); at.isValid()) {
            chosen.select(at, at);
            if (!first.isValid())
                first = at;
        }
    m_quiet = true;
    m_view->selectionModel()->select(chosen, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    if (first.isValid()) {
        m_view->selectionModel()->setCurrentIndex(first, QItemSelectionModel::NoUpdate);
        m_view->scrollTo(first);
    }
    m_quiet = false;
}

void WorkspaceTree::announce()
{
    if (m_quiet)
        return;
    const QModelIndexList rows = m_view->selectionModel()->selectedRows();
    const auto set = std::find_if(rows.begin(), rows.end(), [](const QModelIndex& index) {
        return index.data(WorkspaceModel::KindRole).value<Kind>() == Kind::Calibration;
    });
    if (set != rows.end())
        emit calibrationSelected(set->data(WorkspaceModel::PathRole).toString());
    const auto photos = std::find_if(rows.begin(), rows.end(), [](const QModelIndex& index) {
        return index.data(WorkspaceModel::KindRole).value<Kind>() == Kind::Photos;
    });
    if (photos != rows.end())
        emit photosSelected(photos->data(WorkspaceModel::PathRole).toString());
    const auto autoencoder = std::find_if(rows.begin(), rows.end(), [](const QModelIndex& index) {
        return index.data(WorkspaceModel::KindRole).value<Kind>() == Kind::Autoencoder;
    });
    if (autoencoder != rows.end())
        emit autoencoderSelected(autoencoder->data(WorkspaceModel::PathRole).toString());
    const auto trace = std::find_if(rows.begin(), rows.end(), [](const QModelIndex& index) {
        return index.data(WorkspaceModel::KindRole).value<Kind>() == Kind::Trace;
    });
    if (trace != rows.end())
        emit traceSelected(trace->data(WorkspaceModel::PathRole).toString());
    if (const QStringList names = selection(); !names.isEmpty())
        emit matricesSelected(names);
}

void WorkspaceTree::requestClose()
{
    const QModelIndex at = m_view->currentIndex();
    const auto kind = at.data(WorkspaceModel::KindRole).value<Kind>();
    if (at.isValid() && canClose(kind))
        emit closeRequested(at.data(WorkspaceModel::PathRole).toString());
}

void WorkspaceTree::showMenu(const QPoint& position)
{
    const QModelIndex at = m_view->indexAt(position).siblingAtColumn(0);
    const auto kind = at.data(WorkspaceModel::KindRole).value<Kind>();
    QMenu menu(this);
    menu.addAction(tr("Copy name"), this, [at] { QApplication::clipboard()->setText(at.data().toString()); })->setEnabled(at.isValid());
    if (at.isValid() && canClose(kind)) {
        const QString path = at.data(WorkspaceModel::PathRole).toString();
        menu.addAction(tr("Copy path"), this, [path] { QApplication::clipboard()->setText(path); });
        menu.addAction(themedIcon(QStringLiteral("close")), tr("Close"), this, [this, path] { emit closeRequested(path); });
    }
    menu.addSeparator();
    menu.addAction(tr("Expand all"), this, &WorkspaceTree::expandAll);
    menu.addAction(tr("Collapse all"), this, &WorkspaceTree::collapseAll);
    menu.exec(m_view->viewport()->mapToGlobal(position));
}

} // namespace tamis::views
