// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/spectrum/spectrum_table.h"

#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/theme.h"
#include "views/spectrum/spectrum_table_model.h"

#include <QAction>
#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QSortFilterProxyModel>
#include <QSpinBox>
#include <QVBoxLayout>

#include <algorithm>
#include <limits>

namespace tamis::views {
namespace {
/// Rows whose name, layer, role or type holds every word of the text, of one role or of all.
class MatrixFilter : public QSortFilterProxyModel {
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;
    void set(const QString& text, const QString& role)
    {
        m_words = text.simplified().split(QLatin1Char(' '), Qt::SkipEmptyParts);
        m_role = role;
        invalidateFilter();
    }

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override
    {
        const auto cell = [&](int column) { return sourceModel()->index(row, column, parent).data().toString(); };
        const QString role = cell(SpectrumTableModel::RoleColumn);
        if (!m_role.isEmpty() && role != m_role)
            return false;
        const QString all = QStringList{cell(SpectrumTableModel::NameColumn), role, cell(SpectrumTableModel::ShapeColumn),
                                        cell(SpectrumTableModel::DtypeColumn)}.join(QLatin1Char(' '));
        return std::all_of(m_words.begin(), m_words.end(), [&](const QString& word) { return all.contains(word, Qt::CaseInsensitive); });
    }

private:
    QStringList m_words;
    QString m_role;
};

/// A spin box from 1 to the full rank; shows what the delegate of numbers shows otherwise.
class RankDelegate : public InlineBarDelegate {
public:
    using InlineBarDelegate::InlineBarDelegate;
    QWidget* createEditor(QWidget* parent, const QStyleOptionViewItem&, const QModelIndex& index) const override
    {
        const auto shape = index.siblingAtColumn(SpectrumTableModel::ShapeColumn).data().toString().split(QStringLiteral(" × "));
        constexpr qlonglong most = std::numeric_limits<int>::max();
        auto* editor = new QSpinBox(parent);
        editor->setObjectName(QStringLiteral("rankEditor"));
        editor->setFrame(false);
        editor->setRange(1, static_cast<int>(std::min({shape.value(0).toLongLong(), shape.value(1).toLongLong(), most})));
        editor->setAccessibleName(QObject::tr("Rank"));
        return editor;
    }
    void setEditorData(QWidget* editor, const QModelIndex& index) const override
    {
        auto* spin = static_cast<QSpinBox*>(editor);
        spin->setValue(static_cast<int>(std::min<qlonglong>(index.data(Qt::EditRole).toLongLong(), spin->maximum())));
        spin->selectAll();
    }
    void setModelData(QWidget* editor, QAbstractItemModel* model, const QModelIndex& index) const override
    {
        auto* spin = static_cast<QSpinBox*>(editor);
        spin->interpretText();
        model->setData(index, static_cast<qlonglong>(spin->value()), Qt::EditRole);
    }
};
} // namespace

SpectrumTable::SpectrumTable(QWidget* parent)
    : QWidget(parent), m_model(new SpectrumTableModel(this)), m_filter(new MatrixFilter(this)), m_view(new CopyableTableView(this)),
      m_text(new QLineEdit(this)), m_role(new QComboBox(this)), m_count(new QLabel(this))
{
    m_filter->setSourceModel(m_model);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->setSpacing(Theme::kSpacing);
    m_text->setObjectName(QStringLiteral("matrixFilter"));
    m_text->setPlaceholderText(tr("Filter matrices"));
    m_text->setClearButtonEnabled(true);
    m_text->setAccessibleName(tr("Filter matrices"));
    m_role->setObjectName(QStringLiteral("matrixRole"));
    m_role->setAccessibleName(tr("Show matrices of this role"));
    m_role->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_role->addItem(tr("all roles"), QString());
    m_count->setObjectName(QStringLiteral("matrixCount"));
    row->addWidget(m_text, 1);
    row->addWidget(m_role);
    row->addWidget(m_count);
    column->addLayout(row);
    column->addWidget(m_view, 1);
    buildView();
    connect(m_text, &QLineEdit::textChanged, this, &SpectrumTable::filter);
    connect(m_role, &QComboBox::currentIndexChanged, this, &SpectrumTable::filter);
    connect(m_model, &SpectrumTableModel::rankEdited, this, &SpectrumTable::rankEdited);
    connect(m_model, &SpectrumTableModel::rankCleared, this, &SpectrumTable::rankCleared);
    connect(m_model, &SpectrumTableModel::lockToggled, this, &SpectrumTable::lockToggled);
    filter();
}

void SpectrumTable::buildView()
{
    m_view->setObjectName(QStringLiteral("matrixTable"));
    m_view->setAccessibleName(tr("Matrices"));
    m_view->setSourceModel(m_filter);
    m_view->setEmptyMessage(tr("No matrix matches, or no spectrum has been computed yet."));
    m_view->setEditTriggers(QAbstractItemView::DoubleClicked | QAbstractItemView::EditKeyPressed);
    auto* bars = new InlineBarDelegate(m_view);
    for (int column = SpectrumTableModel::ParametersColumn; column <= SpectrumTableModel::HeldOutColumn; ++column)
        m_view->setItemDelegateForColumn(column, bars);
    m_view->setItemDelegateForColumn(SpectrumTableModel::RankColumn, new RankDelegate(m_view));
    m_view->setItemDelegateForColumn(SpectrumTableModel::LockColumn, new LockDelegate(m_view));
    const int digit = m_view->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[SpectrumTableModel::kColumnCount] = {7, 20, 8, 12, 7, 12, 12, 14, 11, 6, 9, 10, 10, 6}; // in digits
    for (int column = 0; column < SpectrumTableModel::kColumnCount; ++column)
        m_view->setColumnWidth(column, widths[column] * digit + 2 * Theme::kSpacing);
    // What the user decides stands first; the rest of what is known of a matrix follows.
    constexpr int first[] = {SpectrumTableModel::NameColumn, SpectrumTableModel::RankColumn, SpectrumTableModel::KeepColumn,
                             SpectrumTableModel::LossColumn, SpectrumTableModel::LockColumn, SpectrumTableModel::HeldOutColumn};
    auto* header = m_view->horizontalHeader();
    for (int place = 0; place < static_cast<int>(std::size(first)); ++place)
        header->moveSection(header->visualIndex(first[place]), place);
    // Own menu, with the actions on matrices before those of every table.
    disconnect(m_view, &QWidget::customContextMenuRequested, m_view, nullptr);
    connect(m_view, &QWidget::customContextMenuRequested, this, &SpectrumTable::showMenu);
    auto* clear = new QAction(tr("Give the rank back to the allocation"), m_view);
    clear->setShortcut(QKeySequence::Delete);
    clear->setShortcutContext(Qt::WidgetShortcut);
    m_view->addAction(clear);
    connect(clear, &QAction::triggered, this, [this] {
        for (const auto& name : selection())
            if (const auto* chosen = m_model->budget(m_model->rowOf(name)); chosen && chosen->overridden)
                emit rankCleared(name);
    });
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
        if (!m_quiet)
            emit selectionChanged(selection());
    });
    connect(m_view->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& now) {
        const QString name = nameAt(now);
        if (name == m_announced || name.isEmpty())
            return;
        m_announced = name;
        if (!m_quiet)
            emit currentChanged(name);
    });
}

