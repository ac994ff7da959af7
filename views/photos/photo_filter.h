// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QSortFilterProxyModel>
#include <QStringList>

namespace tamis::views {

/// Photos of a PhotoModel whose name, label or classes hold every word, all or only the wrong or the changed ones, in the chosen
/// order. Equal photos stay in the order of the folder; what has no number comes last.
class PhotoFilter : public QSortFilterProxyModel {
    Q_OBJECT
public:
    enum class Order { Name, Confidence, LeastConfidence, MostChanged };
    enum class Show { All, Wrong, Changed };

    explicit PhotoFilter(QObject* parent = nullptr);
    void setText(const QString& text);
    void setShown(Show show);
    void setOrder(Order order);

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
    bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

private:
    QStringList m_words;
    Show m_show = Show::All;
    Order m_order = Order::Name;
};

} // namespace tamis::views