void SpectrumTable::setReport(std::shared_ptr<const report::SpectrumReport> report)
{
    const QStringList before = selection();
    m_quiet = true;
    m_model->setReport(std::move(report));
    fillRoles();
    m_quiet = false;
    if (selection() != before)
        setSelection(before); // the model was reset: what is still there stays selected
    filter();
}

void SpectrumTable::setBudget(std::shared_ptr<const report::BudgetReport> budget) { m_model->setBudget(std::move(budget)); }
void SpectrumTable::setCaption(const QString& settings) { m_view->setCaption(settings); }

void SpectrumTable::fillRoles()
{
    QStringList roles;
    for (int row = 0; row < m_model->rowCount(); ++row)
        if (const QString role = QString::fromStdString(m_model->spectrum(row)->role); !roles.contains(role))
            roles.append(role);
    const QString before = m_role->currentData().toString();
    const QSignalBlocker quiet(m_role);
    m_role->clear();
    m_role->addItem(tr("all roles"), QString());
    for (const auto& role : roles)
        m_role->addItem(role, role);
    m_role->setCurrentIndex(std::max(m_role->findData(before), 0));
}

void SpectrumTable::filter()
{
    static_cast<MatrixFilter*>(m_filter)->set(m_text->text(), m_role->currentData().toString());
    m_count->setText(tr("%1 of %2").arg(m_filter->rowCount()).arg(m_model->rowCount()));
}

QString SpectrumTable::nameAt(const QModelIndex& viewIndex) const
{
    return viewIndex.isValid() ? viewIndex.siblingAtColumn(SpectrumTableModel::NameColumn).data().toString() : QString();
}

QModelIndex SpectrumTable::viewIndexOf(const QString& name) const
{
    const int row = m_model->rowOf(name);
    return row < 0 ? QModelIndex() : m_view->fromSource(m_filter->mapFromSource(m_model->index(row, SpectrumTableModel::NameColumn)));
}

void SpectrumTable::setSelection(const QStringList& names)
{
    QItemSelection chosen;
    QModelIndex first;
    for (const auto& name : names)
        if (const QModelIndex at = viewIndexOf(name); at.isValid()) {
            chosen.select(at, at);
            if (!first.isValid())
                first = at;
        }
    m_quiet = true;
    auto* selected = m_view->selectionModel();
    selected->select(chosen, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    if (first.isValid() && !names.contains(current())) {
        selected->setCurrentIndex(first, QItemSelectionModel::NoUpdate);
        m_view->scrollTo(first);
    }
    m_quiet = false;
}

QStringList SpectrumTable::selection() const
{
    QList<int> rows;
    for (const QModelIndex& index : m_view->selectionModel()->selectedRows(SpectrumTableModel::NameColumn))
        rows.append(m_filter->mapToSource(m_view->toSource(index)).row());
    std::sort(rows.begin(), rows.end());
    QStringList names;
    for (const int row : rows)
        names.append(QString::fromStdString(m_model->spectrum(row)->name));
    return names;
}

QString SpectrumTable::current() const { return nameAt(m_view->currentIndex()); }

void SpectrumTable::selectWhere(bool sameRole)
{
    const auto* chosen = m_model->spectrum(m_model->rowOf(current()));
    if (!chosen)
        return;
    QStringList names;
    for (int row = 0; row < m_model->rowCount(); ++row) {
        const auto* other = m_model->spectrum(row);
        if (sameRole ? other->role == chosen->role : other->layer == chosen->layer)
            names.append(QString::fromStdString(other->name));
    }
    setSelection(names);
    emit selectionChanged(selection());
}

void SpectrumTable::showMenu(const QPoint& position)
{
    const QStringList names = selection();
    QMenu menu(this);
    menu.setObjectName(QStringLiteral("matrixMenu"));
    bool locked = false, unlocked = false, overridden = false;
    for (const auto& name : names) {
        const int row = m_model->rowOf(name);
        const auto* chosen = m_model->budget(row);
        if (!chosen || !m_model->spectrum(row)->compressible)
            continue;
        (chosen->locked ? locked : unlocked) = true;
        overridden = overridden || chosen->overridden;
    }
    const auto lock = [this, names](bool on) {
        for (const auto& name : names) {
            const int row = m_model->rowOf(name);
            if (const auto* chosen = m_model->budget(row); chosen && chosen->locked != on && m_model->spectrum(row)->compressible)
                emit lockToggled(name, on);
        }
    };
    menu.addAction(tr("Lock"), this, [lock] { lock(true); })->setEnabled(unlocked);
    menu.addAction(tr("Unlock"), this, [lock] { lock(false); })->setEnabled(locked);
    menu.addAction(tr("Give the rank back to the allocation"), this, [this, names] {
            for (const auto& name : names)
                if (const auto* chosen = m_model->budget(m_model->rowOf(name)); chosen && chosen->overridden)
                    emit rankCleared(name);
        })->setEnabled(overridden);
    menu.addSeparator();
    menu.addAction(tr("Select the same role"), this, [this] { selectWhere(true); })->setEnabled(!names.isEmpty());
    menu.addAction(tr("Select the same layer"), this, [this] { selectWhere(false); })->setEnabled(!names.isEmpty());
    menu.addSeparator();
    menu.addAction(tr("Copy"), m_view, &CopyableTableView::copySelection)->setEnabled(!names.isEmpty());
    menu.addAction(tr("Save table as CSV…"), this, [this] { emit m_view->exportRequested(FigureFormat::Csv); });
    menu.addAction(tr("Save table as PNG picture…"), this, [this] { emit m_view->exportRequested(FigureFormat::Png); });
    menu.exec(m_view->viewport()->mapToGlobal(position));
}

} // namespace tamis::views
